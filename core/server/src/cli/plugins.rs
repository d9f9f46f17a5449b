//! `boxvault plugin`: which plugins the configuration names, and what a library says of itself.

use std::process::ExitCode;

use boxvault_plugin_host::{PluginHost, PluginKind};
use clap::{Args, Subcommand};
use serde_json::json;

use super::{CliError, EXIT_FAILED, Kind, answer, plugin_entries};
use crate::config::{Config, PluginEntry};

/// What can be asked about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the plugins that the configuration names, and load each one to see that it can be used
    #[command(after_help = "Example:\n  boxvault plugin list")]
    List,
    /// Print what a plugin says of itself, and the keys of its configuration, as JSON
    #[command(after_help = "Examples:\n  boxvault plugin inspect fs --kind storage\n  boxvault \
                            plugin inspect ./libboxvault_auth_ldap.so --kind auth")]
    Inspect(PluginArgument),
    /// Print the line for [plugins.pins] that ties a plugin to its present file
    #[command(after_help = "Example:\n  boxvault plugin pin fs --kind storage >> pins.toml")]
    Pin(PluginArgument),
}

/// One plugin.
#[derive(Debug, Args)]
pub struct PluginArgument {
    /// The plugin's name, or the path of its library
    plugin: String,
    /// What kind of plugin it is
    #[arg(long)]
    kind: Kind,
}

impl From<Kind> for PluginKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Storage => Self::Storage,
            Kind::Auth => Self::Auth,
        }
    }
}

pub(super) async fn run(command: &PluginCommand, config: &Config) -> Result<ExitCode, CliError> {
    let host = PluginHost::new(config.plugins.host_options());
    match command {
        PluginCommand::List => return list(&host, config).await,
        PluginCommand::Inspect(PluginArgument { plugin, kind }) => {
            let info = host.inspect(config.plugins.source(plugin), (*kind).into()).await?;
            let text = json!({
                "name": info.name,
                "kind": info.kind.as_str(),
                "version": info.version,
                "license": info.license,
                "abi": format!("{}.{}", info.abi.0, info.abi.1),
                "path": info.path,
                "config_schema": info.config_schema,
            });
            answer(format_args!("{text:#}"))?;
        }
        PluginCommand::Pin(PluginArgument { plugin, kind }) => {
            let (_, digest) = host.digest(plugin, (*kind).into()).await?;
            // A path is no bare key in TOML.
            answer(format_args!("{} = \"{digest}\"", json!(plugin)))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(host: &PluginHost, config: &Config) -> Result<ExitCode, CliError> {
    let mut code = ExitCode::SUCCESS;
    for (entry, kind, PluginEntry { plugin, .. }) in plugin_entries(config) {
        if kind == Kind::Auth && plugin == "local" {
            answer(format_args!("{entry}: {plugin}, built in"))?;
            continue;
        }
        match host.inspect(config.plugins.source(plugin), kind.into()).await {
            Ok(info) => {
                let path = info.path.display();
                answer(format_args!("{entry}: {} {}, {path}", info.name, info.version))?;
            }
            Err(error) => {
                answer(format_args!("{entry}: {plugin} cannot be used: {error}"))?;
                code = ExitCode::from(EXIT_FAILED);
            }
        }
    }
    Ok(code)
}
