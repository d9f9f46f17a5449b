//! `boxvault policy history | export | rollback`: the versions of the policy, beside a running server or without one.
//!
//! They ask nobody for permission: who may read the database may do all this anyway. So a rollback is also the way back
//! when the rules in force let nobody change them.

use std::{fs, path::PathBuf, process::ExitCode};

use boxvault_policy::{PolicyError, PolicyFiles};
use boxvault_types::{params::ListQuery, views::policies::PolicyVersionView};
use clap::Subcommand;
use serde_json::json;

use super::{CliError, policies::tell};
use crate::app::App;

/// What can be done with versions.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyVersionCommand {
    /// List the versions of the policy, newest first: when, who, from where, and why
    #[command(after_help = "Example:\n  boxvault policy history --page 2")]
    History {
        /// Which page of the list
        #[arg(long, default_value_t = 1)]
        page: u64,
    },
    /// Write the files of a version into a folder, over those that are there
    #[command(
        after_help = "Examples:\n  boxvault policy export                      the version in force, into \
                            the folder of the configuration\n  boxvault policy export 12 --dir ./before   an \
                            earlier one, to compare"
    )]
    Export {
        /// The version's number [default: the one in force]
        number: Option<i64>,
    },
    /// Put an earlier version in force again, on every running server within two seconds
    #[command(
        after_help = "Example:\n  boxvault policy rollback 11 --message 'the new rules locked us out'\n\n\
                            Works also when the rules in force let nobody change them."
    )]
    Rollback {
        /// The version's number; `boxvault policy history` lists them
        number: i64,
        /// Why, for the history
        #[arg(long)]
        message: String,
    },
}

pub(super) async fn run(
    command: PolicyVersionCommand,
    dir: Option<PathBuf>,
    json: bool,
    app: &App,
) -> Result<ExitCode, CliError> {
    match command {
        PolicyVersionCommand::History { page } => {
            let query = ListQuery { page: Some(page), ..ListQuery::default() };
            let (versions, page) = app.list_policy_versions(query).await?;
            let lines: String = versions.iter().map(line).collect();
            tell(json, &versions, format_args!("{lines}{} versions", page.total))?;
        }
        PolicyVersionCommand::Export { number } => {
            let dir = dir.unwrap_or_else(|| app.config.policy.dir.clone());
            let (number, files) = app.policy_files(number).await?;
            let saved = fs::create_dir_all(&dir)
                .and_then(|()| files.save(&dir, &PolicyFiles::read_or_none(&dir)));
            saved.map_err(|source| PolicyError::Unwritable { path: dir.clone(), source })?;
            let text = format!("version {number} is in {}", dir.display());
            tell(json, &json!({ "version": number, "dir": dir }), text)?;
        }
        PolicyVersionCommand::Rollback { number, message } => {
            let version = app.roll_policy_back_by_command(number, message).await?;
            let problems = &app.policy.state().problems;
            let mut text = format!("version {version} is in force: version {number} again");
            for problem in problems {
                text.extend(["\nbut ", &problem.to_string()]);
            }
            let told = json!({ "version": version, "restores": number, "problems": problems });
            tell(json, &told, text)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(version: &PolicyVersionView) -> String {
    let back = version.restores.map(|number| format!(" (version {number} again)"));
    format!(
        "{:>5}  {}  {:<8} {:<16} {}  {}{}\n",
        version.version,
        version.created_at.format("%F %T UTC"),
        version.origin,
        version.author.as_deref().unwrap_or("-"),
        version.digest.get(..12).unwrap_or_default(),
        version.message,
        back.unwrap_or_default(),
    )
}
