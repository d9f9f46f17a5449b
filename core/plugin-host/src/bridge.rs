//! The one place where async Rust meets the callbacks of the C table.
//!
//! A call gets a number, not a pointer: the number is looked up when the plugin answers, so a second
//! answer, or one to a call that never was, finds nothing and corrupts nothing. A future that is
//! dropped leaves its entry behind; the late answer is released then, and until then the entry keeps
//! the handle alive that the plugin is still working on. That is also why the number of open calls
//! is limited: a plugin that hangs costs a bounded amount of memory.
#![expect(unsafe_code, reason = "takes answers from the C table and releases its handles")]

use std::{
    collections::HashMap,
    ffi::c_void,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind, Result, abi, crossing};
use bytes::Bytes;
use tokio::{sync::oneshot, time::timeout};
use tracing::warn;

use crate::{
    counters::{LastError, PluginCounters, Tally},
    gate::Pass,
};

/// The longest error message that is taken from a plugin, in bytes; the rest is cut off.
const MESSAGE_BYTES_MAX: usize = 4096;

/// An instance, reader or writer of a plugin; released when the last owner drops it.
#[derive(Debug)]
pub(crate) struct Handle {
    pointer: *mut c_void,
    release: Option<unsafe extern "C" fn(*mut c_void)>,
    /// The instance that a reader or writer belongs to: it is released later.
    parent: Option<Arc<Self>>,
}

// SAFETY: the table says that every function may be called from any thread, `release` included.
unsafe impl Send for Handle {}
// SAFETY: as above; a shared handle is only passed to the plugin's functions.
unsafe impl Sync for Handle {}

impl Handle {
    pub(crate) fn as_ptr(&self) -> *mut c_void {
        self.pointer
    }

    /// Keeps the instance alive for as long as this handle.
    pub(crate) fn child_of(mut self, parent: &Arc<Self>) -> Arc<Self> {
        self.parent = Some(Arc::clone(parent));
        Arc::new(self)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: the plugin gave the pair to us; this is the only call, and no other call on
            // the handle is open, because every open call owns a share of it.
            unsafe { release(self.pointer) };
        }
    }
}

/// A good answer, in safe words.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) end: bool,
    pub(crate) value: u64,
    pub(crate) time: Option<SystemTime>,
    pub(crate) data: Bytes,
    handle: Option<Handle>,
}

impl Reply {
    /// The handle that the call promised.
    pub(crate) fn into_handle(self) -> Result<Handle> {
        self.handle.ok_or_else(|| crossing::violation("the plugin answered without a handle"))
    }

    /// The text that the call promised.
    pub(crate) fn into_text(self) -> Result<String> {
        String::from_utf8(self.data.into())
            .map_err(|_| crossing::violation("the plugin answered with text that is not UTF-8"))
    }
}

/// A call that is open.
#[derive(Debug)]
struct Open {
    answer: oneshot::Sender<Result<Reply>>,
    _keep: Option<Arc<Handle>>,
    /// Whether its deadline is over.
    is_hung: bool,
    /// Its place among the open calls of an entry.
    _pass: Option<Pass>,
}

/// A call that somebody waits for.
#[derive(Debug)]
pub(crate) struct Call {
    answer: oneshot::Receiver<Result<Reply>>,
    number: u64,
    operation: &'static str,
    bridge: &'static Bridge,
}

impl Call {
    /// Waits for the answer.
    ///
    /// # Cancel safety
    /// Safe: the answer stays, also after a deadline, and can be waited for again.
    pub(crate) async fn wait(&mut self, deadline: Duration) -> Result<Reply> {
        if let Ok(answer) = self.answer.try_recv() {
            return answer; // it answered inline; no timer is needed
        }
        match timeout(deadline, &mut self.answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(PluginError::unexpected("the answer was already taken")),
            Err(_) => {
                let message = format!("no answer to {} within {deadline:?}", self.operation);
                let error = PluginError::new(PluginErrorKind::DeadlineExceeded, message);
                self.bridge.tally.failed(&error);
                self.bridge.hangs(self.number);
                Err(error)
            }
        }
    }
}

/// All open calls of one library. Lives for ever, like the library.
#[derive(Debug)]
pub(crate) struct Bridge {
    pub(crate) plugin: String,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
    in_flight_max: usize,
    tally: Tally,
}

impl Bridge {
    pub(crate) fn leak(plugin: String, in_flight_max: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            plugin,
            open: Mutex::default(),
            next: AtomicU64::new(1),
            in_flight_max,
            tally: Tally::default(),
        }))
    }

    pub(crate) fn counters(&self) -> PluginCounters {
        let in_flight = self.open().len();
        self.tally.snapshot(in_flight)
    }

    /// Counts an answer that breaks the contract in a way that only the caller sees.
    pub(crate) fn violation(&self, message: &str) -> PluginError {
        let error = crossing::violation(message);
        self.tally.failed(&error);
        error
    }

    pub(crate) fn last_error(&self) -> Option<LastError> {
        self.tally.last_error()
    }

    /// Marks a call as hung until it is answered.
    fn hangs(&self, call: u64) {
        if let Some(open) = self.open().get_mut(&call)
            && !mem::replace(&mut open.is_hung, true)
        {
            Tally::add(&self.tally.hung);
        }
    }

    /// Starts a call: `function` passes the completion to the plugin. `keep` stays alive until the
    /// plugin has answered, and so does `pass`.
    pub(crate) fn start(
        &'static self,
        operation: &'static str,
        (keep, pass): (Option<&Arc<Handle>>, Option<Pass>),
        function: impl FnOnce(abi::Completion),
    ) -> Result<Call> {
        let (sender, receiver) = oneshot::channel();
        let call = self.next.fetch_add(1, Ordering::Relaxed);
        {
            let mut open = self.open();
            if open.len() >= self.in_flight_max {
                let message = format!("{} calls are open already", open.len());
                return Err(PluginError::unavailable(message));
            }
            let keep = keep.map(Arc::clone);
            open.insert(call, Open { answer: sender, _keep: keep, is_hung: false, _pass: pass });
        }
        Tally::add(&self.tally.calls);
        let host = ptr::from_ref(self).cast_mut().cast::<c_void>();
        function(abi::Completion { host, call, done: Some(done) });
        Ok(Call { answer: receiver, number: call, operation, bridge: self })
    }

    /// Starts a call on a handle, and keeps the handle until the plugin has answered.
    pub(crate) fn start_on(
        &'static self,
        operation: &'static str,
        (handle, pass): (&Arc<Handle>, Option<Pass>),
        function: impl FnOnce(*mut c_void, abi::Completion),
    ) -> Result<Call> {
        let pointer = handle.as_ptr();
        self.start(operation, (Some(handle), pass), |done| function(pointer, done))
    }

    /// Starts a call on a handle and waits for the answer.
    pub(crate) async fn call_on(
        &'static self,
        operation: &'static str,
        on: (&Arc<Handle>, Option<Pass>),
        deadline: Duration,
        function: impl FnOnce(*mut c_void, abi::Completion) + Send,
    ) -> Result<Reply> {
        self.start_on(operation, on, function)?.wait(deadline).await
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Open>> {
        // Nothing panics while holding the lock; if something did, the map is still whole.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, call: u64, outcome: *const abi::Outcome) {
        let Some(open) = self.open().remove(&call) else {
            Tally::add(&self.tally.violations);
            warn!(
                plugin = self.plugin,
                call, "ignored an answer to a call that is not open; the plugin answered twice"
            );
            return;
        };
        // SAFETY: the plugin passes an outcome that is good for this call, or null; and the call was
        // open, so what the outcome carries is given to us for the first time.
        let reply = unsafe { read_outcome(outcome) };
        if open.is_hung {
            self.tally.hung.fetch_sub(1, Ordering::Relaxed);
        }
        if let Err(error) = &reply {
            self.tally.failed(error);
        }
        // Nobody waits any more? Then the reply comes back and drops here, which releases it.
        drop(open.answer.send(reply));
    }
}

/// The `done` of every completion.
unsafe extern "C" fn done(host: *mut c_void, call: u64, outcome: *const abi::Outcome) {
    // SAFETY: `host` is what `start` put there, a bridge that lives for ever, or null.
    let Some(bridge) = (unsafe { host.cast::<Bridge>().as_ref() }) else { return };
    if catch_unwind(AssertUnwindSafe(|| bridge.answer(call, outcome))).is_err() {
        Tally::add(&bridge.tally.violations);
    }
}

/// Takes over what an outcome carries.
///
/// # Safety
/// `outcome` is null, or good as the table says, and its handle and bytes are given to us.
unsafe fn read_outcome(outcome: *const abi::Outcome) -> Result<Reply> {
    if outcome.is_null() {
        return Err(crossing::violation("the plugin answered with no outcome"));
    }
    // SAFETY: not null; every version of the struct starts with its size.
    let size = unsafe { (*outcome).size };
    // SAFETY: the plugin says that so many bytes are there.
    let outcome = unsafe { crossing::read_sized(outcome, size) };
    // SAFETY: given to us with the outcome, and taken over only here.
    let data = unsafe { crossing::adopt(outcome.data) };
    let handle = (!outcome.handle.is_null()).then(|| Handle {
        pointer: outcome.handle,
        release: outcome.release,
        parent: None,
    });
    let (value, time) = (outcome.value, crossing::time_from_ms(outcome.time_ms));
    match outcome.status {
        abi::STATUS_OK => Ok(Reply { end: false, value, time, data: data?, handle }),
        abi::STATUS_END => Ok(Reply { end: true, value, time, data: data?, handle }),
        number => {
            let text = data.unwrap_or_default();
            let text = text.get(..MESSAGE_BYTES_MAX).unwrap_or(&text);
            let message = String::from_utf8_lossy(text);
            Err(PluginError::new(PluginErrorKind::from_number(number), message)
                .with_retry(outcome.retry != 0))
        }
    }
}
