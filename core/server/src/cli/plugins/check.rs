//! `boxvault plugin check`: the conformance kit as a command.

use std::{fmt, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use boxvault_plugin_conformance::{
    CaseReport, Outcome, Report, auth,
    faults::{self, Bench, Victim},
    storage,
};
use boxvault_plugin_host::{
    HostOptions, Isolation, IsolationOptions, PluginCounters, PluginHost, PluginInfo, PluginKind,
    PluginSource, Provider, Store,
};
use boxvault_plugin_sdk::{AuthProvider, PluginError, StorageBackend};
use boxvault_types::views::plugins::{CaseOutcome, CaseView, ConformanceView, SuiteView};
use chrono::Utc;
use clap::{Args, ValueEnum};
use futures_util::{
    StreamExt as _, TryStreamExt as _,
    future::{join, join_all},
    stream,
};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{
    CliError, EXIT_FAILED, PluginArgument, Shown, abi, answer,
    network::{Network, Way, Ways},
    people::People,
    read_toml,
};
use crate::{
    app::plugins::reports::Reports, config::Config, data_dir::DataDir, startup::StartupError,
};

/// Calls that were given up have ended by then.
const CALLS_END_TIMEOUT: Duration = Duration::from_secs(20);
const CALLS_END_PAUSE: Duration = Duration::from_millis(20);
/// A process that the faults have killed is started again after this; they kill more than a dozen.
const RESTART_WAIT: Duration = Duration::from_millis(10);

pub(super) const AFTER_HELP: &str = "\
Examples:
  boxvault plugin check fs --config fs.toml        fs.toml: root = \"/tmp/somewhere\"
  boxvault plugin check ./libboxvault_storage_attic.so --config attic.toml --format json
  boxvault plugin check s3 --config s3.toml --network endpoint --keep
  boxvault plugin check ldap --config ldap.toml --people people.toml --network urls
  boxvault plugin check oidc --config oidc.toml --people people.toml --network issuer=127.0.0.1:8443

With --keep, GET /api/admin/plugins and the web page tell what was found, as long as the library stays the same. The
folder is that of server.data_dir, so run it where the server runs, or name it: --set server.data_dir=PATH.

Everything that is written lies under conformance/ and probe/, and is removed. The people of an auth plugin:
  user = { username = \"ann\", password = \"correct horse\" }
  claims = { issuer = \"…\", subject = \"…\", username = \"ann\", groups = [\"staff\"] }
  disabled = { username = \"bob\", password = \"battery staple\" }
  redirect = { driver = [\"./browser\"], callback_url = \"https://…\" }    for one that sends people to another site:
      a program that signs in there as it is told on its standard input (plugins/README.md)

Exit codes: 0 every promise holds; 1 one does not, or the plugin cannot be used.";

/// Which plugin to judge, and with what.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    plugin: PluginArgument,
    /// The plugin's own table, as TOML: what stands in [stores.NAME] beside `plugin`
    #[arg(id = "config", long = "config", value_name = "FILE")]
    table: Option<PathBuf>,
    /// Who an auth plugin knows, as TOML; without it, only its table is judged
    #[arg(long, value_name = "FILE")]
    people: Option<PathBuf>,
    /// The key of the table that names the service; the way there is slowed and cut, too. With =HOST:PORT the service
    /// listens there, and the key names where a tunnel to it is opened
    #[arg(long, value_name = "KEY[=HOST:PORT]")]
    network: Option<Network>,
    /// The store forgets everything with its process, and is meant to
    #[arg(long)]
    forgets: bool,
    /// Where the plugin runs while it is judged
    #[arg(long, default_value = "none")]
    isolation: Where,
    /// Leave what was found in the server's data folder, so that its administrators see it
    #[arg(long)]
    keep: bool,
    /// How to print what was found
    #[arg(long, default_value = "text")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Where {
    /// In this process
    None,
    /// In a process of its own
    Process,
    /// First in this process, then in one of its own
    Both,
}

impl Where {
    /// How the report calls it.
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
            Self::Both => "both",
        }
    }

    fn places(self) -> &'static [Isolation] {
        match self {
            Self::None => &[Isolation::None],
            Self::Process => &[Isolation::Process],
            Self::Both => &[Isolation::None, Isolation::Process],
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// What was found.
#[derive(Serialize)]
struct Checked {
    plugin: Shown,
    isolation: &'static str,
    capabilities: Abilities,
    suites: Vec<Report>,
    passed: bool,
}

/// What a plugin can do.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Abilities {
    declared: Vec<&'static str>,
    working: Vec<&'static str>,
    switched_off: Vec<SwitchedOff>,
}

/// What it declares, and does not do.
#[derive(Serialize)]
struct SwitchedOff {
    capability: String,
    reason: String,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { name, kind, version, abi, path, .. } = &self.plugin;
        writeln!(f, "{kind} plugin {name} {version}")?;
        let (path, isolation) = (path.display(), self.isolation);
        writeln!(f, "  {path}, contract {abi}, isolation {isolation}")?;
        writeln!(f, "  declares: {}", self.capabilities.declared.join(", "))?;
        for SwitchedOff { capability, reason } in &self.capabilities.switched_off {
            writeln!(f, "  NOT TRUE: {capability}: {reason}")?;
        }
        for report in &self.suites {
            writeln!(f, "\n{report}")?;
        }
        write!(f, "\n{}", if self.passed { "passed" } else { "FAILED" })
    }
}

impl Checked {
    /// What administrators see of it.
    fn view(&self) -> ConformanceView {
        ConformanceView {
            checked_at: Utc::now(),
            version: self.plugin.version.clone(),
            isolation: self.isolation.to_owned(),
            passed: self.passed,
            suites: self.suites.iter().map(suite_view).collect(),
        }
    }
}

fn suite_view(report: &Report) -> SuiteView {
    let cases = report.cases.iter().map(|CaseReport { name, outcome }| {
        let (outcome, reason) = match outcome.clone() {
            Outcome::Passed => (CaseOutcome::Passed, None),
            Outcome::Failed { reason } => (CaseOutcome::Failed, Some(reason)),
            Outcome::NotClaimed { claim } => (CaseOutcome::NotClaimed, Some(claim)),
            Outcome::Skipped { reason } => (CaseOutcome::Skipped, Some(reason)),
        };
        CaseView { name: name.to_string(), outcome, reason }
    });
    SuiteView { suite: report.suite.to_string(), cases: cases.collect() }
}

/// Opens the plugin in every way that the suites need.
struct Kit {
    config: Config,
    /// Of all that runs in this process.
    host: PluginHost,
    source: PluginSource,
    table: Value,
    /// One place or two, each with other results.
    places: &'static [Isolation],
    forgets: bool,
    ways: Option<Ways>,
}

pub(super) async fn run(arguments: CheckArguments, config: &Config) -> Result<ExitCode, CliError> {
    let CheckArguments { plugin, table, people, network, forgets, isolation, keep, format } =
        arguments;
    let table = match &table {
        Some(file) => read_toml(file).await?,
        None => json!({}),
    };
    let people = match &people {
        Some(file) => Some(read_toml::<People>(file).await?.into_fixture()?),
        None => None,
    };
    let host = PluginHost::new(config.plugins.host_options());
    let kind = plugin.kind(&host, config).await?;
    let source = config.plugins.source(&plugin.plugin);
    let info = host.inspect(source.clone(), kind).await?;
    let digest = if keep {
        // rather now than after minutes
        DataDir::open(&config.server.data_dir).map_err(StartupError::from)?;
        digest(&info).await?
    } else {
        None
    };
    host.check_config(source.clone(), kind, &table).await?;
    let ways = match network {
        // before anything else: the table may lead there
        Some(network) => Some(Ways::of(network, &table, &info.config_schema).await?),
        None => None,
    };
    let judged = abi::run(config, &plugin.plugin, kind, &table).await?;
    // what has taken a process with it does not get this one
    let isolation = if judged.crashed { Where::Process } else { isolation };
    let places = isolation.places();
    let kit = Kit { config: config.clone(), host, source, table, places, forgets, ways };
    let (capabilities, mut suites) = match kind {
        PluginKind::Storage => kit.storage().await?,
        PluginKind::Auth => kit.auth(people).await?,
    };
    let mut report = judged.report;
    report.cases.push(kit.counted().await);
    suites.insert(0, report);
    let is_honest = capabilities.switched_off.is_empty();
    let passed = is_honest && suites.iter().all(Report::passed);
    let plugin = Shown::of(&info);
    let checked = Checked { plugin, isolation: isolation.as_str(), capabilities, suites, passed };
    match format {
        Format::Text => answer(&checked)?,
        Format::Json => answer(serde_json::to_string_pretty(&checked)?)?,
    }
    if let Some(digest) = digest {
        let reports = Reports::of(&config.server.data_dir);
        let kept =
            reports.keep(&digest, &checked.view()).map_err(|error| CliError::PluginFile {
                file: config.server.data_dir.clone(),
                reason: format!("the report could not be kept: {error}"),
            })?;
        if format == Format::Text {
            answer(format_args!("kept in {}", kept.display()))?;
        }
    }
    Ok(if passed { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILED) })
}

/// Names the bytes that are judged.
async fn digest(info: &PluginInfo) -> Result<Option<String>, CliError> {
    let unreadable = |reason: String| CliError::PluginFile { file: info.path.clone(), reason };
    let digest = info.digest().await.map_err(|error| unreadable(error.to_string()))?;
    let replaced = || unreadable("it is being replaced; judge it when that is done".to_owned());
    digest.ok_or_else(replaced).map(Some)
}

fn plain(error: &boxvault_plugin_host::LoadError) -> PluginError {
    PluginError::unexpected(error.to_string())
}

/// The reports of each place. What ran in a second one has a name of its own.
fn named(reports: Vec<Report>) -> impl Iterator<Item = Report> {
    reports.into_iter().enumerate().map(|(place, report)| match place {
        0 => report,
        _ => Report { suite: format!("{}-isolated", report.suite).into(), ..report },
    })
}

/// What is left to say of a store that keeps nothing.
fn not_usable(error: &PluginError) -> Report {
    let outcome = Outcome::Failed { reason: error.to_string() };
    let cases = vec![CaseReport { name: "a_small_object_can_be_written_and_read".into(), outcome }];
    Report { suite: "storage".into(), cases }
}

impl Kit {
    /// What the host counted while all the suites ran, as one more case of the table.
    async fn counted(&self) -> CaseReport {
        let name = "no_call_of_any_suite_panicked_or_broke_the_contract_and_all_have_ended";
        let outcome = if self.places.contains(&Isolation::None) {
            // what was given up may still be on its way
            let ended = async {
                while self.host.plugins().iter().any(|(_, counters)| counters.in_flight > 0) {
                    sleep(CALLS_END_PAUSE).await;
                }
            };
            let open = timeout(CALLS_END_TIMEOUT, ended).await.is_err();
            let sum = |which: fn(&PluginCounters) -> u64| -> u64 {
                self.host.plugins().iter().map(|(_, counters)| which(counters)).sum()
            };
            let (panics, broken) = (sum(|all| all.panics), sum(|all| all.violations));
            if open || panics + broken > 0 {
                let open = if open { "some are" } else { "none is" };
                let reason = format!("{panics} panicked, {broken} broke it, {open} open still");
                Outcome::Failed { reason }
            } else {
                Outcome::Passed
            }
        } else {
            Outcome::Skipped { reason: "nothing ran in this process".to_owned() }
        };
        CaseReport { name: name.into(), outcome }
    }

    /// Whether all that the plugin does goes by one tunnel.
    fn has_one_way(&self) -> bool {
        self.ways.as_ref().is_some_and(Ways::is_one)
    }

    /// In how many places the network may fail at once.
    fn ways_at_once(&self) -> usize {
        if self.has_one_way() { 1 } else { self.places.len() }
    }

    /// A host of processes that may write files of so many bytes, and are started again soon.
    fn host_for_faults(&self, file_bytes_max: Option<u64>) -> PluginHost {
        let options = self.config.plugins.host_options();
        PluginHost::new(HostOptions {
            isolation: IsolationOptions {
                file_bytes_max: file_bytes_max.unwrap_or(0),
                restart_wait_max: RESTART_WAIT,
                ..options.isolation
            },
            ..options
        })
    }

    async fn storage(&self) -> Result<(Abilities, Vec<Report>), CliError> {
        let host = &self.host;
        let first = self.places.first().copied().unwrap_or_default();
        let store = host.store(self.source.clone(), self.table.clone(), first).await?;
        let declared: Vec<_> = store.declared().names().collect();
        let report = match store.probe().await {
            Ok(report) => report,
            Err(error) => {
                let capabilities = Abilities { declared, ..Abilities::default() };
                return Ok((capabilities, vec![not_usable(&error)]));
            }
        };
        let off = report.switched_off.into_iter().map(|(capability, reason)| SwitchedOff {
            capability: capability.names().collect(),
            reason,
        });
        let working = report.working.names().collect();
        let capabilities = Abilities { declared, working, switched_off: off.collect() };
        drop(store);
        let make = |table: &Value, place: Isolation| {
            let opened = host.store(self.source.clone(), table.clone(), place);
            async move { Ok(opened.await.map_err(|error| plain(&error))?.backend()) }
        };
        let make = &make;
        let open = |files: Option<u64>| -> futures_util::future::BoxFuture<'_, _> {
            Box::pin(async move {
                let host = self.host_for_faults(files);
                let (source, table) = (self.source.clone(), self.table.clone());
                let store = host.store(source, table, Isolation::Process).await;
                let Store::Isolated(store) = store.map_err(|error| plain(&error))? else {
                    return Err(PluginError::unexpected("no process was started"));
                };
                let victim = store.clone();
                let it = Arc::new(store) as Arc<dyn StorageBackend>;
                Ok(Victim { it, kill: Box::new(move || victim.kill()) })
            })
        };
        let bench = Bench { open: Box::new(open), forgets: self.forgets };
        let asked = self.places.iter().map(|place| {
            let make = move || make(&self.table, *place);
            Box::pin(storage::run(make))
        });
        let cut = Box::pin(async {
            let Some(ways) = &self.ways else { return Ok(Vec::new()) };
            let cut = self.places.iter().map(|place| async move {
                let Way { tunnel, table } = ways.open().await?;
                let make = || make(&table, *place);
                Ok::<_, CliError>(faults::storage_network(make, &tunnel).await)
            });
            stream::iter(cut).buffered(self.ways_at_once()).try_collect::<Vec<_>>().await
        });
        // They wait more than they work, and each keeps to keys of its own.
        let rest = join(join_all(asked), Box::pin(faults::storage(&bench)));
        let ((asked, faults), cut) =
            if self.has_one_way() { (rest.await, cut.await) } else { join(rest, cut).await };
        let suites = named(asked).chain([faults]).chain(named(cut?)).collect();
        Ok((capabilities, suites))
    }

    async fn auth(
        &self,
        people: Option<auth::Fixture>,
    ) -> Result<(Abilities, Vec<Report>), CliError> {
        let host = &self.host;
        let open = |host: PluginHost, table: Value, isolation: Isolation| async move {
            let opened = host.provider(self.source.clone(), table, isolation).await;
            opened.map_err(|error| plain(&error))
        };
        let first = self.places.first().copied().unwrap_or_default();
        let opened = host.provider(self.source.clone(), self.table.clone(), first).await?;
        let facets: Vec<_> = opened.facets().names().collect();
        drop(opened);
        let working = facets.clone();
        let capabilities = Abilities { declared: facets, working, switched_off: Vec::new() };
        let Some(people) = people else { return Ok((capabilities, Vec::new())) };
        let make = |table: &Value, place: Isolation| {
            let opened = open(host.clone(), table.clone(), place);
            async move { Ok(opened.await?.provider()) }
        };
        let mut asked = Vec::new();
        for place in self.places {
            asked.push(auth::run(|| make(&self.table, *place), &people).await);
        }
        let mut suites: Vec<_> = named(asked).collect();
        let victim = || async {
            let host = self.host_for_faults(None);
            let Provider::Isolated(provider) =
                open(host, self.table.clone(), Isolation::Process).await?
            else {
                return Err(PluginError::unexpected("no process was started"));
            };
            let victim = provider.clone();
            let it = Arc::new(provider) as Arc<dyn AuthProvider>;
            Ok(Victim { it, kill: Box::new(move || victim.kill()) })
        };
        suites.push(faults::auth(victim, &people).await);
        if let Some(ways) = &self.ways {
            let cut = self.places.iter().map(|place| async {
                let Way { tunnel, table } = ways.open().await?;
                let make = || make(&table, *place);
                Ok::<_, CliError>(faults::auth_network(make, &people, &tunnel).await)
            });
            let cut = stream::iter(cut).buffered(self.ways_at_once());
            suites.extend(named(cut.try_collect().await?));
        }
        Ok((capabilities, suites))
    }
}
