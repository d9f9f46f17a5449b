//! The storage table of a [`StoragePlugin`].
//!
//! Readers read ahead, two chunks deep: most `read_next` calls then answer at once, without a thread switch, and memory
//! per transfer stays at a few chunks. Writers run on the host's thread up to their first wait; one that writes behind
//! ([`WriteBehind`](crate::WriteBehind), or a client that uploads parts by itself) answers most calls there and then.

mod direct;

use std::{
    ffi::c_void,
    future::Future,
    marker::PhantomData,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    ptr,
    sync::{Arc, PoisonError},
    time::Duration,
};

use bytes::Bytes;

use super::{Done, Identity, Start, caught, handshake, peek, run};
use crate::{
    abi, config,
    crossing::{self, size_of_table},
    error::{PluginError, Result},
    log,
    runtime::{self, Mutex, Receiver, Sender, TryRecvError, channel},
    storage::{
        ByteRange, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PresignOptions,
        StorageBackend, StoragePlugin, WriteOptions, check_key,
    },
};

/// How many chunks of a reader wait for the host.
const DEPTH: usize = 2;

/// The handshake of a storage plugin.
pub fn storage_handshake<P: StoragePlugin>(identity: Identity) -> abi::Handshake {
    let table = ptr::from_ref(&Exports::<P>::TABLE).cast::<c_void>();
    abi::Handshake {
        extension: Some(extension),
        ..handshake(abi::KIND_STORAGE, identity, config::schema::<P::Config>(), table)
    }
}

/// What an instance handle points to.
type Instance = Arc<dyn StorageBackend>;

/// The functions that depend on the author's type.
struct Exports<P>(PhantomData<P>);

impl<P: StoragePlugin> Exports<P> {
    const TABLE: abi::StorageTable = abi::StorageTable {
        size: size_of_table::<abi::StorageTable>(),
        reserved: 0,
        validate: Some(Self::validate),
        create: Some(Self::create),
        capabilities: Some(capabilities),
        health: Some(health),
        stat: Some(stat),
        read_open: Some(read_open),
        read_next: Some(read_next),
        write_open: Some(write_open),
        write: Some(write),
        write_finish: Some(write_finish),
        write_abort: Some(write_abort),
        remove: Some(remove),
        list: Some(list),
    };

    unsafe extern "C" fn validate(
        host: *const abi::Host,
        config: abi::Str,
        completion: abi::Completion,
    ) {
        // SAFETY: the host table is valid for ever.
        unsafe { log::connect(host) };
        // SAFETY: the text is lent for this call.
        let config = unsafe { crossing::borrow(config) }.and_then(config::parse::<P::Config>);
        let future = config.map(|config| async move { P::validate(&config) });
        run(Start::OnThePluginsThreads, completion, future, |done, ()| done.ok());
    }

    unsafe extern "C" fn create(
        host: *const abi::Host,
        config: abi::Str,
        completion: abi::Completion,
    ) {
        // SAFETY: the host table is valid for ever.
        unsafe { log::connect(host) };
        // SAFETY: the text is lent for this call.
        let config = unsafe { crossing::borrow(config) }.and_then(config::parse::<P::Config>);
        let future = config.map(P::create);
        run(Start::OnThePluginsThreads, completion, future, |done, backend| {
            done.handle::<Instance>(Arc::from(backend));
        });
    }
}

static LOCAL_PATH: abi::LocalPathTable = abi::LocalPathTable {
    size: size_of_table::<abi::LocalPathTable>(),
    reserved: 0,
    local_path: Some(local_path),
};

static PRESIGN: abi::PresignTable = abi::PresignTable {
    size: size_of_table::<abi::PresignTable>(),
    reserved: 0,
    presign_read: Some(presign_read),
    direct_begin: Some(direct::begin),
    direct_part: Some(direct::part),
    direct_finish: Some(direct::finish),
};

static UNFINISHED: abi::UnfinishedTable = abi::UnfinishedTable {
    size: size_of_table::<abi::UnfinishedTable>(),
    reserved: 0,
    list_unfinished: Some(list_unfinished),
    abort_unfinished: Some(abort_unfinished),
};

unsafe extern "C" fn extension(name: abi::Str) -> *const c_void {
    // SAFETY: the name is lent for this call.
    match unsafe { crossing::borrow_text(name) } {
        Ok(abi::EXTENSION_LOCAL_PATH) => ptr::from_ref(&LOCAL_PATH).cast(),
        Ok(abi::EXTENSION_PRESIGN) => ptr::from_ref(&PRESIGN).cast(),
        Ok(abi::EXTENSION_UNFINISHED) => ptr::from_ref(&UNFINISHED).cast(),
        _ => ptr::null(),
    }
}

/// The instance behind a handle.
///
/// # Safety
/// As in [`peek`].
unsafe fn instance(handle: *mut c_void) -> Result<Instance> {
    // SAFETY: instance handles are made from an `Instance`; the host keeps it during the call.
    unsafe { peek::<Instance>(handle) }.map(Arc::clone)
}

/// The instance behind a handle, and a key for it.
///
/// # Safety
/// As in [`peek`] and [`crossing::borrow`].
unsafe fn instance_and_key(handle: *mut c_void, key: abi::Str) -> Result<(Instance, String)> {
    // SAFETY: the caller keeps the promise.
    let instance = unsafe { instance(handle) }?;
    // SAFETY: the caller keeps the promise.
    let key = unsafe { crossing::borrow_text(key) }?;
    check_key(key)?;
    Ok((instance, key.to_owned()))
}

/// Runs a question about one object.
///
/// # Safety
/// As in [`instance_and_key`].
unsafe fn ask<T: Send + 'static, F: Future<Output = Result<T>> + Send + 'static>(
    handle: *mut c_void,
    key: abi::Str,
    completion: abi::Completion,
    question: impl FnOnce(Instance, String) -> F,
    answer: impl FnOnce(Done, T) + Send + 'static,
) {
    // SAFETY: the caller keeps the promise.
    let found = unsafe { instance_and_key(handle, key) };
    run(Start::Eagerly, completion, found.map(|(instance, key)| question(instance, key)), answer);
}

unsafe extern "C" fn capabilities(handle: *mut c_void) -> u64 {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let Ok(instance) = (unsafe { instance(handle) }) else { return 0 };
    catch_unwind(AssertUnwindSafe(|| instance.capabilities().bits())).unwrap_or(0)
}

unsafe extern "C" fn health(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let instance = unsafe { instance(handle) };
    let future = instance.map(|instance| async move { instance.health().await });
    run(Start::Eagerly, completion, future, |done, ()| done.ok());
}

unsafe extern "C" fn stat(handle: *mut c_void, key: abi::Str, completion: abi::Completion) {
    let question = |instance: Instance, key: String| async move { instance.stat(&key).await };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer_meta) };
}

unsafe extern "C" fn remove(handle: *mut c_void, key: abi::Str, completion: abi::Completion) {
    let question = |instance: Instance, key: String| async move { instance.delete(&key).await };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, |done, ()| done.ok()) };
}

unsafe extern "C" fn local_path(handle: *mut c_void, key: abi::Str, completion: abi::Completion) {
    let question = |instance: Instance, key: String| async move { instance.local_path(&key).await };
    let answer = |done: Done, path: PathBuf| {
        done.data(path.into_os_string().into_encoded_bytes().into());
    };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer) };
}

unsafe extern "C" fn presign_read(
    handle: *mut c_void,
    key: abi::Str,
    options: *const abi::PresignOptions,
    completion: abi::Completion,
) {
    // SAFETY: the host lends the options and their texts for the call.
    let options = unsafe { read_presign_options(options) };
    let question = |instance: Instance, key: String| async move {
        instance.presign_read(&key, options?).await
    };
    let answer = |done: Done, url: String| done.data(url.into());
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, answer) };
}

/// # Safety
/// Null, or options of some version whose texts are valid during the call.
unsafe fn read_presign_options(options: *const abi::PresignOptions) -> Result<PresignOptions> {
    if options.is_null() {
        return Err(crossing::violation("the host passed no options"));
    }
    // SAFETY: not null; the first field is the size.
    let size = unsafe { options.cast::<u32>().read() };
    // SAFETY: the host says that so many bytes are there.
    let options = unsafe { crossing::read_sized(options, size) };
    // SAFETY: lent for the call.
    let disposition = unsafe { crossing::borrow_text(options.content_disposition) }?;
    // SAFETY: lent for the call.
    let content_type = unsafe { crossing::borrow_text(options.content_type) }?;
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Ok(PresignOptions {
        expires_in: Duration::from_secs(options.expires_in_s),
        content_disposition: some(disposition),
        content_type: some(content_type),
    })
}

fn answer_meta(done: Done, meta: ObjectMeta) {
    done.send(&abi::Outcome {
        value: meta.size,
        time_ms: crossing::time_to_ms(meta.modified),
        data: crossing::own(meta.etag.unwrap_or_default().into()),
        ..crossing::outcome(abi::STATUS_OK)
    });
}

unsafe extern "C" fn list(
    handle: *mut c_void,
    prefix: abi::Str,
    after: abi::Str,
    limit: u32,
    completion: abi::Completion,
) {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let instance = unsafe { instance(handle) };
    // SAFETY: the host lends the texts for the call.
    let page = unsafe { page(prefix, after) };
    let future = instance.map(|instance| async move {
        let (prefix, after) = page?;
        instance.list(&prefix, after.as_deref(), limit).await
    });
    run(Start::Eagerly, completion, future, answer_entries);
}

unsafe extern "C" fn list_unfinished(
    handle: *mut c_void,
    prefix: abi::Str,
    after: abi::Str,
    limit: u32,
    completion: abi::Completion,
) {
    // SAFETY: the host passes an instance handle, and keeps it during the call.
    let instance = unsafe { instance(handle) };
    // SAFETY: the host lends the texts for the call.
    let page = unsafe { page(prefix, after) };
    let future = instance.map(|instance| async move {
        let (prefix, after) = page?;
        instance.list_unfinished(&prefix, after.as_deref(), limit).await
    });
    run(Start::Eagerly, completion, future, answer_entries);
}

unsafe extern "C" fn abort_unfinished(
    handle: *mut c_void,
    key: abi::Str,
    completion: abi::Completion,
) {
    let question =
        |instance: Instance, key: String| async move { instance.abort_unfinished(&key).await };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, |done, ()| done.ok()) };
}

/// The prefix of a listing, and the key that it starts after.
///
/// # Safety
/// As in [`crossing::borrow`].
unsafe fn page(prefix: abi::Str, after: abi::Str) -> Result<(String, Option<String>)> {
    // SAFETY: the caller keeps the promise.
    let prefix = unsafe { crossing::borrow_text(prefix) }?;
    // SAFETY: the caller keeps the promise.
    let after = unsafe { crossing::borrow_text(after) }?;
    Ok((prefix.to_owned(), (!after.is_empty()).then(|| after.to_owned())))
}

/// The rows of a listing, and the keys that they point to.
struct Rows {
    _rows: Vec<abi::Entry>,
    _keys: Vec<ObjectEntry>,
}

fn answer_entries(done: Done, entries: Vec<ObjectEntry>) {
    let rows: Vec<_> = entries
        .iter()
        .map(|entry| abi::Entry {
            key: crossing::lend(&entry.key),
            size: entry.size,
            modified_ms: crossing::time_to_ms(entry.modified),
        })
        .collect();
    let (data, len) = (rows.as_ptr().cast::<u8>(), size_of_val(rows.as_slice()) as u64);
    let value = rows.len() as u64;
    let owner = Box::into_raw(Box::new(Rows { _rows: rows, _keys: entries })).cast::<c_void>();
    let data = abi::OwnedBytes { data, len, owner, release: Some(super::release::<Rows>) };
    done.send(&abi::Outcome { value, data, ..crossing::outcome(abi::STATUS_OK) });
}

/// What a reader handle points to.
struct Reader(Arc<Mutex<ReadAhead>>);

struct ReadAhead {
    chunks: Receiver<Result<Option<Bytes>>>,
    /// How it ended; every later call answers the same.
    ended: Option<Result<()>>,
}

unsafe extern "C" fn read_open(
    handle: *mut c_void,
    key: abi::Str,
    offset: u64,
    length: u64,
    completion: abi::Completion,
) {
    let range = ByteRange { offset, length: (length != abi::LENGTH_TO_END).then_some(length) };
    let question = move |instance: Instance, key: String| async move {
        let reader = instance.open_reader(&key, range).await?;
        let (sender, chunks) = channel(DEPTH);
        runtime::spawn(read_ahead(reader, sender))?;
        Ok(Reader(Arc::new(Mutex::new(ReadAhead { chunks, ended: None }))))
    };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, Done::handle) };
}

/// Reads until the end, a failure, or the release of the reader.
async fn read_ahead(mut reader: Box<dyn ObjectReader>, chunks: Sender<Result<Option<Bytes>>>) {
    loop {
        let chunk = caught(reader.next()).await;
        if matches!(&chunk, Ok(Some(bytes)) if bytes.is_empty()) {
            continue;
        }
        let last = !matches!(chunk, Ok(Some(_)));
        if chunks.send(chunk).await.is_err() || last {
            return;
        }
    }
}

impl ReadAhead {
    fn answer(&mut self, done: Done, chunk: Option<Result<Option<Bytes>>>) {
        let ended = match chunk {
            Some(Ok(Some(bytes))) => return done.data(bytes),
            Some(Ok(None)) => Ok(()),
            Some(Err(error)) => Err(error),
            None => Err(PluginError::unexpected("the reader stopped before its end")),
        };
        self.ended = Some(ended);
        self.answer_end(done);
    }

    fn answer_end(&self, done: Done) {
        match &self.ended {
            Some(Err(error)) => done.error(error.clone()),
            _ => done.end(),
        }
    }
}

unsafe extern "C" fn read_next(handle: *mut c_void, completion: abi::Completion) {
    let done = Done::new(completion);
    // SAFETY: the host passes a reader handle, and keeps it during the call.
    let reader = match unsafe { peek::<Reader>(handle) } {
        Ok(Reader(reader)) => Arc::clone(reader),
        Err(error) => return done.error(error),
    };
    if let Ok(mut reader) = reader.try_lock() {
        if reader.ended.is_some() {
            return reader.answer_end(done);
        }
        match reader.chunks.try_recv() {
            Ok(chunk) => return reader.answer(done, Some(chunk)),
            Err(TryRecvError::Disconnected) => return reader.answer(done, None),
            Err(TryRecvError::Empty) => {}
        }
    }
    let started = runtime::spawn(async move {
        let mut reader = reader.lock().await;
        // The call before this one may have found the end while this one waited for the lock.
        if reader.ended.is_some() {
            return reader.answer_end(done);
        }
        let chunk = reader.chunks.recv().await;
        reader.answer(done, chunk);
    });
    log_lost(&started);
}

/// What a writer handle points to.
struct Writer(Arc<Desk>);

/// Where the author's writer lies between two calls. One that is dropped unfinished is aborted.
struct Desk(std::sync::Mutex<State>);

/// What the next call finds.
enum State {
    Open(Box<dyn ObjectWriter>),
    /// A call has taken it.
    Taken,
    /// A write failed: later calls answer the same.
    Failed(Box<dyn ObjectWriter>, PluginError),
    /// It is finished or aborted.
    Spent,
}

impl Desk {
    fn replace(&self, state: State) -> State {
        std::mem::replace(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner), state)
    }

    /// Takes the writer for a call.
    fn take(&self) -> Result<(Box<dyn ObjectWriter>, Option<PluginError>)> {
        match self.replace(State::Taken) {
            State::Open(writer) => Ok((writer, None)),
            State::Failed(writer, error) => Ok((writer, Some(error))),
            State::Taken => Err(crossing::violation("another call on this writer is open")),
            State::Spent => {
                self.replace(State::Spent);
                Err(PluginError::invalid_input("this writer is finished or aborted already"))
            }
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let State::Open(writer) | State::Failed(writer, _) = self.replace(State::Spent) {
            log_lost(&runtime::spawn(abort_quietly(writer)));
        }
    }
}

unsafe extern "C" fn write_open(
    handle: *mut c_void,
    key: abi::Str,
    options: *const abi::WriteOptions,
    completion: abi::Completion,
) {
    // SAFETY: the host lends the options for the call.
    let options = unsafe { read_write_options(options) };
    let question = move |instance: Instance, key: String| async move {
        let writer = instance.open_writer(&key, options).await?;
        Ok(Writer(Arc::new(Desk(std::sync::Mutex::new(State::Open(writer))))))
    };
    // SAFETY: the host passes an instance handle, and lends the key for the call.
    unsafe { ask(handle, key, completion, question, Done::handle) };
}

/// # Safety
/// Null, or options of some version.
unsafe fn read_write_options(options: *const abi::WriteOptions) -> WriteOptions {
    if options.is_null() {
        return WriteOptions::default();
    }
    // SAFETY: not null; the first field is the size.
    let size = unsafe { options.cast::<u32>().read() };
    // SAFETY: the host says that so many bytes are there.
    let options = unsafe { crossing::read_sized(options, size) };
    let known = options.size_hint != abi::SIZE_UNKNOWN;
    WriteOptions::with_size_hint(known.then_some(options.size_hint))
}

async fn abort_quietly(writer: Box<dyn ObjectWriter>) {
    if let Err(error) = caught(writer.abort()).await {
        tracing::warn!("could not abort an unfinished object: {error}");
    }
}

/// The writer behind a handle.
///
/// # Safety
/// As in [`peek`].
unsafe fn desk(handle: *mut c_void) -> Result<Arc<Desk>> {
    // SAFETY: the caller keeps the promise.
    unsafe { peek::<Writer>(handle) }.map(|Writer(desk)| Arc::clone(desk))
}

unsafe extern "C" fn write(
    handle: *mut c_void,
    chunk: abi::OwnedBytes,
    completion: abi::Completion,
) {
    // SAFETY: the host gives the bytes away with this call.
    let chunk = unsafe { crossing::adopt(chunk) };
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    let desk = unsafe { desk(handle) };
    let future = chunk.and_then(|chunk| {
        let desk = desk?;
        let (mut writer, failed) = desk.take()?;
        Ok(async move {
            let outcome = match failed {
                None => caught(writer.write(chunk)).await,
                Some(error) => Err(error),
            };
            let state = match &outcome {
                Ok(()) => State::Open(writer),
                Err(error) => State::Failed(writer, error.clone()),
            };
            desk.replace(state);
            outcome
        })
    });
    run(Start::Eagerly, completion, future, |done, ()| done.ok());
}

unsafe extern "C" fn write_finish(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    let future = unsafe { desk(handle) }.and_then(|desk| {
        let (writer, failed) = desk.take()?;
        desk.replace(State::Spent);
        Ok(async move {
            let Some(error) = failed else { return writer.finish().await };
            abort_quietly(writer).await;
            Err(error)
        })
    });
    run(Start::Eagerly, completion, future, answer_meta);
}

unsafe extern "C" fn write_abort(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    let future = unsafe { desk(handle) }.and_then(|desk| {
        let (writer, _) = desk.take()?;
        desk.replace(State::Spent);
        Ok(async move { writer.abort().await })
    });
    run(Start::Eagerly, completion, future, |done, ()| done.ok());
}

/// A task that could not start was dropped, and its `Done` has answered.
fn log_lost(started: &Result<()>) {
    if let Err(error) = started {
        tracing::error!("could not start an operation: {error}");
    }
}
