//! `boxvault policy history | export | rollback`: the versions of the policy, in the catalog or on a running server.
//!
//! In the catalog they ask nobody for permission: who may read the database may do all this anyway. So a rollback is also
//! the way back when the rules in force let nobody change them.

use std::{fs, path::PathBuf, process::ExitCode, sync::Arc};

use boxvault_policy::{PolicyError, PolicyFiles};
use boxvault_types::{
    params::{ListQuery, policies::RollBackPolicyParams},
    views::policies::{
        OrganizationPolicyVersionView, OrganizationPolicyView, PolicyVersionTextView,
        PolicyVersionView, PolicyView,
    },
};
use clap::Subcommand;
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    CliError,
    policies::tell,
    policy_source::{self, ProblemLine, path},
    remote::Remote,
};
use crate::{app::App, config::Config};

/// What can be done with versions.
#[derive(Debug, Subcommand)]
pub(super) enum PolicyVersionCommand {
    /// List the versions of the policy, newest first: when, who, from where, and why
    #[command(after_help = "Examples:\n  boxvault policy history --page 2\n  \
                            boxvault policy history --org acme")]
    History {
        /// Of the rules of this organization's own
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// Which page of the list
        #[arg(long, default_value_t = 1)]
        page: u64,
    },
    /// Write the files of a version into a folder, over those that are there
    #[command(
        after_help = "Examples:\n  boxvault policy export                      the version in force, into \
                            the folder of the configuration\n  boxvault policy export 12 --dir ./before   an \
                            earlier one, to compare\n  boxvault policy export --org acme           the rules of an \
                            organization's own; without --dir they are printed"
    )]
    Export {
        /// Of the rules of this organization's own
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// The version's number [default: the one in force]
        number: Option<i64>,
    },
    /// Put an earlier version in force again, on every running server within two seconds
    #[command(
        after_help = "Example:\n  boxvault policy rollback 11 --message 'the new rules locked us out'\n\n\
                            Works also when the rules in force let nobody change them.\n\n  boxvault policy \
                            rollback 0 --org acme --message 'they cannot be read'   takes all rules of an \
                            organization's own out"
    )]
    Rollback {
        /// Of the rules of this organization's own
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
        /// The version's number; `boxvault policy history` lists them. With --org, 0 is no rules at
        /// all
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

/// What a new version is, and why the folder does not hold it.
struct RolledBack {
    version: i64,
    problems: Vec<String>,
}

impl Versions {
    async fn list(
        &self,
        org: Option<&str>,
        page: u64,
    ) -> Result<(Vec<PolicyVersionView>, u64), CliError> {
        let query = ListQuery { page: Some(page), ..ListQuery::default() };
        let (versions, page) = match (self, org) {
            (Self::Here(app), None) => app.list_policy_versions(query).await?,
            (Self::Here(app), Some(org)) => {
                let organization = app.organization_named(org).await?;
                app.list_own_policy_versions(&organization, query).await?
            }
            (Self::There(remote), org) => {
                return Ok(remote.list(&format!("{}/versions?page={page}", path(org))).await?);
            }
        };
        Ok((versions, page.total))
    }

    async fn files(&self, number: Option<i64>) -> Result<(i64, PolicyFiles), CliError> {
        let (number, views) = match (self, number) {
            (Self::Here(app), number) => return Ok(app.policy_files(number).await?),
            (Self::There(remote), None) => {
                let (view, _) = remote.get::<PolicyView>(&path(None)).await?;
                (view.version, view.files)
            }
            (Self::There(remote), Some(number)) => {
                let path = format!("{}/versions/{number}", path(None));
                (number, remote.get::<PolicyVersionTextView>(&path).await?.0.files)
            }
        };
        Ok((number, policy_source::files(views)?))
    }

    async fn own_text(&self, org: &str, number: Option<i64>) -> Result<(i64, String), CliError> {
        match (self, number) {
            (Self::Here(app), number) => Ok(app.own_policy_text(org, number).await?),
            (Self::There(remote), None) => {
                let (view, _) = remote.get::<OrganizationPolicyView>(&path(Some(org))).await?;
                Ok((view.version, view.text))
            }
            (Self::There(remote), Some(number)) => {
                let path = format!("{}/versions/{number}", path(Some(org)));
                let (view, _) = remote.get::<OrganizationPolicyVersionView>(&path).await?;
                Ok((number, view.text))
            }
        }
    }

    async fn roll_back(&self, number: i64, message: String) -> Result<RolledBack, CliError> {
        match self {
            Self::Here(app) => {
                let version = app.roll_policy_back_by_command(number, message).await?;
                let state = app.policy.state();
                let problems = state.problems.iter().map(ToString::to_string).collect();
                Ok(RolledBack { version, problems })
            }
            Self::There(remote) => {
                let view: PolicyView = roll_back_there(remote, None, number, message).await?;
                let problems = view.problems.iter().map(|problem| ProblemLine(problem).to_string());
                Ok(RolledBack { version: view.version, problems: problems.collect() })
            }
        }
    }

    async fn roll_own_back(
        &self,
        org: &str,
        number: i64,
        message: String,
    ) -> Result<i64, CliError> {
        match self {
            Self::Here(app) => {
                Ok(app.roll_own_policy_back_by_command(org, number, &message).await?)
            }
            Self::There(remote) => {
                let view: OrganizationPolicyView =
                    roll_back_there(remote, Some(org), number, message).await?;
                Ok(view.version)
            }
        }
    }
}

async fn roll_back_there<T: DeserializeOwned>(
    remote: &Remote,
    org: Option<&str>,
    number: i64,
    message: String,
) -> Result<T, CliError> {
    let path = format!("{}/versions/{number}/rollback", path(org));
    Ok(remote.send(Method::POST, &path, &RollBackPolicyParams { message }, None).await?)
}

pub(super) async fn run(
    command: PolicyVersionCommand,
    dir: Option<PathBuf>,
    json: bool,
    versions: &Versions,
    config: &Config,
) -> Result<ExitCode, CliError> {
    match command {
        PolicyVersionCommand::History { org, page } => {
            let (versions, total) = versions.list(org.as_deref(), page).await?;
            let lines: String = versions.iter().map(line).collect();
            tell(json, &versions, format_args!("{lines}{total} versions"))?;
        }
        PolicyVersionCommand::Export { org: Some(org), number } => {
            let (number, text) = versions.own_text(&org, number).await?;
            export_own(dir, json, &org, number, &text).await?;
        }
        PolicyVersionCommand::Export { org: None, number } => {
            let dir = dir.unwrap_or_else(|| config.policy.dir.clone());
            let (number, files) = versions.files(number).await?;
            let saved = fs::create_dir_all(&dir)
                .and_then(|()| files.save(&dir, &PolicyFiles::read_or_none(&dir)));
            saved.map_err(|source| PolicyError::Unwritable { path: dir.clone(), source })?;
            let text = format!("version {number} is in {}", dir.display());
            tell(json, &json!({ "version": number, "dir": dir }), text)?;
        }
        PolicyVersionCommand::Rollback { org: Some(org), number, message } => {
            let version = versions.roll_own_back(&org, number, message).await?;
            let what =
                if number == 0 { "no rules".to_owned() } else { format!("version {number} again") };
            let text = format!("version {version} of {org}'s own rules is in force: {what}");
            tell(json, &json!({ "version": version, "restores": number }), text)?;
        }
        PolicyVersionCommand::Rollback { org: None, number, message } => {
            let RolledBack { version, problems } = versions.roll_back(number, message).await?;
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

/// Prints an organization's own rules, or writes them into a folder. Never into the site's without being asked: there they
/// would be rules of the site.
async fn export_own(
    dir: Option<PathBuf>,
    json: bool,
    org: &str,
    number: i64,
    text: &str,
) -> Result<(), CliError> {
    let Some(dir) = dir else {
        return tell(json, &json!({ "version": number, "text": text }), text.trim_end());
    };
    let path = dir.join(format!("{}.csv", org.to_ascii_lowercase()));
    let unwritable = |source| PolicyError::Unwritable { path: path.clone(), source };
    tokio::fs::create_dir_all(&dir).await.map_err(unwritable)?;
    tokio::fs::write(&path, text).await.map_err(unwritable)?;
    let told = json!({ "version": number, "file": path });
    tell(json, &told, format!("version {number} of {org}'s own rules is in {}", path.display()))
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
