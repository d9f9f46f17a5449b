//! A loaded storage plugin as the trait that its author wrote.
//!
//! What the plugin answers is not believed: keys of a listing are checked for order and prefix, a
//! range is clipped here too, a path must be absolute. Errors say which plugin failed on what.
#![expect(unsafe_code, reason = "calls the functions of the storage table")]

mod direct;

use std::{
    ffi::{OsString, c_void},
    fmt,
    os::unix::ffi::OsStringExt,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use boxvault_plugin_sdk::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PluginError, PluginErrorKind, PresignOptions, Result, StorageBackend,
    WriteOptions, abi,
    crossing::{self, lend, size_of_table},
    storage::{LIST_LIMIT_MAX, check_key},
};
use bytes::Bytes;
use tracing::warn;

use crate::{
    bridge::{Bridge, Call, Handle, Reply},
    counters::PluginCounters,
    gate::{self, Gate, Pass},
    library::{Library, PluginInfo, Table},
    options::{Deadlines, HostOptions},
    probe::{self, ProbeReport},
    status::PluginStatus,
};

/// An instance of a storage plugin. Cloning is cheap and shares the instance.
#[derive(Clone, Debug)]
pub struct LoadedStorage {
    instance: Arc<Instance>,
}

#[derive(Debug)]
struct Instance {
    library: Arc<Library>,
    table: abi::StorageTable,
    local_path: Option<abi::LocalPathTable>,
    presign: Option<abi::PresignTable>,
    unfinished: Option<abi::UnfinishedTable>,
    handle: Arc<Handle>,
    /// What the plugin declares, true or not.
    declared: Capabilities,
    /// What works; the probe takes away what does not.
    capabilities: AtomicU64,
    deadlines: Deadlines,
    gate: Option<Gate>,
}

impl LoadedStorage {
    pub(crate) async fn create(
        library: Arc<Library>,
        config: &str,
        options: &HostOptions,
    ) -> Result<Self> {
        let (deadlines, gate) = (options.deadlines, Gate::new(options.calls));
        let Table::Storage { table, local_path, presign, unfinished } = library.table else {
            return Err(PluginError::unsupported("storage"));
        };
        let handle =
            library.instance(table.validate, table.create, config, deadlines.create).await?;
        let capabilities = function(table.capabilities)?;
        // SAFETY: the handle is an instance of this table, and alive.
        let bits = unsafe { capabilities(handle.as_ptr()) };
        let declared = Capabilities::from_bits(bits);
        let capabilities = believable(declared, local_path, presign, unfinished);
        Ok(Self {
            instance: Arc::new(Instance {
                library,
                table,
                local_path,
                presign,
                unfinished,
                handle: Arc::new(handle),
                declared,
                capabilities: AtomicU64::new(capabilities.bits()),
                deadlines,
                gate,
            }),
        })
    }

    /// What the plugin says about itself.
    pub fn info(&self) -> &PluginInfo {
        &self.instance.library.info
    }

    /// What the plugin has done so far, all its instances together.
    pub fn counters(&self) -> PluginCounters {
        self.instance.library.bridge.counters()
    }

    /// What can be said of the plugin now.
    pub fn status(&self) -> PluginStatus {
        self.instance.library.status()
    }

    /// What the plugin declares, true or not.
    pub fn declared(&self) -> Capabilities {
        self.instance.declared
    }

    /// Switches off what was found not to be true before.
    pub(crate) fn restrict(&self, working: Capabilities) {
        self.instance.capabilities.fetch_and(working.bits(), Ordering::Relaxed);
    }

    /// Tries out what the backend declares, and switches off what is not true, with a warning.
    ///
    /// Writes, reads and removes one small object under `probe/`.
    ///
    /// # Errors
    /// Whatever kept the object from being written, read or removed: the store is not usable.
    pub async fn probe(&self) -> Result<ProbeReport> {
        let report = probe::run(self).await?;
        for (capability, reason) in &report.switched_off {
            let name: String = capability.names().collect();
            warn!(
                plugin = %self.info().name, capability = %name, %reason,
                "switched off what the storage plugin declares and does not do"
            );
        }
        self.instance.capabilities.store(report.working.bits(), Ordering::Relaxed);
        Ok(report)
    }
}

/// Without the table of an extension, its capability is not there.
fn believable(
    declared: Capabilities,
    local_path: Option<abi::LocalPathTable>,
    presign: Option<abi::PresignTable>,
    unfinished: Option<abi::UnfinishedTable>,
) -> Capabilities {
    let mut capabilities = declared;
    if local_path.is_none_or(|table| table.local_path.is_none()) {
        capabilities = capabilities.without(Capabilities::LOCAL_PATH);
    }
    if presign.is_none_or(|table| table.presign_read.is_none()) {
        capabilities = capabilities.without(Capabilities::PRESIGN_READ);
    }
    if unfinished.is_none_or(|t| t.list_unfinished.is_none() || t.abort_unfinished.is_none()) {
        capabilities = capabilities.without(Capabilities::LIST_UNFINISHED);
    }
    // what nobody finishes must be found
    if !capabilities.contains(Capabilities::LIST_UNFINISHED)
        || presign.is_none_or(|t| {
            t.direct_begin.is_none() || t.direct_part.is_none() || t.direct_finish.is_none()
        })
    {
        capabilities = capabilities.without(Capabilities::PRESIGN_WRITE);
    }
    capabilities
}

/// A function of a table; the handshake has checked that the required ones are there.
fn function<F>(function: Option<F>) -> Result<F> {
    function.ok_or_else(|| PluginError::unsupported("this operation"))
}

impl Instance {
    fn bridge(&self) -> &'static Bridge {
        self.library.bridge
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::from_bits(self.capabilities.load(Ordering::Relaxed))
    }

    fn require(&self, capability: Capabilities, what: &str) -> Result<()> {
        if self.capabilities().contains(capability) {
            Ok(())
        } else {
            Err(PluginError::unsupported(what))
        }
    }

    /// Asks the instance a small question.
    async fn ask(
        &self,
        operation: &'static str,
        function: impl FnOnce(*mut c_void, abi::Completion) + Send,
    ) -> Result<Reply> {
        let deadline = self.deadlines.question;
        let pass = gate::enter(self.gate.as_ref(), deadline).await?;
        self.bridge().call_on(operation, (&self.handle, pass), deadline, function).await
    }

    /// A place for a call that goes on with a reader or writer.
    async fn place(&self, deadline: Duration) -> Result<Option<Pass>> {
        gate::go_on(self.gate.as_ref(), deadline).await
    }

    /// Reads the answer to a listing, and holds it to what was asked: prefix, key before, limit.
    fn listing(
        &self,
        reply: Result<Reply>,
        (prefix, after, limit): (&str, &str, u32),
    ) -> Result<Vec<ObjectEntry>> {
        let entries = reply.and_then(|reply| entries(&reply)).and_then(|entries| {
            check_listing(&entries, prefix, after, limit)
                .map_err(|problem| self.bridge().violation(problem))?;
            Ok(entries)
        });
        entries.map_err(self.failed("list", format_args!("{prefix:?}")))
    }

    /// Says which plugin failed on what.
    fn failed(
        &self,
        doing: &str,
        what: impl fmt::Display,
    ) -> impl FnOnce(PluginError) -> PluginError {
        let context =
            format!("storage plugin {:?} could not {doing} {what}", self.library.info.name);
        |error| error.context(context)
    }
}

fn meta(reply: Reply) -> Result<ObjectMeta> {
    let (size, modified) = (reply.value, reply.time);
    let etag = reply.into_text()?;
    Ok(ObjectMeta::of_size(size).modified(modified).etag((!etag.is_empty()).then_some(etag)))
}

#[async_trait]
impl StorageBackend for LoadedStorage {
    fn capabilities(&self) -> Capabilities {
        self.instance.capabilities()
    }

    async fn health(&self) -> Result<()> {
        let this = &*self.instance;
        let health = function(this.table.health)?;
        // SAFETY: the table's `health` on one of its instances.
        let answer = this.ask("health", |instance, done| unsafe { health(instance, done) });
        answer.await.map(drop).map_err(this.failed("reach", "its store"))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        check_key(key)?;
        let this = &*self.instance;
        let stat = function(this.table.stat)?;
        // SAFETY: the table's `stat` on one of its instances; the key is lent for the call.
        let call = this.ask("stat", |instance, done| unsafe { stat(instance, lend(key), done) });
        call.await.and_then(meta).map_err(this.failed("look up", key))
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        check_key(key)?;
        let this = &self.instance;
        let read_open = function(this.table.read_open)?;
        // Without ranges the plugin reads from the start, and the reader below throws away.
        let ranged = this.capabilities().contains(Capabilities::RANGE_READ);
        let (offset, skip) = if ranged { (range.offset, 0) } else { (0, range.offset) };
        let length = range.length.filter(|_| ranged).unwrap_or(abi::LENGTH_TO_END);
        let call = this.ask("open for reading", |instance, done| {
            // SAFETY: the table's `read_open` on one of its instances; the key is lent.
            unsafe { read_open(instance, lend(key), offset, length, done) }
        });
        let handle = call.await.and_then(Reply::into_handle).map_err(this.failed("open", key))?;
        Ok(Box::new(LoadedReader {
            handle: handle.child_of(&this.handle),
            instance: Arc::clone(this),
            key: key.to_owned(),
            pending: None,
            skip,
            remaining: range.length.unwrap_or(u64::MAX),
            ended: false,
        }))
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        check_key(key)?;
        let this = &self.instance;
        let write_open = function(this.table.write_open)?;
        let options = abi::WriteOptions {
            size: size_of_table::<abi::WriteOptions>(),
            reserved: 0,
            size_hint: options.size_hint.unwrap_or(abi::SIZE_UNKNOWN),
        };
        let call = this.ask("open for writing", |instance, done| {
            // SAFETY: the table's `write_open` on one of its instances; key and options are lent.
            unsafe { write_open(instance, lend(key), &raw const options, done) }
        });
        let handle = call.await.and_then(Reply::into_handle).map_err(this.failed("create", key))?;
        Ok(Box::new(LoadedWriter {
            handle: handle.child_of(&this.handle),
            instance: Arc::clone(this),
            key: key.to_owned(),
            pending: None,
            failed: None,
        }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let this = &*self.instance;
        let remove = function(this.table.remove)?;
        // SAFETY: the table's `remove` on one of its instances; the key is lent for the call.
        let call =
            this.ask("delete", |instance, done| unsafe { remove(instance, lend(key), done) });
        call.await.map(drop).map_err(this.failed("delete", key))
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let this = &*self.instance;
        this.require(Capabilities::LIST, "listing")?;
        let limit = limit.min(LIST_LIMIT_MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let list = function(this.table.list)?;
        let after = after.unwrap_or_default();
        let call = this.ask("list", |instance, done| {
            // SAFETY: the table's `list` on one of its instances; the texts are lent for the call.
            unsafe { list(instance, lend(prefix), lend(after), limit, done) }
        });
        this.listing(call.await, (prefix, after, limit))
    }

    async fn local_path(&self, key: &str) -> Result<PathBuf> {
        check_key(key)?;
        let this = &*self.instance;
        this.require(Capabilities::LOCAL_PATH, "local paths")?;
        let local_path = function(this.local_path.and_then(|table| table.local_path))?;
        let call = this.ask("local path", |instance, done| {
            // SAFETY: the extension's function on one of its instances; the key is lent.
            unsafe { local_path(instance, lend(key), done) }
        });
        let path = call.await.and_then(|reply| {
            let path = PathBuf::from(OsString::from_vec(reply.data.into()));
            if path.is_absolute() {
                Ok(path)
            } else {
                Err(this.bridge().violation("the local path is not absolute"))
            }
        });
        path.map_err(this.failed("find the file of", key))
    }

    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        check_key(key)?;
        let this = &*self.instance;
        this.require(Capabilities::PRESIGN_READ, "presigned reading")?;
        let presign = function(this.presign.and_then(|table| table.presign_read))?;
        let call = this.ask("presign", |instance, done| {
            let options = abi::PresignOptions {
                size: size_of_table::<abi::PresignOptions>(),
                reserved: 0,
                expires_in_s: options.expires_in.as_secs(),
                content_disposition: lend(options.content_disposition.as_deref().unwrap_or("")),
                content_type: lend(options.content_type.as_deref().unwrap_or("")),
            };
            // SAFETY: the extension's function on one of its instances; all texts are lent.
            unsafe { presign(instance, lend(key), &raw const options, done) }
        });
        let url = call.await.and_then(Reply::into_text).and_then(|url| this.address(url));
        url.map_err(this.failed("presign", key))
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        check_key(key)?;
        self.instance.begin_direct(key, options).await
    }

    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        check_key(key)?;
        self.instance.presign_part(key, token, options).await
    }

    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        check_key(key)?;
        self.instance.finish_direct(key, token).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let this = &*self.instance;
        this.require(Capabilities::LIST_UNFINISHED, "listing unfinished objects")?;
        let limit = limit.min(LIST_LIMIT_MAX);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let list = function(this.unfinished.and_then(|table| table.list_unfinished))?;
        let after = after.unwrap_or_default();
        let call = this.ask("list unfinished", |instance, done| {
            // SAFETY: the extension's function on one of its instances; the texts are lent.
            unsafe { list(instance, lend(prefix), lend(after), limit, done) }
        });
        this.listing(call.await, (prefix, after, limit))
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let this = &*self.instance;
        this.require(Capabilities::LIST_UNFINISHED, "aborting unfinished objects")?;
        let abort = function(this.unfinished.and_then(|table| table.abort_unfinished))?;
        let call = this.ask("abort unfinished", |instance, done| {
            // SAFETY: the extension's function on one of its instances; the key is lent.
            unsafe { abort(instance, lend(key), done) }
        });
        call.await.map(drop).map_err(this.failed("abort what was begun as", key))
    }
}

/// Reads the rows that a plugin answered a listing with.
fn entries(reply: &Reply) -> Result<Vec<ObjectEntry>> {
    let stride = size_of::<abi::Entry>();
    let count = usize::try_from(reply.value).unwrap_or(usize::MAX);
    if count.checked_mul(stride) != Some(reply.data.len()) {
        return Err(crossing::violation("the length of a listing is not that of its entries"));
    }
    let mut entries = Vec::with_capacity(count);
    for row in reply.data.chunks_exact(stride) {
        // SAFETY: the row is as long as an entry, which is integers and a raw pointer.
        let entry = unsafe { row.as_ptr().cast::<abi::Entry>().read_unaligned() };
        // SAFETY: the key lives as long as the bytes of the reply.
        let key = unsafe { crossing::borrow_text(entry.key) }?;
        let modified = crossing::time_from_ms(entry.modified_ms);
        entries.push(ObjectEntry { key: key.to_owned(), size: entry.size, modified });
    }
    Ok(entries)
}

fn check_listing(
    entries: &[ObjectEntry],
    prefix: &str,
    after: &str,
    limit: u32,
) -> Result<(), &'static str> {
    if entries.len() > limit as usize {
        return Err("a listing is longer than its limit");
    }
    let mut last = after;
    for entry in entries {
        if !entry.key.starts_with(prefix) {
            return Err("a listing holds a key without its prefix");
        }
        if entry.key.as_str() <= last {
            return Err("a listing is not sorted");
        }
        last = &entry.key;
    }
    Ok(())
}

/// A reader of the plugin.
struct LoadedReader {
    instance: Arc<Instance>,
    handle: Arc<Handle>,
    key: String,
    /// A call whose future was dropped; its answer is the next chunk.
    pending: Option<Call>,
    /// Bytes to throw away first, for a plugin without ranges.
    skip: u64,
    remaining: u64,
    ended: bool,
}

#[async_trait]
impl ObjectReader for LoadedReader {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended && self.remaining > 0 {
            let reply = match self.chunk().await {
                Ok(reply) => reply,
                Err(error) => return Err(self.instance.failed("read", &self.key)(error)),
            };
            if reply.end {
                self.ended = true;
                break;
            }
            let chunk = self.clip(reply.data);
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

impl LoadedReader {
    async fn chunk(&mut self) -> Result<Reply> {
        if self.pending.is_none() {
            let read_next = function(self.instance.table.read_next)?;
            let pass = self.instance.place(self.instance.deadlines.read).await?;
            let (bridge, on) = (self.instance.bridge(), (&self.handle, pass));
            // SAFETY: the table's `read_next` on one of its readers; no other call on it is open.
            let call = bridge.start_on("read", on, |reader, done| unsafe {
                read_next(reader, done);
            })?;
            self.pending = Some(call);
        }
        let Some(call) = &mut self.pending else {
            return Err(PluginError::unexpected("a read was not started"));
        };
        let answer = call.wait(self.instance.deadlines.read).await;
        if !matches!(&answer, Err(error) if error.kind == DEADLINE) {
            self.pending = None;
        }
        let reply = answer?;
        if !reply.end && reply.data.is_empty() {
            return Err(self.instance.bridge().violation("a chunk is empty"));
        }
        Ok(reply)
    }

    /// Cuts a chunk down to what was asked for.
    fn clip(&mut self, mut chunk: Bytes) -> Bytes {
        let length = chunk.len() as u64;
        let skipped = self.skip.min(length);
        self.skip -= skipped;
        let kept = (length - skipped).min(self.remaining);
        if self.remaining != u64::MAX {
            self.remaining -= kept;
        }
        let from = usize::try_from(skipped).unwrap_or(chunk.len());
        let to = usize::try_from(skipped + kept).unwrap_or(chunk.len());
        chunk.truncate(to);
        chunk.split_off(from)
    }
}

/// A writer of the plugin. Dropping it releases the plugin's writer, which aborts it.
struct LoadedWriter {
    instance: Arc<Instance>,
    handle: Arc<Handle>,
    key: String,
    /// A write whose future was dropped; it is waited for before anything else.
    pending: Option<Call>,
    /// The first failure; it comes again with every later call.
    failed: Option<PluginError>,
}

const DEADLINE: PluginErrorKind = PluginErrorKind::DeadlineExceeded;

#[async_trait]
impl ObjectWriter for LoadedWriter {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        if chunk.is_empty() {
            return self.settle().await;
        }
        self.settle().await?;
        let started = match self.instance.place(self.instance.deadlines.write).await {
            Ok(pass) => self.start_write(chunk, pass),
            Err(error) => Err(error),
        };
        self.pending = Some(self.remember(started)?);
        self.settle().await
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectMeta> {
        self.settle().await?;
        let this = &*self.instance;
        let finish = function(this.table.write_finish)?;
        let deadline = this.deadlines.finish;
        let pass = this.place(deadline).await.map_err(this.failed("finish", &self.key))?;
        let on = (&self.handle, pass);
        // SAFETY: the table's `write_finish` on one of its writers; no other call on it is open.
        let call = this.bridge().call_on("finish", on, deadline, |writer, done| unsafe {
            finish(writer, done);
        });
        call.await.and_then(meta).map_err(this.failed("finish", &self.key))
    }

    async fn abort(mut self: Box<Self>) -> Result<()> {
        // What failed before does not matter now; only an open call must end first.
        if let Err(error) = self.settle().await
            && error.kind == DEADLINE
        {
            return Err(error);
        }
        let this = &*self.instance;
        let abort = function(this.table.write_abort)?;
        let deadline = this.deadlines.question;
        let pass = this.place(deadline).await.map_err(this.failed("abort", &self.key))?;
        let on = (&self.handle, pass);
        // SAFETY: the table's `write_abort` on one of its writers; no other call on it is open.
        let call = this.bridge().call_on("abort", on, deadline, |writer, done| unsafe {
            abort(writer, done);
        });
        call.await.map(drop).map_err(this.failed("abort", &self.key))
    }
}

impl LoadedWriter {
    fn start_write(&self, chunk: Bytes, pass: Option<Pass>) -> Result<Call> {
        let write = function(self.instance.table.write)?;
        self.instance.bridge().start_on("write", (&self.handle, pass), |writer, done| {
            let chunk = crossing::own(chunk);
            // SAFETY: the table's `write` on one of its writers; no other call on it is open. The
            // chunk is given away.
            unsafe { write(writer, chunk, done) };
        })
    }

    /// Waits for an open write, and reports the first failure for as long as the writer lives.
    async fn settle(&mut self) -> Result<()> {
        if let Some(call) = &mut self.pending {
            let answer = call.wait(self.instance.deadlines.write).await;
            match answer {
                Err(error) if error.kind == DEADLINE => {
                    return Err(self.instance.failed("write", &self.key)(error));
                }
                answer => {
                    self.pending = None;
                    self.remember(answer)?;
                }
            }
        }
        match &self.failed {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    fn remember<T>(&mut self, answer: Result<T>) -> Result<T> {
        answer.map_err(|error| {
            let error = self.instance.failed("write", &self.key)(error);
            self.failed.get_or_insert(error).clone()
        })
    }
}
