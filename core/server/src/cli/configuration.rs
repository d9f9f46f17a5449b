//! `boxvault config`: what is wrong with the configuration, and what holds.

use std::process::ExitCode;

use boxvault_plugin_host::{LoadError, PluginHost};
use clap::Subcommand;

use super::{CliError, Kind, answer, plugin_entries};
use crate::config::{Config, ConfigError, Loaded, Origins};

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with the configuration, with what it says to plugins as well
    #[command(
        after_help = "Example:\n  boxvault --config new.toml config check && systemctl restart boxvault"
    )]
    Check,
    /// Print every key with its value; secrets are hidden
    #[command(after_help = "Examples:\n  boxvault config show > full.toml\n  boxvault config \
                            show --origin | grep -v default   what differs from the defaults")]
    Show {
        /// Say where each value came from: default, file and line, variable or argument
        #[arg(long)]
        origin: bool,
    },
}

pub(super) async fn run(
    command: &ConfigCommand,
    loaded: Result<Loaded, ConfigError>,
) -> Result<ExitCode, CliError> {
    let loaded = loaded?;
    match command {
        ConfigCommand::Check => {
            let not_here = check_plugin_tables(&loaded.config).await?;
            for warning in &loaded.warnings {
                answer(format_args!("warning: {warning}"))?;
            }
            match &loaded.file {
                Some(file) => answer(format_args!("OK: {}", file.display()))?,
                None => answer("OK: no file, so the defaults, variables and arguments hold")?,
            }
            for entry in not_here {
                answer(format_args!("not checked, as the plugin is not on this machine: {entry}"))?;
            }
        }
        ConfigCommand::Show { origin } => {
            let origins = if *origin { Origins::Shown } else { Origins::Hidden };
            answer(loaded.show(origins).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Asks each plugin about its own table. Gives the entries whose plugins are not here, where the configuration of
/// another machine may be checked.
async fn check_plugin_tables(config: &Config) -> Result<Vec<String>, CliError> {
    let host = PluginHost::new(config.plugins.host_options());
    let (mut problems, mut not_here) = (Vec::new(), Vec::new());
    for (key, kind, entry) in plugin_entries(config) {
        if kind == Kind::Auth && entry.plugin == "local" {
            continue;
        }
        let source = config.plugins.source(&entry.plugin);
        match host.check_config(source, kind.into(), &entry.options_value()).await {
            Ok(()) => {}
            Err(LoadError::NotFound { .. }) => not_here.push(key),
            Err(LoadError::InvalidConfig { problems: found, .. }) => {
                problems.extend(found.iter().map(|problem| match problem.key.as_str() {
                    "" => format!("{key}: {problem}"),
                    _ => format!("{key}.{problem}"),
                }));
            }
            Err(error) => problems.push(format!("{key}: {}", chain(&error))),
        }
    }
    if problems.is_empty() {
        Ok(not_here)
    } else {
        Err(CliError::PluginTables(problems.join("\n")))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chain(source)),
        None => error.to_string(),
    }
}
