//! `boxvault plugin`: which plugins the configuration names, what a library says of itself, whether it keeps the
//! contract, and how a new one begins.

mod abi;
mod check;
mod network;
mod people;
mod template;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use boxvault_plugin_host::{PluginHost, PluginInfo, PluginKind};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};

use super::{CliError, EXIT_FAILED, Kind, Options, answer, plugin_entries};
use crate::config::{Config, PluginEntry};
use check::CheckArguments;
use template::NewArguments;

/// What can be asked about plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the plugins that the configuration names, and load each one to see that it can be used
    #[command(after_help = "Example:\n  boxvault plugin list")]
    List,
    /// Print what a plugin says of itself, and the keys of its configuration, as JSON
    #[command(after_help = "Examples:\n  boxvault plugin inspect fs\n  boxvault \
                            plugin inspect ./libboxvault_auth_ldap.so")]
    Inspect(PluginArgument),
    /// Judge a plugin: its table, every promise of its kind, and what it does when it is killed or its disk is full
    #[command(after_help = check::AFTER_HELP)]
    Check(Box<CheckArguments>),
    /// Print the line for [plugins.pins] that ties a plugin to its present file
    #[command(after_help = "Example:\n  boxvault plugin pin fs >> pins.toml")]
    Pin(PluginArgument),
    /// Write the sources of a new plugin that builds, and passes `boxvault plugin check`
    #[command(after_help = template::AFTER_HELP)]
    New(NewArguments),
    /// Judge the table of a plugin, in a process that it may take with it; `check` starts this
    #[command(hide = true, after_help = "Used by `boxvault plugin check`.")]
    CheckTable(PluginArgument),
}

/// One plugin.
#[derive(Debug, Args)]
pub struct PluginArgument {
    /// The plugin's name, or the path of its library
    plugin: String,
    /// What kind of plugin it is, where there is one of each by that name
    #[arg(long)]
    kind: Option<Kind>,
}

impl From<Kind> for PluginKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Storage => Self::Storage,
            Kind::Auth => Self::Auth,
        }
    }
}

impl PluginArgument {
    /// The kind that was given, or the one that the plugin is of.
    async fn kind(&self, host: &PluginHost, config: &Config) -> Result<PluginKind, CliError> {
        match self.kind {
            Some(kind) => Ok(kind.into()),
            None => Ok(host.kind_of(config.plugins.source(&self.plugin)).await?),
        }
    }
}

pub(super) async fn run(
    command: PluginCommand,
    mut options: Options,
) -> Result<ExitCode, CliError> {
    if let PluginCommand::New(arguments) = command {
        return template::run(&arguments).await;
    }
    if matches!(command, PluginCommand::Check(_)) {
        // there, it names the plugin's own table
        options.config = None;
    }
    let config = options.load()?.config;
    let host = PluginHost::new(config.plugins.host_options());
    match command {
        PluginCommand::List => return list(&host, &config).await,
        PluginCommand::Inspect(argument) => {
            let kind = argument.kind(&host, &config).await?;
            let info = host.inspect(config.plugins.source(&argument.plugin), kind).await?;
            let plugin = Shown::of(&info);
            let config_schema = info.config_schema;
            answer(serde_json::to_string_pretty(&Inspected { plugin, config_schema })?)?;
        }
        PluginCommand::Check(arguments) => return Box::pin(check::run(*arguments, &config)).await,
        PluginCommand::CheckTable(argument) => {
            let kind = argument.kind(&host, &config).await?;
            abi::judge(&host, config.plugins.source(&argument.plugin), kind).await?;
        }
        PluginCommand::Pin(argument) => {
            let kind = argument.kind(&host, &config).await?;
            let (_, digest) = host.digest(&argument.plugin, kind).await?;
            // A path is no bare key in TOML.
            answer(format_args!("{} = \"{digest}\"", json!(argument.plugin)))?;
        }
        PluginCommand::New(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// What a plugin says of itself, but its schema.
#[derive(Serialize)]
struct Shown {
    name: String,
    kind: &'static str,
    version: String,
    license: String,
    abi: String,
    path: PathBuf,
}

#[derive(Serialize)]
struct Inspected {
    #[serde(flatten)]
    plugin: Shown,
    config_schema: Value,
}

impl Shown {
    fn of(info: &PluginInfo) -> Self {
        Self {
            name: info.name.clone(),
            kind: info.kind.as_str(),
            version: info.version.clone(),
            license: info.license.clone(),
            abi: format!("{}.{}", info.abi.0, info.abi.1),
            path: info.path.clone(),
        }
    }
}

async fn list(host: &PluginHost, config: &Config) -> Result<ExitCode, CliError> {
    let mut code = ExitCode::SUCCESS;
    for (entry, kind, PluginEntry { plugin, isolation, required, .. }) in plugin_entries(config) {
        if kind == Kind::Auth && plugin == "local" {
            answer(format_args!("{entry}: {plugin}, built in"))?;
            continue;
        }
        let pinned = if config.plugins.pins.contains_key(plugin) { ", pinned" } else { "" };
        let optional = if *required { "" } else { ", not required" };
        match host.inspect(config.plugins.source(plugin), kind.into()).await {
            Ok(info) => {
                let (path, (major, minor)) = (info.path.display(), info.abi);
                let name = format_args!("{} {}, {path}", info.name, info.version);
                answer(format_args!(
                    "{entry}: {name}, contract {major}.{minor}, isolation {isolation}{pinned}{optional}"
                ))?;
            }
            Err(error) => {
                answer(format_args!("{entry}: {plugin} cannot be used{optional}: {error}"))?;
                if *required {
                    code = ExitCode::from(EXIT_FAILED);
                }
            }
        }
    }
    Ok(code)
}

/// A file that a command was told to read, as JSON; it is TOML.
async fn read_toml<T: serde::de::DeserializeOwned>(file: &Path) -> Result<T, CliError> {
    let unreadable = |reason: String| CliError::PluginFile { file: file.to_owned(), reason };
    let text = tokio::fs::read_to_string(file).await.map_err(|e| unreadable(e.to_string()))?;
    toml::from_str(&text).map_err(|error| {
        // the text around a mistake may be a secret
        let line = error.span().map_or(0, |span| {
            1 + text.get(..span.start).map_or(0, |before| before.matches('\n').count())
        });
        unreadable(format!("line {line}: {}", error.message()))
    })
}
