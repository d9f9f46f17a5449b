//! The storage table of a [`StoragePlugin`].
//!
//! Readers read ahead and writers write behind, two chunks deep: most `read_next` and `write` calls
//! then answer at once, without a thread switch, and memory per transfer stays at a few chunks. What
//! goes wrong behind the host's back is kept and reported with the next call.

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
    runtime::{self, Mutex, Receiver, Sender, TryRecvError, TrySendError, channel},
    storage::{
        ByteRange, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PresignOptions,
        StorageBackend, StoragePlugin, WriteOptions, check_key,
    },
};

/// How many chunks wait between plugin and host, in each direction.
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
};

unsafe extern "C" fn extension(name: abi::Str) -> *const c_void {
    // SAFETY: the name is lent for this call.
    match unsafe { crossing::borrow_text(name) } {
        Ok(abi::EXTENSION_LOCAL_PATH) => ptr::from_ref(&LOCAL_PATH).cast(),
        Ok(abi::EXTENSION_PRESIGN) => ptr::from_ref(&PRESIGN).cast(),
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
    // SAFETY: lent for the call.
    let prefix = unsafe { crossing::borrow_text(prefix) }.map(ToOwned::to_owned);
    // SAFETY: lent for the call.
    let after = unsafe { crossing::borrow_text(after) }.map(ToOwned::to_owned);
    let future = instance.map(|instance| async move {
        let (prefix, after) = (prefix?, after?);
        let after = (!after.is_empty()).then_some(after.as_str());
        instance.list(&prefix, after, limit).await
    });
    run(Start::Eagerly, completion, future, answer_entries);
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

/// What a writer handle points to. Dropping the queue aborts an unfinished writer.
struct Writer {
    queue: Sender<Order>,
    failed: Failure,
}

/// What a writer's task is told to do.
enum Order {
    Write(Bytes),
    Finish(Done),
    Abort(Done),
}

/// The first failure of a writer; kept, because the call that caused it was answered long ago.
#[derive(Clone, Default)]
struct Failure(Arc<std::sync::Mutex<Option<PluginError>>>);

impl Failure {
    fn get(&self) -> Option<PluginError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, error: PluginError) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
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
        let (queue, orders) = channel(DEPTH);
        let failed = Failure::default();
        runtime::spawn(write_behind(writer, orders, failed.clone()))?;
        Ok(Writer { queue, failed })
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

/// Carries out orders until the writer is finished, aborted or released.
async fn write_behind(
    mut writer: Box<dyn ObjectWriter>,
    mut orders: Receiver<Order>,
    failed: Failure,
) {
    while let Some(order) = orders.recv().await {
        match order {
            Order::Write(chunk) => {
                if failed.get().is_none()
                    && let Err(error) = caught(writer.write(chunk)).await
                {
                    failed.set(error);
                }
            }
            Order::Finish(done) => match failed.get() {
                None => {
                    return match caught(writer.finish()).await {
                        Ok(meta) => answer_meta(done, meta),
                        Err(error) => done.error(error),
                    };
                }
                Some(error) => {
                    abort_quietly(writer).await;
                    return done.error(error);
                }
            },
            Order::Abort(done) => return done.result(caught(writer.abort()).await),
        }
    }
    abort_quietly(writer).await;
}

async fn abort_quietly(writer: Box<dyn ObjectWriter>) {
    if let Err(error) = caught(writer.abort()).await {
        tracing::warn!("could not abort an unfinished object: {error}");
    }
}

unsafe extern "C" fn write(
    handle: *mut c_void,
    chunk: abi::OwnedBytes,
    completion: abi::Completion,
) {
    let done = Done::new(completion);
    // SAFETY: the host gives the bytes away with this call.
    let chunk = match unsafe { crossing::adopt(chunk) } {
        Ok(chunk) => chunk,
        Err(error) => return done.error(error),
    };
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    let writer = match unsafe { peek::<Writer>(handle) } {
        Ok(writer) => writer,
        Err(error) => return done.error(error),
    };
    if let Some(error) = writer.failed.get() {
        return done.error(error);
    }
    match writer.queue.try_send(Order::Write(chunk)) {
        Ok(()) => done.ok(),
        Err(TrySendError::Closed(_)) => done.error(spent()),
        Err(TrySendError::Full(order)) => {
            let (queue, failed) = (writer.queue.clone(), writer.failed.clone());
            let started = runtime::spawn(async move {
                let sent = queue.send(order).await;
                match (sent, failed.get()) {
                    (_, Some(error)) => done.error(error),
                    (Err(_), None) => done.error(spent()),
                    (Ok(()), None) => done.ok(),
                }
            });
            log_lost(&started);
        }
    }
}

unsafe extern "C" fn write_finish(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    unsafe { last_order(handle, Done::new(completion), Order::Finish) };
}

unsafe extern "C" fn write_abort(handle: *mut c_void, completion: abi::Completion) {
    // SAFETY: the host passes a writer handle, and keeps it during the call.
    unsafe { last_order(handle, Done::new(completion), Order::Abort) };
}

/// Hands a writer its last order.
///
/// # Safety
/// As in [`peek`].
unsafe fn last_order(handle: *mut c_void, done: Done, order: impl FnOnce(Done) -> Order) {
    // SAFETY: the caller keeps the promise.
    let queue = match unsafe { peek::<Writer>(handle) } {
        Ok(writer) => writer.queue.clone(),
        Err(error) => return done.error(error),
    };
    match queue.try_send(order(done)) {
        Ok(()) => {}
        Err(TrySendError::Closed(order)) => answer_spent(order),
        Err(TrySendError::Full(order)) => {
            let started = runtime::spawn(async move {
                if let Err(unsent) = queue.send(order).await {
                    answer_spent(unsent.0);
                }
            });
            log_lost(&started);
        }
    }
}

fn answer_spent(order: Order) {
    match order {
        Order::Write(_) => {}
        Order::Finish(done) | Order::Abort(done) => done.error(spent()),
    }
}

fn spent() -> PluginError {
    PluginError::invalid_input("this writer is finished or aborted already")
}

/// A task that could not start was dropped, and its `Done` has answered.
fn log_lost(started: &Result<()>) {
    if let Err(error) = started {
        tracing::error!("could not start an operation: {error}");
    }
}
