//! `boxvault policy`: checks rules as the server does, and prints them as a table.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use boxvault_policy::{Policy, check_dir, matrix};
use clap::Subcommand;

use super::{CliError, answer};
use crate::config::Config;

/// What can be asked about the policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Say everything that is wrong with a folder of policy files; changes nothing
    #[command(after_help = "Examples:\n  boxvault policy check               the folder of the \
                            configuration\n  boxvault policy check ./candidate   another folder, \
                            before it goes into force")]
    Check {
        /// The folder of model.conf and policy.csv [default: the key `policy.dir`]
        folder: Option<PathBuf>,
    },
    /// Print who may do what, as a table
    #[command(after_help = "Example:\n  boxvault policy matrix ./candidate | diff \
                            policies/access-matrix.txt -   what a change of rules changes")]
    Matrix {
        /// The folder of model.conf and policy.csv [default: the key `policy.dir`]
        folder: Option<PathBuf>,
    },
}

pub(super) fn run(command: &PolicyCommand, config: &Config) -> Result<ExitCode, CliError> {
    match command {
        PolicyCommand::Check { folder } => {
            let Some(folder) = folder_in_force(folder.as_deref(), config) else {
                answer("OK: there is no folder, so the rules inside the program hold")?;
                return Ok(ExitCode::SUCCESS);
            };
            let report = check_dir(folder)?;
            for warning in &report.warnings {
                answer(format_args!("warning: {warning}"))?;
            }
            answer(format_args!(
                "OK: {}: {} rules and {} bindings, digest {}",
                folder.display(),
                report.rules,
                report.bindings,
                report.digest
            ))?;
        }
        PolicyCommand::Matrix { folder } => {
            let policy = match folder_in_force(folder.as_deref(), config) {
                Some(folder) => Policy::load(folder)?,
                None => Policy::embedded()?,
            };
            answer(matrix(&policy).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The folder that was asked for, or the configured one where it exists.
fn folder_in_force<'a>(asked: Option<&'a Path>, config: &'a Config) -> Option<&'a Path> {
    let configured = config.policy.dir.as_path();
    asked.or_else(|| configured.exists().then_some(configured))
}
