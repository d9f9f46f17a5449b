//! The command line: what can be asked of the program, and the answers that need no running server.
//!
//! A command's answer goes to standard output, alone, so that a script can take it; everything else
//! goes to standard error. Exit codes: 0 done, 1 failed or found something wrong, 2 wrong arguments
//! or configuration (and files that cannot be read, where the answer would be yes or no).

mod backup;
mod configuration;
mod import;
mod mail;
mod plugins;
mod policies;
mod policy_source;
mod policy_versions;
mod progress;
mod remote;
pub mod server;
mod storage;

use std::{
    fmt::Display,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use boxvault_catalog::Database;
use boxvault_policy::{PolicyError, QuestionError};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use self::server::ServerCommand;
use crate::{
    app::backup::BackupError,
    config::{Config, ConfigError, Inputs, Loaded, PluginEntry, Setting},
    error::AppError,
    http,
    startup::StartupError,
    telemetry::TelemetryError,
    upstream::UpstreamError,
};

/// The commit that the program was built from, where the build said so in `BOXVAULT_COMMIT`.
pub const COMMIT: Option<&str> = option_env!("BOXVAULT_COMMIT");

/// What a command that ran and found something wrong returns to the shell.
pub const EXIT_FAILED: u8 = 1;

/// What wrong arguments or a wrong configuration return to the shell.
pub const EXIT_USAGE: u8 = 2;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// There is a question and no policy to ask: neither yes nor no.
    #[error("the policy cannot be asked: {0}")]
    PolicyUnusable(#[source] PolicyError),
    /// A question to the policy makes no sense.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// There are no policy files to work on.
    #[error("there is no folder of policy files; name one with --dir, or set policy.dir")]
    NoPolicyFolder,
    /// The files that a server has are not in a folder here.
    #[error("fmt works on files; leave --server out")]
    NotOnServer,
    /// Two policies are named, and one is asked.
    #[error("ask either the files of --dir or --server; only check and apply take both")]
    FolderOrServer,
    /// A change needs files and a server.
    #[error("name the files with --dir, and the server with --server")]
    ApplyWhere,
    /// A server gave no answer.
    #[error(transparent)]
    Remote(#[from] remote::RemoteError),
    /// A plugin cannot be used.
    #[error(transparent)]
    Plugin(#[from] boxvault_plugin_host::LoadError),
    /// Plugins refuse what the configuration says to them, a line for each problem.
    #[error("{0}")]
    PluginTables(String),
    /// A file that a command about plugins was told to read, or to write.
    #[error("{}: {reason}", file.display())]
    PluginFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no way to slow and cut the network of a plugin.
    #[error("--network {key}: {reason}")]
    PluginNetwork {
        /// The key of the plugin's table.
        key: String,
        /// Why not.
        reason: String,
    },
    /// The process of a plugin could not serve it.
    #[error("could not serve a plugin")]
    PluginProcess(#[source] io::Error),
    /// A part of the server could not be opened.
    #[error(transparent)]
    Startup(#[from] StartupError),
    /// The application refused.
    #[error(transparent)]
    App(#[from] AppError),
    /// Log lines have nowhere to go.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The API document could not be written as JSON.
    #[error("could not write the API document")]
    Document(#[from] serde_json::Error),
    /// There is an account already, and so no set-up token.
    #[error("this server is set up already; sign in, or use `boxvault user create`")]
    SetUpAlready,
    /// Another registry cannot be read.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// It is not said who gets the boxes.
    #[error("the address does not say which organization gets the boxes; name it with --org")]
    ImportWhere,
    /// A file that an argument names cannot be used.
    #[error("cannot use {}", path.display())]
    ImportFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There is no backup, or nothing comes out of one.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A database that has tools of its own.
    #[error(
        "{0} is backed up with its own tool (pg_dump, mariadb-dump): give --files-only for the files; \
         `boxvault backup --help` tells in which order"
    )]
    BackupOfDatabase(Database),
    /// There is something already.
    #[error(
        "there is a catalog already: {}; restore into an empty server.data_dir, or move it away first",
        .0.display()
    )]
    RestoreOver(PathBuf),
    /// The catalog of a backup fits SQLite alone.
    #[error("the catalog in this backup is one of SQLite, and database.url names another database")]
    RestoreNeedsSqlite,
    /// The catalog is elsewhere.
    #[error(
        "there are only files in this backup: restore the database with its own tool, and name it in database.url"
    )]
    RestoreNeedsDatabase,
    /// There was nothing to read.
    #[error("could not read standard input")]
    Input(#[source] io::Error),
    /// Somebody stopped a command that can be given again.
    #[error("stopped; what is done stays done, and the same command goes on with the rest")]
    Interrupted,
    /// The answer could not be written.
    #[error("could not write to standard output")]
    Output(#[from] io::Error),
}

impl CliError {
    /// What the process returns to the shell.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Config(_)
            | Self::PluginTables(_)
            | Self::PluginFile { .. }
            | Self::PluginNetwork { .. }
            | Self::PolicyUnusable(_)
            | Self::Policy(PolicyError::Unreadable { .. } | PolicyError::Unwritable { .. })
            | Self::Question(_)
            | Self::NoPolicyFolder
            | Self::NotOnServer
            | Self::FolderOrServer
            | Self::ApplyWhere
            | Self::ImportWhere
            | Self::ImportFile { .. }
            | Self::Upstream(_)
            | Self::Remote(_) => EXIT_USAGE,
            _ => EXIT_FAILED,
        })
    }
}

const AFTER_HELP: &str = "\
Examples:
  boxvault                                      start the server with ./config.toml, if there is one
  boxvault --bind 0.0.0.0 --public-url https://boxes.example.com:5001
                                                start it for the whole network
  boxvault --config /etc/boxvault/config.toml config check
                                                say everything that is wrong with a configuration
  boxvault config show --origin                 show every setting and where it came from

Every key of the configuration is also a variable and an argument. These are the same:
  [limits] upload_bytes_max = \"10 GiB\"          in config.toml
  BOXVAULT_LIMITS__UPLOAD_BYTES_MAX='10 GiB'    in the environment
  --set limits.upload_bytes_max='10 GiB'        as an argument

Exit codes: 0 done; 1 failed, or found something wrong; 2 wrong arguments or configuration.";

/// A self-hosted registry for Vagrant boxes. Without a command: starts the server.
#[derive(Debug, Parser)]
#[command(name = "boxvault", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Arguments of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Configuration (with every command)")]
pub struct Options {
    /// Read this file instead of the one in `BOXVAULT_CONFIG`, or ./config.toml
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Set a key of the configuration; may be given several times
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Keep everything in this folder (`server.data_dir`)
    #[arg(long, global = true, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// Listen on this address; 0.0.0.0 is all (`server.bind`)
    #[arg(long, global = true, value_name = "ADDRESS")]
    bind: Option<String>,
    /// Plain HTTP on this port or address, or "off" (`server.http_listen`)
    #[arg(long, global = true, value_name = "PORT")]
    http_listen: Option<String>,
    /// HTTPS on this port or address, or "off" (`server.https_listen`)
    #[arg(long, global = true, value_name = "PORT")]
    https_listen: Option<String>,
    /// How clients reach the server (`server.public_url`)
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
}

/// Everything that can be asked for.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check or show the configuration
    #[command(subcommand)]
    Config(configuration::ConfigCommand),
    /// Ask who may do what; check, test, compare and print the policy files; go back to an earlier version
    Policy(Box<policies::PolicyArguments>),
    /// Look at plugin libraries, judge them, and begin new ones
    #[command(subcommand)]
    Plugin(plugins::PluginCommand),
    /// Serve one plugin to a server that has started this process; nobody else starts it
    #[command(
        hide = true,
        after_help = "Used by boxvault itself, for plugins with isolation = \"process\"."
    )]
    PluginProcess,
    /// Print the API document, OpenAPI 3.1 as JSON
    #[command(after_help = "Example:\n  boxvault openapi > openapi.json")]
    Openapi,
    /// Commands that start the server or work on its data
    #[command(flatten)]
    Server(ServerCommand),
}

/// The two kinds of plugins, as arguments name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Where bytes lie
    Storage,
    /// How people sign in
    Auth,
}

impl Options {
    /// Reads, merges and checks the configuration.
    ///
    /// # Errors
    ///
    /// Every problem, with its place.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        Inputs::of_process(self.config.clone(), self.settings()).load()
    }

    /// The keys that arguments set; the ones with an argument of their own last, so that they win.
    fn settings(&self) -> Vec<Setting> {
        let setting = |argument: &str, key: &str, value: &str| Setting {
            argument: argument.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let named = [
            ("--data-dir", "server.data_dir", &self.data_dir),
            ("--bind", "server.bind", &self.bind),
            ("--http-listen", "server.http_listen", &self.http_listen),
            ("--https-listen", "server.https_listen", &self.https_listen),
            ("--public-url", "server.public_url", &self.public_url),
        ];
        let named = named.iter().filter_map(|(argument, key, value)| {
            value.as_ref().map(|value| setting(argument, key, value))
        });
        self.set.iter().map(|(key, value)| setting("--set", key, value)).chain(named).collect()
    }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or(
        "write a key, = and a value, for instance limits.upload_bytes_max='10 GiB'".to_owned(),
    )?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl Cli {
    /// Reads the arguments of this process; prints help, version and mistakes, and ends the process
    /// for them.
    pub fn of_process() -> Self {
        let mut command = Self::command();
        if let Some(commit) = COMMIT {
            // clap wants a text that lives as long as the process, and this one does.
            command = command.version(&*format!("{} ({commit})", env!("CARGO_PKG_VERSION")).leak());
        }
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// Does what was asked for.
///
/// # Errors
///
/// When it could not be done. What a command found wrong (`policy check`) is an exit code instead.
pub async fn run(cli: Cli) -> Result<ExitCode, CliError> {
    match cli.command.unwrap_or(Command::Server(ServerCommand::Serve)) {
        Command::Config(command) => configuration::run(&command, cli.options.load()).await,
        Command::Policy(arguments) => policies::run(*arguments, &cli.options.load()?.config).await,
        Command::Plugin(command) => Box::pin(plugins::run(command, cli.options)).await,
        Command::PluginProcess => {
            boxvault_plugin_host::serve().await.map_err(CliError::PluginProcess)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            answer(http::document_json()?.trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Server(command) => Box::pin(server::run(command, cli.options.load()?)).await,
    }
}

/// Writes a command's answer. Where nobody reads any more (`boxvault … | head`), that is no failure.
fn answer(text: impl Display) -> Result<(), CliError> {
    let mut output = io::stdout().lock();
    match writeln!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// All entries of the configuration that use a plugin, by their keys, with the plugin's kind.
fn plugin_entries(config: &Config) -> impl Iterator<Item = (String, Kind, &PluginEntry)> {
    let stores =
        config.stores.iter().map(|(name, entry)| (format!("stores.{name}"), Kind::Storage, entry));
    let providers = config
        .auth
        .providers
        .iter()
        .map(|(name, entry)| (format!("auth.providers.{name}"), Kind::Auth, entry));
    stores.chain(providers)
}

#[cfg(test)]
mod tests;
