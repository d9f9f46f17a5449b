//! A storage plugin in a process of its own, as the trait that its author wrote.

use std::{path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use boxvault_plugin_sdk::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PluginError, PluginErrorKind, PresignOptions, Result, StorageBackend,
    WriteOptions, crossing,
    storage::{LIST_LIMIT_MAX, check_key},
};
use bytes::Bytes;
use tracing::warn;

use super::{
    connection::{Call, Connection},
    supervisor::Supervisor,
    wire::{Answer, CHUNK_BYTES_MAX, Entry, Presign, Question},
};
use crate::{gate::Pass, probe::ProbeReport, status::PluginStatus};

/// An instance of a storage plugin in a process of its own. Cloning is cheap and shares the instance.
///
/// A reader or writer belongs to the process that it was opened in: when that ends, it fails, and
/// nothing of what was written is ever visible.
#[derive(Clone, Debug)]
pub struct IsolatedStorage {
    supervisor: Arc<Supervisor>,
}

impl IsolatedStorage {
    pub(crate) const fn new(supervisor: Arc<Supervisor>) -> Self {
        Self { supervisor }
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        self.supervisor.status()
    }

    /// What the plugin declares, true or not.
    pub fn declared(&self) -> Capabilities {
        Capabilities::from_bits(self.supervisor.declared())
    }

    /// Ends the process, as a crash would; another one is started.
    pub fn kill(&self) {
        self.supervisor.kill();
    }

    /// Tries out what the backend declares, and switches off what is not true, with a warning; also in the processes
    /// that come after this one.
    ///
    /// # Errors
    /// Whatever kept the object from being written, read or removed: the store is not usable.
    pub async fn probe(&self) -> Result<ProbeReport> {
        let deadlines = self.supervisor.deadlines();
        let patience = deadlines.question * 8 + deadlines.finish;
        let (answer, _) = self.supervisor.ask("probe", Question::Probe, patience).await?;
        let Answer::Probed(working, off) = answer else { return Err(unexpected()) };
        self.supervisor.set_working(working);
        let off = off.into_iter().map(|(bits, reason)| (Capabilities::from_bits(bits), reason));
        let report =
            ProbeReport { working: Capabilities::from_bits(working), switched_off: off.collect() };
        for (capability, reason) in &report.switched_off {
            let (plugin, name) =
                (&self.supervisor.info().name, capability.names().collect::<String>());
            warn!(
                plugin, capability = %name, %reason,
                "switched off what the storage plugin declares and does not do"
            );
        }
        Ok(report)
    }

    async fn ask(&self, operation: &'static str, question: Question) -> Result<Answer> {
        let deadline = self.supervisor.deadlines().question;
        Ok(self.supervisor.ask(operation, question, deadline).await?.0)
    }

    async fn open(
        &self,
        operation: &'static str,
        question: Question,
    ) -> Result<(u64, Arc<Connection>)> {
        let deadline = self.supervisor.deadlines().question;
        match self.supervisor.ask(operation, question, deadline).await? {
            (Answer::Handle(handle), connection) => Ok((handle, connection)),
            _ => Err(unexpected()),
        }
    }
}

fn unexpected() -> PluginError {
    crossing::violation("the plugin's process answered with something else")
}

fn done(answer: &Answer) -> Result<()> {
    if matches!(answer, Answer::Done) { Ok(()) } else { Err(unexpected()) }
}

fn text(answer: Answer) -> Result<String> {
    if let Answer::Text(text) = answer { Ok(text) } else { Err(unexpected()) }
}

fn meta(answer: Answer) -> Result<ObjectMeta> {
    if let Answer::Meta(meta) = answer { Ok(meta.into()) } else { Err(unexpected()) }
}

/// Rows, in the order and number that a listing has; the plugin's process has checked them, and may be lying.
fn entries(answer: Answer, prefix: &str, limit: u32) -> Result<Vec<ObjectEntry>> {
    let Answer::Entries(rows) = answer else { return Err(unexpected()) };
    let rows: Vec<ObjectEntry> = rows.into_iter().map(Entry::into).collect();
    let sorted = rows.is_sorted_by(|one, next| one.key < next.key);
    let fits = rows.len() <= limit as usize && rows.iter().all(|row| row.key.starts_with(prefix));
    if sorted && fits { Ok(rows) } else { Err(unexpected()) }
}

#[async_trait]
impl StorageBackend for IsolatedStorage {
    fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.supervisor.working())
    }

    async fn health(&self) -> Result<()> {
        done(&self.ask("health", Question::Health).await?)
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        check_key(key)?;
        meta(self.ask("stat", Question::Stat(key.to_owned())).await?)
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        check_key(key)?;
        let question = Question::OpenReader(key.to_owned(), range.offset, range.length);
        let (handle, connection) = self.open("open for reading", question).await?;
        let stream = Stream { handle, connection, supervisor: Arc::clone(&self.supervisor) };
        let remaining = range.length.unwrap_or(u64::MAX);
        Ok(Box::new(Reader { stream, pending: None, remaining, ended: false }))
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        check_key(key)?;
        let question = Question::OpenWriter(key.to_owned(), options.size_hint);
        let (handle, connection) = self.open("open for writing", question).await?;
        let stream = Stream { handle, connection, supervisor: Arc::clone(&self.supervisor) };
        Ok(Box::new(Writer { stream, pending: None, failed: None }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        done(&self.ask("delete", Question::Delete(key.to_owned())).await?)
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let limit = limit.min(LIST_LIMIT_MAX);
        let question = Question::List(prefix.to_owned(), after.map(str::to_owned), limit);
        entries(self.ask("list", question).await?, prefix, limit)
    }

    async fn local_path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        let path = text(self.ask("local path", Question::LocalPath(key.to_owned())).await?)?;
        let path = PathBuf::from(path);
        if path.is_absolute() { Ok(path) } else { Err(unexpected()) }
    }

    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        check_key(key)?;
        let presign = Presign {
            expires_in_s: options.expires_in.as_secs(),
            content_disposition: options.content_disposition,
            content_type: options.content_type,
        };
        text(self.ask("presign", Question::PresignRead(key.to_owned(), presign)).await?)
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        check_key(key)?;
        let question = Question::BeginDirect(key.to_owned(), options.size_hint);
        match self.ask("begin", question).await? {
            Answer::Direct(token, part_bytes) => Ok(DirectWrite { token, part_bytes }),
            _ => Err(unexpected()),
        }
    }

    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        check_key(key)?;
        let PartOptions { number, length, expires_in, .. } = options;
        let (key, token, seconds) = (key.to_owned(), token.to_owned(), expires_in.as_secs());
        let question = Question::PresignPart(key, token, number, length, seconds);
        text(self.ask("presign", question).await?)
    }

    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        check_key(key)?;
        let question = Question::FinishDirect(key.to_owned(), token.to_owned());
        let deadline = self.supervisor.deadlines().finish;
        meta(self.supervisor.ask("finish", question, deadline).await?.0)
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let limit = limit.min(LIST_LIMIT_MAX);
        let question = Question::ListUnfinished(prefix.to_owned(), after.map(str::to_owned), limit);
        entries(self.ask("list unfinished", question).await?, prefix, limit)
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        check_key(key)?;
        done(&self.ask("abort unfinished", Question::AbortUnfinished(key.to_owned())).await?)
    }
}

/// A reader or writer in the process; let go of when dropped. Keeps the process alive.
struct Stream {
    handle: u64,
    connection: Arc<Connection>,
    supervisor: Arc<Supervisor>,
}

impl Stream {
    async fn place(&self, deadline: Duration) -> Result<Option<Pass>> {
        self.supervisor.place(deadline).await
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.connection.forget(self.handle);
    }
}

struct Reader {
    stream: Stream,
    /// A question whose future was dropped; its answer is the next chunk.
    pending: Option<Call>,
    /// How much was asked for; more is not believed.
    remaining: u64,
    ended: bool,
}

#[async_trait]
impl ObjectReader for Reader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        if self.pending.is_none() {
            let question = Question::Next(self.stream.handle);
            let pass = self.stream.place(self.stream.supervisor.deadlines().read).await?;
            let asked = self.stream.connection.ask("read", question, Bytes::new()).await?;
            self.pending = Some(asked.with(pass));
        }
        let Some(call) = &mut self.pending else { return Err(unexpected()) };
        let answer = call.wait(self.stream.supervisor.deadlines().read).await;
        self.pending = None;
        match answer? {
            (Answer::Chunk, chunk) if !chunk.is_empty() => {
                let left = self.remaining.checked_sub(chunk.len() as u64);
                self.remaining = left.ok_or_else(unexpected)?;
                Ok(Some(chunk))
            }
            (Answer::End, _) => {
                self.ended = true;
                Ok(None)
            }
            _ => Err(unexpected()),
        }
    }
}

struct Writer {
    stream: Stream,
    /// A chunk whose future was dropped; it is waited for before anything else.
    pending: Option<Call>,
    /// The first failure; it comes again with every later call.
    failed: Option<PluginError>,
}

impl Writer {
    /// Waits for an open write. A failure stays.
    async fn wait(&mut self) -> Result<()> {
        let Some(call) = &mut self.pending else { return Ok(()) };
        let answer = call.wait(self.stream.supervisor.deadlines().write).await;
        self.pending = None;
        let result = answer.and_then(|(answer, _)| done(&answer));
        if let Err(error) = &result {
            self.failed = Some(error.clone());
        }
        result
    }

    /// The same, and reports the first failure for as long as the writer lives.
    async fn settle(&mut self) -> Result<()> {
        self.wait().await?;
        self.failed.clone().map_or(Ok(()), Err)
    }

    async fn end(
        &self,
        operation: &'static str,
        question: Question,
        deadline: Duration,
    ) -> Result<Answer> {
        let pass = self.stream.place(deadline).await?;
        let call = self.stream.connection.ask(operation, question, Bytes::new()).await?;
        let mut call = call.with(pass);
        Ok(call.wait(deadline).await?.0)
    }
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn write(&mut self, mut chunk: Bytes) -> Result<()> {
        self.settle().await?;
        let deadline = self.stream.supervisor.deadlines().write;
        while !chunk.is_empty() {
            let part = chunk.split_to(chunk.len().min(CHUNK_BYTES_MAX));
            // a future that is dropped now has lost some of what it was given
            self.failed = Some(PluginError::unexpected("a write was given up in the middle"));
            let pass = match self.stream.place(deadline).await {
                Ok(pass) => pass,
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            };
            let question = Question::Write(self.stream.handle);
            match self.stream.connection.ask("write", question, part).await {
                Ok(call) => self.pending = Some(call.with(pass)),
                Err(error) => {
                    self.failed = Some(error.clone());
                    return Err(error);
                }
            }
            if chunk.is_empty() {
                self.failed = None;
            }
            self.wait().await?;
        }
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        self.settle().await?;
        let deadline = self.stream.supervisor.deadlines().finish;
        meta(self.end("finish", Question::Finish(self.stream.handle), deadline).await?)
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // What failed before does not matter now; only an open call must end first.
        if let Err(error) = self.settle().await
            && error.kind == PluginErrorKind::DeadlineExceeded
        {
            return Err(error);
        }
        let deadline = self.stream.supervisor.deadlines().question;
        done(&self.end("abort", Question::Abort(self.stream.handle), deadline).await?)
    }
}
