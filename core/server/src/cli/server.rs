//! Commands that start the server or work on its data: what they are called and what they take.
//!
//! Except for `serve`, they work beside a running server as well as without one.

use std::{
    fmt::Write,
    io::{self, BufRead, Read},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use boxvault_types::{
    action::Action,
    byte_count::ByteCount,
    identity::TokenScope,
    names::UserName,
    params::account::{CreateUserParams, Secret},
};
use clap::{Args, Subcommand};
use tracing::warn;

use super::{
    CliError, EXIT_FAILED, answer,
    backup::{self, AFTER_BACKUP, AFTER_RESTORE, BackupArguments, RestoreArguments},
    import::{self, ImportArguments},
    mail::{self, MailCommand},
    storage::{self, StorageCommand},
};
use crate::{
    app::{
        App,
        audit::By,
        fsck::{Depth, FsckReport},
        sweep::Swept,
    },
    config::{Config, HumanDuration, Loaded, LogConfig},
    startup, telemetry,
};

/// What fits into a request to sign in; more is no password.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Commands that need the catalog, the stores and the policy.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Start the server; what happens without a command, too
    #[command(after_help = "Examples:\n  boxvault serve\n  boxvault serve --data-dir \
                            /var/lib/boxvault --bind 0.0.0.0")]
    Serve,
    /// Bring the catalog to this version's form, and end; serving does so, too
    #[command(after_help = "Example:\n  boxvault --config /etc/boxvault/config.toml migrate")]
    Migrate,
    /// Make accounts
    #[command(subcommand)]
    User(UserCommand),
    /// Make access tokens
    #[command(subcommand)]
    Token(TokenCommand),
    /// Set a new server up
    #[command(subcommand)]
    Setup(SetupCommand),
    /// Exchange the keys of the server
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Try the mail settings, and see what could not be sent
    #[command(subcommand)]
    Mail(MailCommand),
    /// See what the stores hold, verify and sweep it, and move files from store to store
    #[command(subcommand)]
    Storage(StorageCommand),
    /// Bring the boxes of another registry over, once; what is here already stays
    #[command(
        after_help = "Examples:\n  boxvault import https://vagrantcloud.com/debian --dry-run\n  \
                            boxvault import https://old.example.com/acme --org acme --token-file \
                            token\n  boxvault import https://example.com/boxes/debian.json --org \
                            acme --only debian\n\nIt can be run again at any time: it goes on \
                            where it stopped."
    )]
    Import(ImportArguments),
    /// Copy everything into a folder, while the server runs
    #[command(after_help = AFTER_BACKUP)]
    Backup(BackupArguments),
    /// Bring back what a backup holds
    #[command(after_help = AFTER_RESTORE)]
    Restore(RestoreArguments),
    /// Remove what failed uploads and deleted boxes left behind; `storage sweep` does the same
    #[command(after_help = "Example:\n  boxvault sweep --older-than '2 days'")]
    Sweep(SweepArguments),
    /// Compare the catalog with the stores, and say what is missing, damaged or left over
    #[command(
        after_help = "Examples:\n  boxvault fsck            quick: every file is there and has \
                            its size\n  boxvault fsck --rehash   slow: every file is read and has \
                            its digest"
    )]
    Fsck(FsckArguments),
}

/// What can be done with accounts.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Make an account, or give an existing one this password and e-mail address
    #[command(after_help = "Example:\n  printf '%s' \"$PASSWORD\" | boxvault user create ann \
                            --email ann@example.com --platform-admin --password-stdin")]
    Create(CreateUserArguments),
}

/// A new account.
#[derive(Debug, Args)]
pub struct CreateUserArguments {
    /// The name to sign in with
    name: UserName,
    /// Where to reach them
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    /// Let them administer the whole server
    #[arg(long)]
    platform_admin: bool,
    /// Read the password from standard input, up to the first line end; arguments would show it to
    /// every user of this machine
    #[arg(long, required = true)]
    password_stdin: bool,
}

/// What can be done with access tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make an access token, and print it alone on standard output; it cannot be shown again
    #[command(
        after_help = "Example:\n  export VAGRANT_CLOUD_TOKEN=$(boxvault token create --user \
                            ann --description ci --expires '90 days')"
    )]
    Create(CreateTokenArguments),
}

/// A new access token.
#[derive(Debug, Args)]
pub struct CreateTokenArguments {
    /// Whose rights it has
    #[arg(long, value_name = "NAME")]
    pub user: UserName,
    /// What it is for, to tell it from others
    #[arg(long, value_name = "TEXT", default_value = "made on the command line")]
    pub description: String,
    /// How long it is good for, in whole days, such as "90 days" [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = whole_days)]
    pub expires: Option<u32>,
}

/// What can be done with the keys of the server.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Sign access tokens with a new key from now on; nobody is signed out
    #[command(after_help = "Example:\n  boxvault keys rotate")]
    Rotate,
}

/// What can be done with a new server.
#[derive(Debug, Subcommand)]
pub enum SetupCommand {
    /// Print a new one-time set-up token, alone on standard output; earlier ones end
    #[command(after_help = "Example:\n  boxvault setup token")]
    Token,
}

/// What to sweep.
#[derive(Debug, Args)]
pub struct SweepArguments {
    /// Only what is older than this [default: the key `limits.uploads_abandoned_after`]
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<HumanDuration>,
}

/// How thoroughly to compare.
#[derive(Debug, Args)]
pub struct FsckArguments {
    /// Read every file and compare its digest
    #[arg(long)]
    pub rehash: bool,
}

/// The log of a command that does one thing and ends, while the configuration asks for no other.
const QUIET: &str = "warn";

/// Does what was asked for, with log lines on standard error.
pub(super) async fn run(command: ServerCommand, mut loaded: Loaded) -> Result<ExitCode, CliError> {
    if !matches!(command, ServerCommand::Serve)
        && loaded.config.log.filter == LogConfig::default().filter
    {
        QUIET.clone_into(&mut loaded.config.log.filter);
    }
    telemetry::init(&loaded.config.log)?;
    for warning in &loaded.warnings {
        warn!("{warning}");
    }
    let config = &loaded.config;
    match command {
        ServerCommand::Serve => startup::serve(loaded).await?,
        // Opening brings the catalog up to date, and proves that the rest can be used.
        ServerCommand::Migrate => {
            drop(startup::open_app(config).await?);
            answer("the catalog is up to date")?;
        }
        ServerCommand::User(UserCommand::Create(arguments)) => {
            create_user(arguments, config).await?;
        }
        ServerCommand::Token(TokenCommand::Create(arguments)) => {
            create_token(arguments, config).await?;
        }
        ServerCommand::Setup(SetupCommand::Token) => {
            let app = startup::open_app(config).await?;
            let token = app.new_setup_token().await?.ok_or(CliError::SetUpAlready)?;
            app.record_command(Action::Update, "setup").await?;
            answer(token)?;
        }
        ServerCommand::Keys(KeysCommand::Rotate) => {
            let app = startup::open_app(config).await?;
            app.rotate_signing_key(Duration::ZERO, By::Command).await?;
            answer("a new key signs access tokens; running servers take it within a minute")?;
        }
        ServerCommand::Mail(command) => {
            return mail::run(command, &*startup::open_app(config).await?).await;
        }
        ServerCommand::Storage(command) => {
            return storage::run(command, &startup::open_app(config).await?).await;
        }
        ServerCommand::Import(arguments) => {
            let app = startup::open_app(config).await?;
            return Box::pin(import::run(arguments, &app)).await;
        }
        ServerCommand::Backup(arguments) => {
            return Box::pin(backup::back_up(arguments, config)).await;
        }
        ServerCommand::Restore(arguments) => {
            return Box::pin(backup::restore(arguments, config)).await;
        }
        ServerCommand::Sweep(arguments) => {
            let app = startup::open_app(config).await?;
            answer(swept_text(sweep_older_than(&app, arguments.older_than).await?))?;
        }
        ServerCommand::Fsck(arguments) => {
            let app = startup::open_app(config).await?;
            return fsck(&app, &arguments).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn create_user(arguments: CreateUserArguments, config: &Config) -> Result<(), CliError> {
    let params = arguments.params(io::stdin().lock()).map_err(CliError::Input)?;
    let name = params.username.clone();
    let app = startup::open_app(config).await?;
    let is_new = app.create_user_offline(params).await?;
    let (action, done) =
        if is_new { (Action::Create, "made") } else { (Action::Update, "updated") };
    app.record_command(action, &format!("user/{}", name.key())).await?;
    answer(format_args!("{done} the account {name}"))
}

async fn create_token(arguments: CreateTokenArguments, config: &Config) -> Result<(), CliError> {
    let app = startup::open_app(config).await?;
    let CreateTokenArguments { user, description, expires } = arguments;
    let user = app.user_by_name(&user).await?;
    let scope = TokenScope::default();
    let made = app.create_token_for(user.id, description, expires, scope).await?;
    let object = format!("user/{}/token/{}", user.name.key(), made.info.id);
    app.record_command(Action::Create, &object).await?;
    answer(made.token)
}

pub(super) async fn sweep_older_than(
    app: &Arc<App>,
    age: Option<HumanDuration>,
) -> Result<Swept, CliError> {
    let mut options = app.sweep_options();
    if let Some(age) = age {
        options.uploads_older_than = age.get();
        options.blobs_unreferenced_for = age.get();
    }
    Ok(app.sweep(options).await?)
}

pub(super) fn swept_text(swept: Swept) -> String {
    format!(
        "removed {} uploads, {} deleted boxes, {} blobs and {} leftover objects",
        swept.uploads, swept.boxes, swept.blobs, swept.objects
    )
}

/// Damage is a failure; leftovers are not, because sweeping removes them.
async fn fsck(app: &App, arguments: &FsckArguments) -> Result<ExitCode, CliError> {
    let depth = if arguments.rehash { Depth::Digest } else { Depth::Length };
    let report = app.fsck(depth, |_| ()).await?;
    answer(fsck_text(&report).trim_end())?;
    Ok(if report.damaged.is_empty() { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
}

pub(super) fn fsck_text(report: &FsckReport) -> String {
    let mut text = String::new();
    let findings = [("damaged", &report.damaged), ("left over", &report.leftovers)];
    for (kind, findings) in findings {
        for finding in findings {
            writeln!(
                text,
                "{kind}: {} in store {:?}: {}",
                finding.key, finding.store, finding.problem
            )
            .expect("a String takes every line");
        }
    }
    let verdict = if report.damaged.is_empty() { "clean" } else { "DAMAGED" };
    let (files, bytes) = (report.files, ByteCount(report.bytes));
    let (damaged, leftovers) = (report.damaged.len(), report.leftovers.len());
    writeln!(
        text,
        "{verdict}: {files} files ({bytes}) looked at, {damaged} damaged, {leftovers} left over"
    )
    .expect("a String takes every line");
    text
}

impl CreateUserArguments {
    /// What the arguments and standard input ask for.
    ///
    /// # Errors
    ///
    /// When there is no password to read.
    pub fn params(self, mut input: impl BufRead) -> io::Result<CreateUserParams> {
        let mut password = String::new();
        input.by_ref().take(PASSWORD_BYTES_MAX).read_line(&mut password)?;
        let password = password.trim_end_matches(['\r', '\n']);
        if password.is_empty() {
            return Err(io::Error::other("there is no password on standard input"));
        }
        Ok(CreateUserParams {
            username: self.name,
            email: self.email,
            password: Some(Secret::new(password.to_owned())),
            name: None,
            platform_admin: self.platform_admin,
        })
    }
}

fn whole_days(text: &str) -> Result<u32, String> {
    const DAY_SECONDS: u64 = 86_400;
    let duration: HumanDuration = text.parse().map_err(|error| format!("{error}"))?;
    let seconds = duration.get().as_secs();
    let days = u32::try_from(seconds / DAY_SECONDS).ok();
    days.filter(|days| *days > 0 && seconds.is_multiple_of(DAY_SECONDS))
        .ok_or_else(|| format!("\"{text}\" is not a number of whole days: write \"90 days\""))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::app::fsck::Finding;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(subcommand)]
        command: ServerCommand,
    }

    fn parse(line: &str) -> Result<ServerCommand, clap::Error> {
        Line::try_parse_from(line.split('|')).map(|line| line.command)
    }

    fn create_user(line: &str) -> CreateUserArguments {
        match parse(line) {
            Ok(ServerCommand::User(UserCommand::Create(arguments))) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_password_is_the_first_line_of_standard_input() {
        let line = "boxvault|user|create|ann|--email|ann@example.com|--password-stdin";
        for (input, password) in
            [("correct horse\n", "correct horse"), ("no end", "no end"), ("a b \r\nc", "a b ")]
        {
            let params = create_user(line).params(input.as_bytes()).unwrap();
            assert_eq!(params.password.unwrap().expose(), password);
            assert_eq!(params.username.as_str(), "ann");
            assert!(!params.platform_admin);
        }
        for input in ["", "\n", "\r\nsecond line"] {
            assert!(create_user(line).params(input.as_bytes()).is_err(), "{input:?}");
        }
    }

    #[test]
    fn a_password_is_never_an_argument() {
        assert!(parse("boxvault|user|create|ann|--email|ann@example.com").is_err());
        assert!(parse("boxvault|user|create|ann|--email|a@b|--password|secret").is_err());
    }

    #[test]
    fn a_token_expires_after_whole_days() {
        let expires =
            |text: &str| match parse(&format!("boxvault|token|create|--user|ann|--expires|{text}"))
            {
                Ok(ServerCommand::Token(TokenCommand::Create(arguments))) => arguments.expires,
                Ok(other) => panic!("{other:?}"),
                Err(_) => None,
            };
        assert_eq!(expires("90 days"), Some(90));
        assert_eq!(expires("48 h"), Some(2));
        for text in ["90", "30 h", "0 days", "12 h"] {
            assert_eq!(expires(text), None, "{text}");
        }
    }

    #[test]
    fn a_check_says_what_is_damaged_and_ends_with_its_verdict() {
        let finding = |problem: &str| Finding {
            store: "main".to_owned(),
            key: "blobs/ab/1".to_owned(),
            problem: problem.to_owned(),
        };
        let mut report = FsckReport { files: 2, bytes: 4096, ..FsckReport::default() };
        assert_eq!(
            fsck_text(&report),
            "clean: 2 files (4 KiB) looked at, 0 damaged, 0 left over\n"
        );
        report.damaged.push(finding("it is missing"));
        let text = fsck_text(&report);
        let first = "damaged: blobs/ab/1 in store \"main\": it is missing\n";
        assert!(text.starts_with(first) && text.contains("\nDAMAGED: "), "{text}");
    }

    #[test]
    fn ages_are_written_with_their_unit() {
        let Ok(ServerCommand::Sweep(arguments)) = parse("boxvault|sweep|--older-than|2 days")
        else {
            panic!("not a sweep");
        };
        assert_eq!(arguments.older_than, Some(HumanDuration::from_days(2)));
        assert!(parse("boxvault|sweep|--older-than|2").is_err());
        assert!(parse("boxvault|user|create|a/b|--email|a@b|--password-stdin").is_err());
    }
}
