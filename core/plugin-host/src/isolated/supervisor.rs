//! Keeps one process of a plugin running: starts it, and starts another one when it has ended.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_sdk::{PluginError, Result};
use bytes::Bytes;
use serde_json::Value;
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tracing::{info, level_filters::LevelFilter, warn};

use super::{
    connection::{Call, Connection},
    wire::{self, Answer, Question, Start},
};
use crate::{
    counters::Tally,
    error::LoadError,
    gate::{self, Gate, Pass},
    library::{PluginInfo, PluginKind},
    log,
    options::{Deadlines, HostOptions, PluginSource},
    status::{Isolation, PluginState, PluginStatus},
};

/// The wait before the first start after an end, unless the longest wait is shorter.
const WAIT_MIN: Duration = Duration::from_millis(200);
/// A process that ran for so long has recovered: the next wait is the first again.
const RECOVERED: Duration = Duration::from_mins(1);
/// How much longer than making an instance a start may take: the program and the library are loaded.
const START_GRACE: Duration = Duration::from_secs(30);

/// What a process is for. Holds what may be secret, so it is never shown.
pub(crate) struct Spec {
    pub(crate) source: PluginSource,
    pub(crate) kind: PluginKind,
    pub(crate) config: Value,
    pub(crate) options: Arc<HostOptions>,
}

/// One plugin in a process of its own, and the next process after that.
pub(crate) struct Supervisor {
    spec: Spec,
    info: PluginInfo,
    /// Capabilities or facets, as declared.
    declared: u64,
    /// Capabilities that work, once they were tried out.
    working: Mutex<Option<u64>>,
    current: Mutex<Current>,
    tally: Arc<Tally>,
    restarts: AtomicU64,
    gate: Option<Gate>,
}

enum Current {
    Up(Arc<Connection>),
    Down { reason: String, wait: Duration },
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor").field("plugin", &self.info.name).finish_non_exhaustive()
    }
}

impl Supervisor {
    /// Starts the first process.
    ///
    /// # Errors
    /// `Isolated`, with what the process said.
    pub(crate) async fn start(spec: Spec) -> Result<Arc<Self>, LoadError> {
        let tally = Arc::<Tally>::default();
        let gate = Gate::new(spec.options.calls);
        let name = spec.source.plugin.clone();
        let (connection, ended, info, declared) = launch(&spec, &name, &tally, None)
            .await
            .map_err(|reason| LoadError::Isolated { plugin: name, reason })?;
        let this = Arc::new(Self {
            spec,
            info,
            declared,
            working: Mutex::new(None),
            current: Mutex::new(Current::Up(connection)),
            tally,
            restarts: AtomicU64::new(0),
            gate,
        });
        tokio::spawn(watch_over(Arc::downgrade(&this), ended));
        Ok(this)
    }

    pub(super) const fn info(&self) -> &PluginInfo {
        &self.info
    }

    pub(super) const fn declared(&self) -> u64 {
        self.declared
    }

    pub(super) fn deadlines(&self) -> Deadlines {
        self.spec.options.deadlines
    }

    /// What of the declared works, as far as that was tried out.
    pub(super) fn working(&self) -> u64 {
        lock(&self.working).unwrap_or(self.declared)
    }

    pub(super) fn set_working(&self, bits: u64) {
        *lock(&self.working) = Some(bits);
    }

    /// Ends the process, as a crash would.
    pub(super) fn kill(&self) {
        if let Current::Up(connection) = &*lock(&self.current) {
            connection.end("it was told to end");
        }
    }

    /// The process that runs now.
    ///
    /// # Errors
    /// `Unavailable` while there is none, with what ended the last one.
    pub(super) fn connection(&self) -> Result<Arc<Connection>> {
        match &*lock(&self.current) {
            Current::Up(connection) => Ok(Arc::clone(connection)),
            Current::Down { reason, .. } => {
                let name = &self.info.name;
                let message =
                    format!("the process of plugin {name:?} is being started again: {reason}");
                Err(PluginError::unavailable(message))
            }
        }
    }

    /// Asks the running process, and waits for the answer.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        question: Question,
        deadline: Duration,
    ) -> Result<(Answer, Arc<Connection>)> {
        let pass = gate::enter(self.gate.as_ref(), deadline).await?;
        let connection = self.connection()?;
        let call = connection.ask(operation, question, Bytes::new()).await?;
        let mut call: Call = call.with(pass);
        Ok((call.wait(deadline).await?.0, connection))
    }

    /// A place for a call that goes on with a reader or writer.
    pub(super) async fn place(&self, deadline: Duration) -> Result<Option<Pass>> {
        gate::go_on(self.gate.as_ref(), deadline).await
    }

    fn restart_wait_max(&self) -> Duration {
        self.spec.options.isolation.restart_wait_max
    }

    pub(super) fn status(&self) -> PluginStatus {
        let (state, counters, pid) = match &*lock(&self.current) {
            Current::Up(connection) => {
                (PluginState::Running, connection.counters(), connection.pid())
            }
            Current::Down { wait, .. } => {
                (PluginState::Restarting { wait: *wait }, self.tally.snapshot(0), None)
            }
        };
        PluginStatus {
            info: self.info.clone(),
            isolation: Isolation::Process,
            state,
            counters,
            last_error: self.tally.last_error(),
            restarts: self.restarts.load(Ordering::Relaxed),
            pid,
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.kill();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end of a process, and starts the next one, for as long as somebody needs it.
async fn watch_over(supervisor: Weak<Supervisor>, mut ended: oneshot::Receiver<String>) {
    let Some(wait_max) = supervisor.upgrade().map(|this| this.restart_wait_max()) else { return };
    let wait_min = WAIT_MIN.min(wait_max);
    let (mut wait, mut since) = (wait_min, Instant::now());
    loop {
        let mut reason = ended.await.unwrap_or_else(|_| "nobody watched it".to_owned());
        if since.elapsed() >= RECOVERED {
            wait = wait_min;
        }
        ended = loop {
            let Some(this) = supervisor.upgrade() else { return };
            let plugin = this.info.name.clone();
            warn!(
                plugin,
                reason,
                ?wait,
                "the process of plugin {plugin} has ended; starting another one"
            );
            this.tally.note(format!("its process has ended: {reason}"));
            *lock(&this.current) = Current::Down { reason: reason.clone(), wait };
            drop(this); // whoever needs the plugin no more does not wait for this
            sleep(wait).await;
            wait = (wait * 2).min(wait_max);
            let Some(this) = supervisor.upgrade() else { return };
            let working = *lock(&this.working);
            match launch(&this.spec, &plugin, &this.tally, working).await {
                Ok((connection, next, ..)) => {
                    this.restarts.fetch_add(1, Ordering::Relaxed);
                    *lock(&this.current) = Current::Up(connection);
                    since = Instant::now();
                    info!(plugin, "another process of plugin {plugin} runs");
                    break next;
                }
                Err(why) => reason = why,
            }
        };
    }
}

/// Starts a process, and the plugin in it.
async fn launch(
    spec: &Spec,
    name: &str,
    tally: &Arc<Tally>,
    working: Option<u64>,
) -> Result<(Arc<Connection>, oneshot::Receiver<String>, PluginInfo, u64), String> {
    let options = &spec.options;
    let (connection, ended) = Connection::start(name, &options.isolation, Arc::clone(tally))
        .map_err(|error| format!("its process could not be started: {error}"))?;
    let question = Question::Start(Box::new(start(spec, working)));
    let asked = async {
        let mut call = connection.ask("start", question, Bytes::new()).await?;
        call.wait(options.deadlines.create * 2 + START_GRACE).await
    };
    match asked.await {
        Ok((Answer::Started(info, declared), _)) => {
            connection.is_named(&info.name);
            Ok((connection, ended, *info, declared))
        }
        Ok((Answer::NotStarted(reason), _)) => {
            connection.end("the plugin did not start");
            Err(reason)
        }
        Ok(_) => {
            connection.end("it answered with something else");
            Err("its process answered with something else".to_owned())
        }
        // what the process said at its end says more than that it ended
        Err(error) => Err(ended.await.unwrap_or_else(|_| error.to_string())),
    }
}

fn start(spec: &Spec, working: Option<u64>) -> Start {
    let HostOptions { deadlines, calls_in_flight_max, isolation, .. } = &*spec.options;
    let Deadlines { create, question, read, write, finish, authenticate } = *deadlines;
    Start {
        plugin: spec.source.plugin.clone(),
        sha256: spec.source.sha256.clone(),
        kind: spec.kind,
        config: spec.config.clone(),
        deadlines_ms: [create, question, read, write, finish, authenticate].map(wire::to_ms),
        calls_in_flight_max: *calls_in_flight_max,
        memory_bytes_max: isolation.memory_bytes_max,
        file_bytes_max: isolation.file_bytes_max,
        log_level_max: log::level_number(LevelFilter::current()),
        working,
    }
}
