//! `boxvault config`: what is wrong with the configuration, and what holds.

use std::process::ExitCode;

use clap::Subcommand;

use super::{CliError, answer};
use crate::config::{ConfigError, Loaded, Origins};

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Say everything that is wrong with the configuration
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

pub(super) fn run(
    command: &ConfigCommand,
    loaded: Result<Loaded, ConfigError>,
) -> Result<ExitCode, CliError> {
    let loaded = loaded?;
    match command {
        ConfigCommand::Check => {
            for warning in &loaded.warnings {
                answer(format_args!("warning: {warning}"))?;
            }
            match &loaded.file {
                Some(file) => answer(format_args!("OK: {}", file.display()))?,
                None => answer("OK: no file, so the defaults, variables and arguments hold")?,
            }
        }
        ConfigCommand::Show { origin } => {
            let origins = if *origin { Origins::Shown } else { Origins::Hidden };
            answer(loaded.show(origins).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
