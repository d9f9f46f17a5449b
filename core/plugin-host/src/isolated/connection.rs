//! One process of a plugin, from the server's side: what is asked, and who waits for the answer.

use std::{
    collections::{HashMap, VecDeque},
    io,
    os::{fd::OwnedFd, unix::net::UnixStream as Socket},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, Result};
use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, ChildStderr, Command},
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tracing::{debug, error, info, trace, warn};

use super::{
    IsolationOptions,
    wire::{self, Answer, Frame, Question},
};
use crate::{
    counters::{PluginCounters, Tally},
    gate::Pass,
};

/// How many questions wait for the socket; who asks more waits before that.
const QUESTIONS_WAITING_MAX: usize = 16;
/// How much later than the plugin's deadline the server gives an answer up. The process has the same deadlines; when it
/// does not even say that one is over, it is frozen.
const GRACE: Duration = Duration::from_secs(5);
/// The longest line of standard error that is kept, in bytes.
const LINE_BYTES_MAX: usize = 4096;

/// How many of the last lines say why a process ended.
const LAST_LINES: usize = 3;

/// An answer and its chunk.
type Answered = (Answer, Bytes);

/// A running process, and the calls that it owes answers to.
#[derive(Debug)]
pub(super) struct Connection {
    /// What the configuration says.
    configured: String,
    /// What the plugin says, once it runs.
    name: OnceLock<String>,
    pid: Option<u32>,
    /// `None` when the process has ended: nothing is taken any more.
    calls: Mutex<Option<HashMap<u64, oneshot::Sender<Answered>>>>,
    next: AtomicU64,
    outgoing: mpsc::Sender<Frame<Question>>,
    /// Why the process shall end, when somebody decides that.
    end: watch::Sender<Option<String>>,
    /// How many calls hang, as the process said last.
    hung: AtomicU64,
    hung_max: u64,
    tally: Arc<Tally>,
}

/// A call that waits for its answer.
#[derive(Debug)]
pub(super) struct Call {
    answer: oneshot::Receiver<Answered>,
    operation: &'static str,
    connection: Arc<Connection>,
    /// Its place among the open calls of an entry. What hangs in the process is bounded there.
    place: Option<Pass>,
}

impl Call {
    /// The same, with its place.
    pub(super) fn with(mut self, place: Option<Pass>) -> Self {
        self.place = place;
        self
    }

    /// Waits for the answer.
    ///
    /// # Cancel safety
    /// Safe: the answer stays, and can be waited for again.
    pub(super) async fn wait(&mut self, deadline: Duration) -> Result<Answered> {
        let connection = &self.connection;
        match timeout(deadline + GRACE, &mut self.answer).await {
            Ok(Ok((answer, chunk))) => {
                drop(self.place.take());
                let answer = answer.into_result();
                if let Err(error) = &answer {
                    connection.tally.failed(error);
                }
                Ok((answer?, chunk))
            }
            Ok(Err(_)) => Err(connection.ended()),
            Err(_) => {
                let reason = format!("it did not answer to {} for {deadline:?}", self.operation);
                connection.end(&reason);
                let error = PluginError::new(PluginErrorKind::DeadlineExceeded, reason);
                connection.tally.failed(&error);
                Err(error)
            }
        }
    }
}

impl Connection {
    /// Starts a process. What it says at its end comes by the second value.
    ///
    /// # Errors
    /// If the system does not start it.
    pub(super) fn start(
        plugin: &str,
        options: &IsolationOptions,
        tally: Arc<Tally>,
    ) -> io::Result<(Arc<Self>, oneshot::Receiver<String>)> {
        let (ours, theirs) = Socket::pair()?;
        ours.set_nonblocking(true)?;
        let program = match &options.program {
            Some(program) => program.clone(),
            None => own_program()?,
        };
        let child = spawn(&program, &options.arguments, theirs.into())?;
        let (reading, writing) = UnixStream::from_std(ours)?.into_split();
        let (outgoing, questions) = mpsc::channel(QUESTIONS_WAITING_MAX);
        let connection = Arc::new(Self {
            configured: plugin.to_owned(),
            name: OnceLock::new(),
            pid: child.id(),
            calls: Mutex::new(Some(HashMap::new())),
            next: AtomicU64::new(1),
            outgoing,
            end: watch::Sender::new(None),
            hung: AtomicU64::new(0),
            hung_max: options.hung_calls_max,
            tally,
        });
        let (said, last_words) = oneshot::channel();
        tokio::spawn(send(writing, questions));
        tokio::spawn(Arc::clone(&connection).attend(child, reading, said));
        Ok((connection, last_words))
    }

    /// Says how the plugin calls itself.
    pub(super) fn is_named(&self, name: &str) {
        self.name.get_or_init(|| name.to_owned());
    }

    fn plugin(&self) -> &str {
        self.name.get().unwrap_or(&self.configured)
    }

    pub(super) const fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// How many calls are open, and how many of them hang.
    pub(super) fn counters(&self) -> PluginCounters {
        let open = self.calls().as_ref().map_or(0, HashMap::len);
        let counters = self.tally.snapshot(open);
        PluginCounters { hung: self.hung.load(Ordering::Relaxed), ..counters }
    }

    /// Asks, and does not wait for the answer yet.
    pub(super) async fn ask(
        self: &Arc<Self>,
        operation: &'static str,
        question: Question,
        chunk: Bytes,
    ) -> Result<Call> {
        // first a place, so that a future that is dropped while it waits has asked nothing
        let Ok(place) = self.outgoing.reserve().await else { return Err(self.ended()) };
        let (sender, answer) = oneshot::channel();
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        match &mut *self.calls() {
            Some(calls) => drop(calls.insert(call, sender)),
            None => return Err(self.ended()),
        }
        Tally::add(&self.tally.calls);
        place.send(Frame { call, what: question, chunk });
        Ok(Call { answer, operation, connection: Arc::clone(self), place: None })
    }

    /// Says that a reader or writer is not needed any more.
    pub(super) fn forget(&self, handle: u64) {
        let frame = Frame { call: 0, what: Question::Drop(handle), chunk: Bytes::new() };
        if let Err(mpsc::error::TrySendError::Full(frame)) = self.outgoing.try_send(frame) {
            let outgoing = self.outgoing.clone();
            // the process ends with its handles when it cannot be told
            drop(tokio::spawn(async move { outgoing.send(frame).await }));
        }
    }

    /// Ends the process. From now on it is asked nothing more.
    pub(super) fn end(&self, reason: &str) {
        drop(self.calls().take());
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            if first {
                *end = Some(reason.to_owned());
            }
            first
        });
    }

    fn ended(&self) -> PluginError {
        let name = self.plugin();
        PluginError::unavailable(format!("the process of plugin {name:?} has ended; try again"))
    }

    fn calls(&self) -> MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Answered>>>> {
        // Nothing panics while holding the lock.
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes answers until the process ends, and then says why.
    async fn attend(
        self: Arc<Self>,
        mut child: Child,
        mut reading: OwnedReadHalf,
        said: oneshot::Sender<String>,
    ) {
        let errors = child.stderr.take().map(|errors| Arc::clone(&self).listen(errors));
        let errors = errors.map(tokio::spawn);
        let mut end = self.end.subscribe();
        let reason = tokio::select! {
            ended = self.take_answers(&mut reading) => ended.err().as_ref().and_then(nonsense),
            ended = end.wait_for(Option::is_some) => ended.ok().and_then(|reason| reason.clone()),
        };
        drop(self.calls().take()); // whoever waits hears of it
        if reason.is_some() {
            drop(child.start_kill()); // it may have ended by itself
        }
        let status = match timeout(GRACE, child.wait()).await {
            Ok(status) => status,
            // it let go of the socket, and did not end
            Err(_) => child.kill().await.and(child.wait().await),
        };
        let line = match errors {
            // the process is gone, and so is the other end of the pipe
            Some(errors) => timeout(GRACE, errors).await.ok().and_then(Result::ok).flatten(),
            None => None,
        };
        drop(said.send(last_words(reason, status, line)));
    }

    async fn take_answers(&self, reading: &mut OwnedReadHalf) -> io::Result<()> {
        while let Some(Frame { call, what, chunk }) = read(reading).await? {
            match what {
                Answer::Log(level, line) => self.log(level, &line),
                answer => {
                    let hung = match answer {
                        Answer::Failed(_, _, _, hung) => Some(hung),
                        _ => None,
                    };
                    if let Some(hung) = hung {
                        self.hung.store(hung, Ordering::Relaxed);
                    }
                    self.answer(call, answer, chunk);
                    if let Some(hung) = hung.filter(|hung| *hung > self.hung_max) {
                        self.end(&format!("{hung} of its calls hang"));
                    }
                }
            }
        }
        Ok(())
    }

    fn answer(&self, call: u64, answer: Answer, chunk: Bytes) {
        let waiting = self.calls().as_mut().and_then(|calls| calls.remove(&call));
        let Some(waiting) = waiting else { return };
        // nobody waits any more for what was opened
        if let Err((Answer::Handle(handle), _)) = waiting.send((answer, chunk)) {
            self.forget(handle);
        }
    }

    fn log(&self, level: u32, line: &str) {
        let plugin = self.plugin();
        match level {
            1 => error!(plugin, "{line}"),
            2 => warn!(plugin, "{line}"),
            3 => info!(plugin, "{line}"),
            4 => debug!(plugin, "{line}"),
            _ => trace!(plugin, "{line}"),
        }
    }

    /// Logs what the process writes to standard error; gives the last lines.
    async fn listen(self: Arc<Self>, mut errors: ChildStderr) -> Option<String> {
        let (mut buffer, mut line) = (vec![0; LINE_BYTES_MAX], Vec::new());
        let mut last = VecDeque::with_capacity(LAST_LINES);
        loop {
            let count = errors.read(&mut buffer).await.unwrap_or(0);
            let ended = count == 0;
            for byte in buffer.iter().take(count).copied().chain(ended.then_some(b'\n')) {
                if byte != b'\n' && line.len() < LINE_BYTES_MAX {
                    line.push(byte);
                } else if !line.is_empty() {
                    let text = String::from_utf8_lossy(&line).trim().to_owned();
                    warn!(plugin = self.plugin(), "{text}");
                    if last.len() == LAST_LINES {
                        last.pop_front();
                    }
                    last.push_back(text);
                    line.clear();
                }
            }
            if ended {
                let last: Vec<String> = last.into();
                return (!last.is_empty()).then(|| last.join("; "));
            }
        }
    }
}

/// This program, also when another version was put in its place meanwhile: both sides have to be the same.
fn own_program() -> io::Result<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { Ok(running) } else { std::env::current_exe() }
}

fn spawn(program: &Path, arguments: &[String], socket: OwnedFd) -> io::Result<Child> {
    let mut command = Command::new(program);
    command
        .arg0("boxvault")
        .args(arguments)
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // not told when somebody ends the server by its keyboard: running transfers end first
        .process_group(0)
        .kill_on_drop(true);
    // the server's own settings are none of its business, and may be secret
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        command.env_remove(name);
    }
    command.spawn()
}

fn is_ours(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b"BOXVAULT_")
}

async fn send(mut writing: OwnedWriteHalf, mut questions: mpsc::Receiver<Frame<Question>>) {
    while let Some(Frame { call, what, chunk }) = questions.recv().await {
        let Ok(head) = wire::encode(call, &what, &chunk) else { return };
        let written = async {
            writing.write_all(&head).await?;
            writing.write_all(&chunk).await
        };
        if written.await.is_err() {
            return; // the process has ended, which the other half sees
        }
    }
}

/// What somebody should know of an end of the socket. That it was cut says less than how the process ended.
fn nonsense(error: &io::Error) -> Option<String> {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let is_cut = matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof);
    (!is_cut).then(|| error.to_string())
}

async fn read(source: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame<Answer>>> {
    let mut start = [0; 8];
    match source.read_exact(&mut start).await {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (head_length, chunk_length) = wire::lengths(start)?;
    let mut bytes = BytesMut::zeroed(head_length + chunk_length);
    source.read_exact(&mut bytes).await?;
    let chunk = bytes.split_off(head_length).freeze();
    wire::decode(&bytes, chunk).map(Some)
}

/// Why a process ended, in a sentence's part.
fn last_words(
    reason: Option<String>,
    status: io::Result<ExitStatus>,
    line: Option<String>,
) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    if let Some(reason) = reason {
        return reason;
    }
    let ended = match status {
        Ok(status) => match (status.signal(), status.code()) {
            (Some(signal), _) => format!("it was ended by signal {signal}"),
            (None, Some(code)) => format!("it ended with code {code}"),
            (None, None) => "it ended".to_owned(),
        },
        Err(error) => format!("it ended: {error}"),
    };
    match line {
        Some(line) => format!("{ended}: {line}"),
        None => ended,
    }
}
