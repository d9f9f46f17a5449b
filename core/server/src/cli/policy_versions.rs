//! `boxvault policy history | export | rollback`: the versions of the policy, in the catalog or on a running server.
//!
//! In the catalog they ask nobody for permission: who may read the database may do all this anyway. So a rollback is also
//! the way back when the rules in force let nobody change them.

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc};

use boxvault_policy::{PolicyError, PolicyFiles};
use boxvault_types::{
    params::{ListQuery, policies::RollBackPolicyParams},
    views::policies::{PolicyVersionTextView, PolicyVersionView, PolicyView},
};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

use super::{
    CliError,
    policies::tell,
    policy_source::{self, ProblemLine},
    remote::Remote,
};
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

/// Where the versions are kept.
pub(super) enum Versions {
    /// In the catalog of the configuration.
    Here(Arc<App>),
    /// On a running server.
    There(Remote),
}

impl Versions {
    async fn list(&self, page: u64) -> Result<(Vec<PolicyVersionView>, u64), CliError> {
        match self {
            Self::Here(app) => {
                let query = ListQuery { page: Some(page), ..ListQuery::default() };
                let (versions, page) = app.list_policy_versions(query).await?;
                Ok((versions, page.total))
            }
            Self::There(remote) => {
                Ok(remote.list(&format!("/api/policies/versions?page={page}")).await?)
            }
        }
    }

    async fn files(&self, number: Option<i64>) -> Result<(i64, PolicyFiles), CliError> {
        let (number, views) = match (self, number) {
            (Self::Here(app), number) => return Ok(app.policy_files(number).await?),
            (Self::There(remote), None) => {
                let (view, _) = remote.get::<PolicyView>("/api/policies").await?;
                (view.version, view.files)
            }
            (Self::There(remote), Some(number)) => {
                let path = format!("/api/policies/versions/{number}");
                (number, remote.get::<PolicyVersionTextView>(&path).await?.0.files)
            }
        };
        Ok((number, policy_source::files(views)?))
    }

    /// Gives the new version, and why the folder does not hold it.
    async fn roll_back(
        &self,
        number: i64,
        message: String,
    ) -> Result<(i64, Vec<String>), CliError> {
        match self {
            Self::Here(app) => {
                let version = app.roll_policy_back_by_command(number, message).await?;
                let state = app.policy.state();
                Ok((version, state.problems.iter().map(ToString::to_string).collect()))
            }
            Self::There(remote) => {
                let path = format!("/api/policies/versions/{number}/rollback");
                let params = RollBackPolicyParams { message };
                let view: PolicyView = remote.send(Method::POST, &path, &params, None).await?;
                let problems = view.problems.iter().map(|problem| ProblemLine(problem).to_string());
                Ok((view.version, problems.collect()))
            }
        }
    }
}

pub(super) async fn run(
    command: PolicyVersionCommand,
    dir: PathBuf,
    json: bool,
    versions: &Versions,
) -> Result<ExitCode, CliError> {
    match command {
        PolicyVersionCommand::History { page } => {
            let (versions, total) = versions.list(page).await?;
            let lines: String = versions.iter().map(line).collect();
            tell(json, &versions, format_args!("{lines}{total} versions"))?;
        }
        PolicyVersionCommand::Export { number } => {
            let (number, files) = versions.files(number).await?;
            let saved = fs::create_dir_all(&dir)
                .and_then(|()| files.save(&dir, &PolicyFiles::read_or_none(&dir)));
            saved.map_err(|source| PolicyError::Unwritable { path: dir.clone(), source })?;
            let text = format!("version {number} is in {}", dir.display());
            tell(json, &json!({ "version": number, "dir": dir }), text)?;
        }
        PolicyVersionCommand::Rollback { number, message } => {
            let (version, problems) = versions.roll_back(number, message).await?;
            let mut text = format!("version {version} is in force: version {number} again");
            for problem in &problems {
                text.extend(["\nbut ", problem]);
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
