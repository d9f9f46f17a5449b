//! The table as a careless host would call it: null handles, null options, text that is none.
//!
//! Every call must be answered exactly once, with an error and not with a crash.

use std::{
    ffi::c_void,
    ptr,
    sync::{
        Mutex,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Entry, Identity, storage_handshake};
use crate::{
    ByteRange, Capabilities, ObjectMeta, ObjectReader, ObjectWriter, PluginError, Result,
    StorageBackend, StoragePlugin, WriteOptions, abi,
    crossing::{self, lend},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

struct Nothing;

impl StoragePlugin for Nothing {
    type Config = Config;

    async fn create(_: Config) -> Result<Box<dyn StorageBackend>> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl StorageBackend for Nothing {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    async fn health(&self) -> Result<()> {
        Ok(())
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        Err(PluginError::not_found(key))
    }

    async fn open_reader(&self, key: &str, _: ByteRange) -> Result<Box<dyn ObjectReader>> {
        Err(PluginError::not_found(key))
    }

    async fn open_writer(&self, _: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        Err(PluginError::unavailable("not here"))
    }

    async fn delete(&self, _: &str) -> Result<()> {
        Ok(())
    }
}

fn table() -> abi::StorageTable {
    static ENTRY: Entry = Entry::new();
    let handshake = ENTRY.handshake(|| {
        storage_handshake::<Nothing>(Identity { name: "nothing", version: "1", license: "MIT" })
    });
    // SAFETY: the entry's handshake is static.
    let handshake = unsafe { *handshake };
    assert_eq!(handshake.magic, abi::MAGIC);
    // SAFETY: a storage handshake points to a static storage table.
    unsafe { *handshake.table.cast::<abi::StorageTable>() }
}

/// Takes answers, and what they carry.
struct Host {
    answers: Mutex<Sender<(u64, u32, usize)>>,
    received: Mutex<Receiver<(u64, u32, usize)>>,
}

unsafe extern "C" fn done(host: *mut c_void, call: u64, outcome: *const abi::Outcome) {
    // SAFETY: the tests pass a leaked host.
    let host = unsafe { &*host.cast::<Host>() };
    // SAFETY: the outcome is good for this call.
    let outcome = unsafe { *outcome };
    // SAFETY: the bytes are given to us.
    drop(unsafe { crossing::adopt(outcome.data) });
    let sent = host.answers.lock().unwrap().send((call, outcome.status, outcome.handle as usize));
    sent.unwrap();
}

impl Host {
    fn leak() -> &'static Self {
        let (sender, receiver) = channel();
        Box::leak(Box::new(Self { answers: Mutex::new(sender), received: Mutex::new(receiver) }))
    }

    fn completion(&self, call: u64) -> abi::Completion {
        abi::Completion { host: ptr::from_ref(self).cast_mut().cast(), call, done: Some(done) }
    }

    /// The one answer to this call.
    fn answer(&self, call: u64) -> (u32, usize) {
        let received = self.received.lock().unwrap();
        let (number, status, handle) = received.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(number, call, "another call was answered");
        (status, handle)
    }
}

const NULL: *mut c_void = ptr::null_mut();
const VIOLATION: (u32, usize) = (abi::ERROR_CONTRACT_VIOLATION, 0);

#[test]
fn null_handles_are_answered_and_not_followed() {
    let (table, host) = (table(), Host::leak());
    let key = lend("key");
    for function in [table.health, table.read_next, table.write_finish, table.write_abort] {
        let function = function.unwrap();
        // SAFETY: a function of the table; the SDK must bear null.
        unsafe { function(NULL, host.completion(1)) };
        assert_eq!(host.answer(1), VIOLATION);
    }
    for function in [table.stat, table.remove] {
        let function = function.unwrap();
        // SAFETY: as above; the key is static.
        unsafe { function(NULL, key, host.completion(2)) };
        assert_eq!(host.answer(2), VIOLATION);
    }
    let read_open = table.read_open.unwrap();
    // SAFETY: as above.
    unsafe { read_open(NULL, key, 0, 1, host.completion(3)) };
    assert_eq!(host.answer(3), VIOLATION);
    let write_open = table.write_open.unwrap();
    // SAFETY: as above; options may be null.
    unsafe { write_open(NULL, key, ptr::null(), host.completion(4)) };
    assert_eq!(host.answer(4), VIOLATION);
    let write = table.write.unwrap();
    // SAFETY: as above; the bytes are given away.
    unsafe { write(NULL, crossing::own(vec![1].into()), host.completion(5)) };
    assert_eq!(host.answer(5), VIOLATION);
    let capabilities = table.capabilities.unwrap();
    // SAFETY: as above.
    assert_eq!(unsafe { capabilities(NULL) }, 0);
}

#[test]
fn text_that_is_none_is_answered_with_an_error() {
    let (table, host) = (table(), Host::leak());
    let create = table.create.unwrap();
    let instance = {
        // SAFETY: the host table may be null; the text is static.
        unsafe { create(ptr::null(), lend("{}"), host.completion(1)) };
        let (status, handle) = host.answer(1);
        assert_eq!(status, abi::STATUS_OK);
        handle as *mut c_void
    };
    let no_bytes = abi::Str { data: ptr::null(), len: 5 };
    let no_utf8 = abi::Str { data: b"\xff\xfe".as_ptr(), len: 2 };
    let stat = table.stat.unwrap();
    for (key, status) in [
        (no_bytes, abi::ERROR_CONTRACT_VIOLATION),
        (no_utf8, abi::ERROR_CONTRACT_VIOLATION),
        (lend("../x"), abi::ERROR_INVALID_INPUT),
        (lend(""), abi::ERROR_INVALID_INPUT),
        (lend("fine"), abi::ERROR_NOT_FOUND),
    ] {
        // SAFETY: a living instance; the text is static, or a length without bytes.
        unsafe { stat(instance, key, host.completion(2)) };
        assert_eq!(host.answer(2), (status, 0));
    }
    for (config, status) in [
        (no_bytes, abi::ERROR_CONTRACT_VIOLATION),
        (no_utf8, abi::ERROR_INVALID_CONFIG),
        (lend("{"), abi::ERROR_INVALID_CONFIG),
        (lend(r#"{"unknown":1}"#), abi::ERROR_INVALID_CONFIG),
    ] {
        // SAFETY: as above.
        unsafe { create(ptr::null(), config, host.completion(3)) };
        assert_eq!(host.answer(3), (status, 0));
    }
}

#[test]
fn a_dropped_duty_to_answer_answers_cancelled() {
    let host = Host::leak();
    drop(super::Done::new(host.completion(1)));
    assert_eq!(host.answer(1), (abi::ERROR_CANCELLED, 0));
}

#[test]
fn what_the_extension_does_not_know_is_null() {
    let handshake =
        storage_handshake::<Nothing>(Identity { name: "nothing", version: "1", license: "MIT" });
    let extension = handshake.extension.unwrap();
    for (name, known) in
        [(abi::EXTENSION_LOCAL_PATH, true), (abi::EXTENSION_PRESIGN, true), ("another", false)]
    {
        // SAFETY: the name is static.
        assert_eq!(!unsafe { extension(lend(name)) }.is_null(), known, "{name}");
    }
}
