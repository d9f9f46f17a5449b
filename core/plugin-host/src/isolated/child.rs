//! The process of a plugin: loads it, and answers what the server asks over standard input.
//!
//! The socket is read by a thread of its own, so that the process notices the end of the server, and
//! ends, whatever the plugin does to the threads that run it.

use std::{
    collections::HashMap,
    error::Error as _,
    io::{self, BufReader},
    os::{fd::AsFd as _, unix::net::UnixStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use boxvault_plugin_sdk::{
    AuthProvider, Capabilities, Credentials, DirectWrite, ObjectReader, ObjectWriter, PartOptions,
    PluginError, PresignOptions, Result, Secret, StorageBackend, WriteOptions, crossing,
};
use bytes::Bytes;
use rustix::process::{Resource, Rlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use super::{
    log::Forward,
    wire::{self, Answer, CHUNK_BYTES_MAX, Frame, Question, Start},
};
use crate::{
    auth::LoadedAuthProvider,
    error::LoadError,
    host::PluginHost,
    library::PluginKind,
    options::{Deadlines, HostOptions, PluginSource},
    storage::LoadedStorage,
};

/// How many answers wait for the socket before whoever has the next one waits.
const ANSWERS_WAITING_MAX: usize = 16;
/// The signal of a write beyond `file_bytes_max`, on every architecture that plugins are built for.
const SIGXFSZ: i32 = 25;

/// Serves one plugin to the process at the other end of standard input, and ends with that.
///
/// # Errors
/// If standard input is no socket, or what comes is not what a server says.
pub async fn serve() -> io::Result<()> {
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    if socket.peer_addr().is_err() {
        return Err(io::Error::other("the server starts this command by itself"));
    }
    // What ends the server, such as a service manager that tells all processes of a service at once, is no reason to
    // cut off what is under way: this process ends with the server. A handler that is set stays when this is dropped.
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        drop(signal(kind)?);
    }
    let (answers, outgoing) = mpsc::sync_channel(ANSWERS_WAITING_MAX);
    let mut target = socket.try_clone()?;
    std::thread::Builder::new().name("answers".into()).spawn(move || {
        while let Ok(frame) = outgoing.recv() {
            if wire::write::<Answer>(&mut target, &frame).is_err() {
                return; // the server has ended
            }
        }
    })?;
    let (questions, mut incoming) = tokio::sync::mpsc::channel(ANSWERS_WAITING_MAX);
    std::thread::Builder::new().name("questions".into()).spawn(move || {
        let mut source = BufReader::with_capacity(64 * 1024, socket);
        while let Ok(Some(frame)) = wire::read::<Question>(&mut source) {
            if questions.blocking_send(frame).is_err() {
                break;
            }
        }
        // Whatever the plugin does now, nobody needs it any more.
        end_process();
    })?;
    let Some(Frame { call, what: Question::Start(start), .. }) = incoming.recv().await else {
        return Err(io::Error::other("the first question was not to start a plugin"));
    };
    let answers = Answers(answers);
    let process = match open(*start, &answers).await {
        Ok((process, answer)) => {
            answers.send(call, answer, Bytes::new()).await;
            Arc::new(process)
        }
        Err(reason) => {
            answers.send(call, Answer::NotStarted(reason), Bytes::new()).await;
            // the server ends this process when it has read why
            std::future::pending().await
        }
    };
    while let Some(Frame { call, what, chunk }) = incoming.recv().await {
        let (process, answers) = (Arc::clone(&process), answers.clone());
        if let Question::Drop(handle) = what {
            drop(process.streams().remove(&handle));
            continue;
        }
        tokio::spawn(async move {
            let (answer, chunk) = match process.answer(what, chunk).await {
                Ok(answered) => answered,
                Err(error) => (Answer::failed(error, process.plugin.hung()), Bytes::new()),
            };
            answers.send(call, answer, chunk).await;
        });
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a plugin may keep every other way from being taken")]
#[expect(clippy::exit, reason = "as above")]
fn end_process() {
    std::process::exit(0);
}

/// The way to the socket.
#[derive(Clone)]
struct Answers(mpsc::SyncSender<Frame<Answer>>);

impl Answers {
    /// Sends an answer; waits on a thread for blocking work where the socket is full.
    async fn send(&self, call: u64, what: Answer, chunk: Bytes) {
        let frame = Frame { call, what, chunk };
        let frame = match self.0.try_send(frame) {
            Err(mpsc::TrySendError::Full(frame)) => frame,
            Ok(()) | Err(mpsc::TrySendError::Disconnected(_)) => return,
        };
        let sender = self.0.clone();
        // an answer that cannot be sent has nobody to read it
        drop(tokio::task::spawn_blocking(move || sender.send(frame)).await);
    }
}

/// What the process serves.
enum Plugin {
    Storage(LoadedStorage),
    Auth(LoadedAuthProvider),
}

impl Plugin {
    fn hung(&self) -> u64 {
        match self {
            Self::Storage(store) => store.counters().hung,
            Self::Auth(provider) => provider.counters().hung,
        }
    }
}

/// A reader or writer. One call at a time is open on it.
#[derive(Clone)]
enum Stream {
    Reader(Arc<tokio::sync::Mutex<Reading>>),
    Writer(Arc<tokio::sync::Mutex<Option<Box<dyn ObjectWriter>>>>),
}

struct Reading {
    reader: Box<dyn ObjectReader>,
    /// What is left of a chunk that is longer than a frame.
    rest: Bytes,
}

struct Process {
    plugin: Plugin,
    streams: Mutex<HashMap<u64, Stream>>,
    next: AtomicU64,
}

/// Loads the plugin, within its limits.
async fn open(start: Start, answers: &Answers) -> Result<(Process, Answer), String> {
    let sink = answers.0.clone();
    let subscriber = Forward::new(
        start.log_level_max,
        Arc::new(move |level, line| {
            let what = Answer::Log(level, line);
            // a line is not worth a wait
            drop(sink.try_send(Frame { call: 0, what, chunk: Bytes::new() }));
        }),
    );
    // a process of a test may have one already
    drop(tracing::subscriber::set_global_default(subscriber));
    limit(&start).map_err(|error| format!("its limits could not be set: {error}"))?;
    let [create, question, read, write, finish, authenticate] =
        start.deadlines_ms.map(Duration::from_millis);
    let deadlines = Deadlines { create, question, read, write, finish, authenticate };
    let host = PluginHost::new(HostOptions {
        deadlines,
        calls_in_flight_max: start.calls_in_flight_max,
        ..HostOptions::default()
    });
    let source = PluginSource::new(start.plugin).pinned(start.sha256);
    let (plugin, info, bits) = match start.kind {
        PluginKind::Storage => {
            let store =
                host.open_storage(source, start.config).await.map_err(|error| chain(&error))?;
            let (info, bits) = (store.info().clone(), store.declared().bits());
            if let Some(working) = start.working {
                store.restrict(Capabilities::from_bits(working));
            }
            (Plugin::Storage(store), info, bits)
        }
        PluginKind::Auth => {
            let provider =
                host.open_auth(source, start.config).await.map_err(|error| chain(&error))?;
            let (info, bits) = (provider.info().clone(), provider.facets().bits());
            (Plugin::Auth(provider), info, bits)
        }
    };
    let process = Process { plugin, streams: Mutex::default(), next: AtomicU64::new(1) };
    Ok((process, Answer::Started(Box::new(info), bits)))
}

/// An error with what caused it, since only text crosses.
fn chain(error: &LoadError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Sets the limits of this process. What is over the first is refused by the system, and mostly ends the process.
fn limit(start: &Start) -> io::Result<()> {
    for (resource, bytes) in
        [(Resource::Data, start.memory_bytes_max), (Resource::Fsize, start.file_bytes_max)]
    {
        if bytes > 0 {
            setrlimit(resource, Rlimit { current: Some(bytes), maximum: Some(bytes) })?;
        }
    }
    if start.file_bytes_max > 0 {
        // from here on the signal does nothing, and the write fails
        drop(signal(SignalKind::from_raw(SIGXFSZ))?);
    }
    Ok(())
}

type Answered = (Answer, Bytes);

impl Process {
    fn streams(&self) -> MutexGuard<'_, HashMap<u64, Stream>> {
        // Nothing panics while holding the lock.
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, stream: Stream) -> Answer {
        let handle = self.next.fetch_add(1, Ordering::Relaxed);
        self.streams().insert(handle, stream);
        Answer::Handle(handle)
    }

    fn stream(&self, handle: u64) -> Result<Stream> {
        let stream = self.streams().get(&handle).cloned();
        stream.ok_or_else(|| crossing::violation("there is no such reader or writer"))
    }

    async fn answer(&self, question: Question, chunk: Bytes) -> Result<Answered> {
        match question {
            Question::Next(handle) => return self.read(handle).await,
            Question::Write(handle) => return self.write(handle, chunk).await,
            _ => {}
        }
        let answer = match &self.plugin {
            Plugin::Storage(store) => self.ask_storage(store, question).await?,
            Plugin::Auth(provider) => ask_auth(provider, question).await?,
        };
        Ok((answer, Bytes::new()))
    }

    async fn read(&self, handle: u64) -> Result<Answered> {
        let Stream::Reader(reading) = self.stream(handle)? else { return Err(wrong_stream()) };
        let mut reading = reading.lock().await;
        if reading.rest.is_empty() {
            match reading.reader.next().await? {
                Some(chunk) => reading.rest = chunk,
                None => return Ok((Answer::End, Bytes::new())),
            }
        }
        let length = reading.rest.len().min(CHUNK_BYTES_MAX);
        Ok((Answer::Chunk, reading.rest.split_to(length)))
    }

    async fn write(&self, handle: u64, chunk: Bytes) -> Result<Answered> {
        let Stream::Writer(writer) = self.stream(handle)? else { return Err(wrong_stream()) };
        let mut writer = writer.lock().await;
        writer.as_mut().ok_or_else(wrong_stream)?.write(chunk).await?;
        Ok((Answer::Done, Bytes::new()))
    }

    async fn take_writer(&self, handle: u64) -> Result<Box<dyn ObjectWriter>> {
        let Stream::Writer(writer) = self.stream(handle)? else { return Err(wrong_stream()) };
        let taken = writer.lock().await.take();
        taken.ok_or_else(wrong_stream)
    }

    async fn ask_storage(&self, store: &LoadedStorage, question: Question) -> Result<Answer> {
        Ok(match question {
            Question::Health => store.health().await.map(|()| Answer::Done)?,
            Question::Probe => {
                let report = store.probe().await?;
                let off = report.switched_off.into_iter();
                let off = off.map(|(capability, reason)| (capability.bits(), reason)).collect();
                Answer::Probed(report.working.bits(), off)
            }
            Question::Stat(key) => Answer::Meta(store.stat(&key).await?.into()),
            Question::OpenReader(key, offset, length) => {
                let reader = store.open_reader(&key, wire::range(offset, length)).await?;
                let reading = Reading { reader, rest: Bytes::new() };
                self.keep(Stream::Reader(Arc::new(tokio::sync::Mutex::new(reading))))
            }
            Question::OpenWriter(key, size_hint) => {
                let options = WriteOptions::with_size_hint(size_hint);
                let writer = store.open_writer(&key, options).await?;
                self.keep(Stream::Writer(Arc::new(tokio::sync::Mutex::new(Some(writer)))))
            }
            Question::Finish(handle) => {
                Answer::Meta(self.take_writer(handle).await?.finish().await?.into())
            }
            Question::Abort(handle) => {
                self.take_writer(handle).await?.abort().await.map(|()| Answer::Done)?
            }
            Question::Delete(key) => store.delete(&key).await.map(|()| Answer::Done)?,
            Question::List(prefix, after, limit) => {
                entries(store.list(&prefix, after.as_deref(), limit).await?)
            }
            Question::BeginDirect(key, size_hint) => {
                let options = WriteOptions::with_size_hint(size_hint);
                let DirectWrite { token, part_bytes } = store.begin_direct(&key, options).await?;
                Answer::Direct(token, part_bytes)
            }
            Question::PresignPart(key, token, number, length, seconds) => {
                let options = PartOptions::new(number, length, Duration::from_secs(seconds));
                Answer::Text(store.presign_part(&key, &token, options).await?)
            }
            Question::FinishDirect(key, token) => {
                Answer::Meta(store.finish_direct(&key, &token).await?.into())
            }
            Question::ListUnfinished(prefix, after, limit) => {
                entries(store.list_unfinished(&prefix, after.as_deref(), limit).await?)
            }
            Question::AbortUnfinished(key) => {
                store.abort_unfinished(&key).await.map(|()| Answer::Done)?
            }
            Question::LocalPath(key) => {
                let path = store.local_path(&key).await?.into_os_string().into_string();
                Answer::Text(path.map_err(|_| crossing::violation("a path is not UTF-8"))?)
            }
            Question::PresignRead(key, presign) => {
                let expires_in = Duration::from_secs(presign.expires_in_s);
                let mut options = PresignOptions::expires_in(expires_in);
                options.content_disposition = presign.content_disposition;
                options.content_type = presign.content_type;
                Answer::Text(store.presign_read(&key, options).await?)
            }
            _ => return Err(PluginError::unsupported("this question")),
        })
    }
}

fn entries(rows: Vec<boxvault_plugin_sdk::ObjectEntry>) -> Answer {
    Answer::Entries(rows.into_iter().map(Into::into).collect())
}

async fn ask_auth(provider: &LoadedAuthProvider, question: Question) -> Result<Answer> {
    let claims = |claims| Answer::Claims(Box::new(claims));
    Ok(match question {
        Question::Health => provider.health().await.map(|()| Answer::Done)?,
        Question::Password(username, password) => {
            let credentials = Credentials::new(username, password);
            claims(provider.authenticate_password(credentials).await?)
        }
        Question::StartRedirect(request) => {
            Answer::Redirect(provider.start_redirect(request).await?)
        }
        Question::FinishRedirect(callback) => claims(provider.finish_redirect(callback).await?),
        Question::IntrospectToken(token) => {
            claims(provider.introspect_token(Secret::new(token)).await?)
        }
        Question::LogoutNotice(notice) => {
            Answer::Notice(provider.read_logout_notice(Secret::new(notice)).await?)
        }
        Question::Refresh(subject) => claims(provider.refresh(&subject).await?),
        Question::Logout(subject) => {
            Answer::Text(provider.logout(&subject).await?.unwrap_or_default())
        }
        Question::Groups(subject) => Answer::Texts(provider.groups(&subject).await?),
        _ => return Err(PluginError::unsupported("this question")),
    })
}

fn wrong_stream() -> PluginError {
    crossing::violation("this reader or writer cannot do that any more")
}
