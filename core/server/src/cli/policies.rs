//! `boxvault policy`: questions about who may do what, answered from files, or from those of a running server, as the
//! server would answer them.
//!
//! Everything here takes words apart and prints; what is true is known by the policy crate alone.

use std::{
    fmt::Display,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use boxvault_policy::{
    AccessRequest, CheckReport, Policy, PolicyError, PolicyFiles, Problem, check, diff, explain,
    format_dir, list, matrix, save_file, who_can,
};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    CliError, EXIT_FAILED, answer,
    policy_source::{self, Source},
    policy_versions::{self, PolicyVersionCommand, Versions},
    remote::RemoteArguments,
};
use crate::{config::Config, startup};

const AFTER_HELP: &str = "\
A SUBJECT is who asks: role:member, user:local:bob, group:ldap:builders, service:acme/ci, anonymous.
Several of one caller are separated by commas. Whoever is not anonymous is signed in. The files do
not know who is a member of what: ask for the role.

Examples:
  boxvault policy check --dir ./candidate
  boxvault policy can role:member delete box/debian12 --org acme
  boxvault policy explain group:ldap:builders,role:member upload \\
      box/debian12/version/1.0.0/provider/virtualbox/architecture/amd64/file --org acme
  boxvault policy diff policies ./candidate
  boxvault policy can group:ldap:builders release box/debian12/version/1.0.0 --org acme \\
      --server https://boxes.example.com:5001 --token-file ./token

With --server the same questions are answered for the policy that is in force there. The token's
owner needs the right to read the policy.

Exit codes: 0 yes, or nothing wrong; 1 no, or something found; 2 wrong words, files that cannot be
read, or a server that does not answer.";

/// What is asked, and of which files.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct PolicyArguments {
    /// The folder of policy files [default: the key `policy.dir`, and where that is absent the
    /// rules inside the program]
    #[arg(long, global = true, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
    /// The server, if one is asked.
    #[command(flatten)]
    remote: RemoteArguments,
    /// What is asked.
    #[command(subcommand)]
    command: PolicyCommand,
}

/// What can be done with the policy.
#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// With its files.
    #[command(flatten)]
    Files(FileCommand),
    /// With the versions that the catalog keeps.
    #[command(flatten)]
    Versions(PolicyVersionCommand),
}

/// What can be asked about the files.
#[derive(Debug, Subcommand)]
enum FileCommand {
    /// Say everything that is wrong with the files, and what looks like a mistake; changes nothing
    #[command(
        after_help = "Examples:\n  boxvault policy check --dir ./candidate   before it goes \
                            into force\n  boxvault policy check --dir ./candidate --server \
                            https://boxes.example.com:5001 --token-file ./token\n                  \
                            which decisions it would change there\n\nExit codes: 0 a server takes \
                            them; 1 it refuses them; 2 they cannot be read."
    )]
    Check,
    /// Put the files of --dir in force on --server
    #[command(
        after_help = "Example:\n  boxvault policy apply --dir ./candidate --message 'let the \
                            release managers release' \\\n      --server \
                            https://boxes.example.com:5001 --token-file ./token\n\nIt is refused \
                            when somebody else changed the policy in the meantime, and when the \
                            files have\na problem. Without --server put the files into the folder \
                            policy.dir of the server."
    )]
    Apply {
        /// Why, for the history
        #[arg(long)]
        message: String,
    },
    /// Say whether somebody may do something
    #[command(
        after_help = "Examples:\n  boxvault policy can role:member delete box/debian12 --org \
                            acme\n  boxvault policy can anonymous read system/metrics --quiet && \
                            echo open\n\nExit codes: 0 yes; 1 no; 2 wrong words or files."
    )]
    Can {
        #[command(flatten)]
        question: QuestionArguments,
        /// Print nothing: the exit code says it
        #[arg(long, short)]
        quiet: bool,
    },
    /// Say who may do something, as far as the files know
    #[command(after_help = "Example:\n  boxvault policy who-can delete box/debian12 --org acme")]
    WhoCan {
        /// What is to be done: read, create, update, delete, upload, download, release, …
        action: String,
        /// What it is about, for instance box/debian12
        object: String,
        /// The organization; without one it is about the whole server
        #[arg(long, value_name = "NAME")]
        org: Option<String>,
    },
    /// List the rules that are about somebody
    #[command(after_help = "Example:\n  boxvault policy list group:ldap:builders,role:member")]
    List {
        /// Who: role:member, user:local:bob, …; several are separated by commas
        subject: String,
    },
    /// Say which rule decides, in which file and line, through which role; or why none does
    #[command(after_help = "Example:\n  boxvault policy explain role:member delete box/debian12 \
                            --org acme\n\nExit codes: 0 yes; 1 no; 2 wrong words or files.")]
    Explain(QuestionArguments),
    /// Ask what tests.csv and every *.tests.csv expect
    #[command(after_help = "Example:\n  boxvault policy test --dir ./candidate\n\nA line of \
                            tests.csv: role:member, acme, box/debian12, delete, deny\n\nExit \
                            codes: 0 all is as expected; 1 something is not; 2 the files cannot \
                            be read.")]
    Test,
    /// Print who may do what, as a table
    #[command(after_help = "Example:\n  boxvault policy matrix --dir ./candidate")]
    Matrix,
    /// Say which decisions change from one folder to another, or from what is in force to a folder
    #[command(
        after_help = "Examples:\n  boxvault policy diff policies ./candidate\n  boxvault policy \
                            diff ./candidate --server https://boxes.example.com:5001 --token-file \
                            ./token\n\nExit codes: 0 none; 1 some; 2 the files cannot be read."
    )]
    Diff {
        /// The folder before, or the only one: then the policy in force is what it is compared with
        before: PathBuf,
        /// The folder after
        after: Option<PathBuf>,
    },
    /// Write the files in their one form: comments, blank lines and the order stay
    #[command(
        after_help = "Examples:\n  boxvault policy fmt --check   say which files are not in \
                            it; changes nothing\n  boxvault policy fmt --dir ./candidate\n\nExit \
                            codes: 0 they are in that form now; 1 they are not, or have problems; \
                            2 they cannot be read or written."
    )]
    Fmt {
        /// Change nothing; the exit code is 1 when something would change
        #[arg(long)]
        check: bool,
    },
}

/// Who wants to do what to which thing.
#[derive(Debug, Args)]
struct QuestionArguments {
    /// Who: role:member, user:local:bob, …; several of one caller are separated by commas
    subject: String,
    /// What they want to do: read, create, update, delete, upload, download, release, …
    action: String,
    /// What it is about, for instance box/debian12/version/1.0.0
    object: String,
    /// The organization; without one it is about the whole server
    #[arg(long, value_name = "NAME")]
    org: Option<String>,
}

/// The answer of `check`, also where files are refused.
#[derive(Debug, Serialize)]
struct Checked {
    ok: bool,
    problems: Vec<Problem>,
    #[serde(flatten)]
    report: Option<CheckReport>,
}

/// The answer of `fmt`.
#[derive(Debug, Serialize)]
struct Formatted {
    changed: Vec<String>,
}

impl QuestionArguments {
    fn request(&self) -> Result<AccessRequest, CliError> {
        let Self { subject, action, object, org } = self;
        Ok(AccessRequest::parse(subject, org.as_deref(), object, action)?)
    }
}

pub(super) async fn run(arguments: PolicyArguments, config: &Config) -> Result<ExitCode, CliError> {
    let PolicyArguments { dir, remote, json, command } = arguments;
    let remote = remote.open().await?;
    match command {
        PolicyCommand::Files(command) => {
            let source = match (remote, dir) {
                (Some(remote), dir) => Source::Server(remote, dir),
                (None, dir) => Source::Folder(folder_in_force(dir, config)),
            };
            ask(&command, &source, json).await
        }
        PolicyCommand::Versions(command) => {
            let versions = match remote {
                Some(remote) => Versions::There(remote),
                None => Versions::Here(startup::open_app(config).await?),
            };
            policy_versions::run(command, dir, json, &versions, config).await
        }
    }
}

async fn ask(command: &FileCommand, source: &Source, json: bool) -> Result<ExitCode, CliError> {
    match command {
        FileCommand::Check => match source {
            Source::Server(remote, Some(dir)) => {
                let found = policy_source::check(remote, dir).await?;
                tell(json, &found.view, &found)?;
                Ok(verdict(found.view.valid))
            }
            source => check_here(&source.files().await?, &source.place(), json),
        },
        FileCommand::Apply { message } => {
            let Source::Server(remote, Some(dir)) = source else {
                return Err(CliError::ApplyWhere);
            };
            let view = policy_source::apply(remote, dir, message.clone()).await?;
            let text = format!("version {} is in force at {}", view.version, remote.address());
            tell(json, &view, text)?;
            Ok(ExitCode::SUCCESS)
        }
        FileCommand::Can { question, quiet } => {
            let request = question.request()?;
            let policy = policy_of(source, question.org.as_deref(), *quiet).await?;
            let explanation = explain(&policy, &request);
            if !quiet {
                let short = if explanation.allowed { "yes" } else { "no" };
                tell(json, &explanation, short)?;
            }
            Ok(verdict(explanation.allowed))
        }
        FileCommand::WhoCan { action, object, org } => {
            let policy = policy_of(source, org.as_deref(), false).await?;
            let who = who_can(&policy, org.as_deref(), object, action)?;
            tell(json, &who, &who)?;
            Ok(ExitCode::SUCCESS)
        }
        FileCommand::List { subject } => {
            let listing = list(&policy_of(source, None, false).await?, subject)?;
            tell(json, &listing, &listing)?;
            Ok(ExitCode::SUCCESS)
        }
        FileCommand::Explain(question) => {
            let request = question.request()?;
            let policy = policy_of(source, question.org.as_deref(), false).await?;
            let explanation = explain(&policy, &request);
            tell(json, &explanation, &explanation)?;
            Ok(verdict(explanation.allowed))
        }
        FileCommand::Test => {
            let report = Policy::test(&source.files().await?)?;
            tell(json, &report, &report)?;
            Ok(verdict(report.failures.is_empty()))
        }
        FileCommand::Matrix => {
            let matrix = matrix(&policy_of(source, None, false).await?);
            tell(json, &matrix, matrix.to_string().trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        FileCommand::Diff { before, after } => {
            compare(source, before, after.as_deref(), json).await
        }
        FileCommand::Fmt { check } => match source {
            Source::Folder(dir) => format(dir.as_deref(), *check, json),
            Source::Server(..) => Err(CliError::NotOnServer),
        },
    }
}

/// Compares two folders, or what is in force with the only one.
async fn compare(
    source: &Source,
    before: &Path,
    after: Option<&Path>,
    json: bool,
) -> Result<ExitCode, CliError> {
    let folder = |dir: &Path| Source::Folder(Some(dir.to_owned()));
    let (before, after) = match after {
        Some(after) => (&folder(before), folder(after)),
        None => (source, folder(before)),
    };
    let before = policy_of(before, None, false).await?;
    let difference = diff(&before, &policy_of(&after, None, false).await?);
    tell(json, &difference, &difference)?;
    Ok(verdict(difference.changes.is_empty()))
}

fn check_here(files: &PolicyFiles, place: &str, json: bool) -> Result<ExitCode, CliError> {
    let report = match check(files) {
        Err(PolicyError::Invalid { problems }) if json => {
            tell(json, &Checked { ok: false, problems, report: None }, "")?;
            return Ok(verdict(false));
        }
        result => result?,
    };
    for warning in report.warnings.iter().filter(|_| !json) {
        answer(format_args!("warning: {warning}"))?;
    }
    let CheckReport { rules, bindings, expectations, digest, .. } = &report;
    let text = format!(
        "OK: {place}: {rules} rules, {bindings} bindings, {expectations} expectations that hold, \
         digest {digest}"
    );
    tell(json, &Checked { ok: true, problems: Vec::new(), report: Some(report) }, text)?;
    Ok(verdict(true))
}

fn format(dir: Option<&Path>, check: bool, json: bool) -> Result<ExitCode, CliError> {
    let dir = dir.ok_or(CliError::NoPolicyFolder)?;
    let changed = format_dir(dir)?;
    if !check {
        for (name, text) in &changed {
            save_file(dir, name, text)?;
        }
    }
    let names: Vec<String> = changed.into_iter().map(|(name, _)| name).collect();
    let text = match (names.as_slice(), check) {
        ([], _) => "every file is in its one form".to_owned(),
        (names, true) => format!("would change: {}", names.join(", ")),
        (names, false) => format!("changed: {}", names.join(", ")),
    };
    let fine = names.is_empty() || !check;
    tell(json, &Formatted { changed: names }, text)?;
    Ok(verdict(fine))
}

/// The policy to ask. Files that a server would refuse are asked as well: that is when there are questions. It says so.
///
/// A server's organization is asked with the rules of its own.
async fn policy_of(source: &Source, org: Option<&str>, quiet: bool) -> Result<Policy, CliError> {
    let files = source.files().await.map_err(|error| match error {
        CliError::Policy(error) => CliError::PolicyUnusable(error),
        error => error,
    })?;
    let policy = Policy::draft(&files).map_err(CliError::PolicyUnusable)?;
    if !quiet && policy.verify().is_err() {
        let note = "note: a server would refuse these files; `boxvault policy check` says why";
        // an answer without its note is still an answer
        let _told = writeln!(io::stderr(), "{note}").is_ok();
    }
    match org {
        Some(org) => match source.own_rules(org).await? {
            Some(own) => Ok(policy.with_overlays(vec![own])),
            None => Ok(policy),
        },
        None => Ok(policy),
    }
}

pub(super) fn tell(json: bool, value: &impl Serialize, text: impl Display) -> Result<(), CliError> {
    if json {
        answer(serde_json::to_string_pretty(value).map_err(io::Error::from)?)
    } else {
        answer(text)
    }
}

fn verdict(fine: bool) -> ExitCode {
    if fine { ExitCode::SUCCESS } else { EXIT_FAILED.into() }
}

/// The folder that was asked for, or the configured one where it exists.
fn folder_in_force(asked: Option<PathBuf>, config: &Config) -> Option<PathBuf> {
    asked.or_else(|| Some(config.policy.dir.clone()).filter(|configured| configured.exists()))
}
