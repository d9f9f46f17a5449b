//! Where the plugin's answers come in: each is kept until somebody takes it, or released if nobody will.

use std::{
    collections::HashMap,
    ffi::c_void,
    ptr,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use boxvault_plugin_sdk::{
    Bytes, abi,
    crossing::{self, size_of_table},
};

use crate::case::{Finding, ensure};

/// A call that is not answered for so long hangs.
const DEADLINE: Duration = Duration::from_secs(30);

/// The longest error message that makes sense, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// Every error that there is.
const ERRORS: std::ops::RangeInclusive<u32> = abi::ERROR_UNEXPECTED..=abi::ERROR_CONTRACT_VIOLATION;

/// What came back for one call. Released when dropped.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u32,
    pub(super) value: u64,
    pub(super) data: Bytes,
    pub(super) handle: Option<Handle>,
    size: u32,
    data_is_right: bool,
}

/// A handle that the plugin gave; released once, when dropped, by whichever thread that does.
#[derive(Debug)]
pub(super) struct Handle {
    pointer: *mut c_void,
    release: Option<unsafe extern "C" fn(*mut c_void)>,
}

// SAFETY: the table says that handles are used and released from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    pub(super) const fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(release) = self.release {
            // SAFETY: given to us with the answer, and released here alone.
            unsafe { release(self.pointer) };
        }
    }
}

#[derive(Debug)]
enum Slot {
    /// Somebody waits, or will.
    Wanted(Option<Answer>),
    /// Nobody does: the answer is released when it comes.
    Unwanted,
}

/// All calls that were started.
#[derive(Debug)]
pub(super) struct Desk {
    slots: Mutex<HashMap<u64, Slot>>,
    came: Condvar,
    next: AtomicU64,
    twice: AtomicU64,
}

impl Desk {
    /// One that lives as long as the plugin may answer: for ever.
    pub(super) fn leak() -> &'static Self {
        Box::leak(Box::new(Self {
            slots: Mutex::default(),
            came: Condvar::new(),
            next: AtomicU64::new(1),
            twice: AtomicU64::new(0),
        }))
    }

    /// How many answers came to calls that had one.
    pub(super) fn answered_twice(&self) -> u64 {
        self.twice.load(Ordering::Relaxed)
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<u64, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a call; its answer is waited for with [`Self::wait`].
    pub(super) fn start(&'static self, call: impl FnOnce(abi::Completion)) -> u64 {
        self.begin(Slot::Wanted(None), call)
    }

    /// Starts a call whose answer nobody takes.
    pub(super) fn start_unwanted(&'static self, call: impl FnOnce(abi::Completion)) -> u64 {
        self.begin(Slot::Unwanted, call)
    }

    fn begin(&'static self, slot: Slot, call: impl FnOnce(abi::Completion)) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.slots().insert(number, slot);
        let host = ptr::from_ref(self).cast_mut().cast();
        call(abi::Completion { host, call: number, done: Some(done) });
        number
    }

    /// Waits for an answer, and looks at what must be true of each.
    pub(super) fn wait(&self, number: u64) -> Result<Answer, Finding> {
        let end = Instant::now() + DEADLINE;
        let mut slots = self.slots();
        loop {
            if let Some(Slot::Wanted(answer)) = slots.get_mut(&number)
                && let Some(answer) = answer.take()
            {
                slots.remove(&number);
                drop(slots);
                answer.check()?;
                return Ok(answer);
            }
            let left = end.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "a call was not answered within {DEADLINE:?}");
            slots = self.came.wait_timeout(slots, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Starts a call and waits for its answer.
    pub(super) fn ask(
        &'static self,
        call: impl FnOnce(abi::Completion),
    ) -> Result<Answer, Finding> {
        let number = self.start(call);
        self.wait(number)
    }

    /// Waits until nobody owes an answer any more.
    pub(super) fn wait_for_all(&self) -> Result<(), Finding> {
        let end = Instant::now() + DEADLINE;
        let mut slots = self.slots();
        while !slots.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            ensure!(!left.is_zero(), "{} calls were not answered within {DEADLINE:?}", slots.len());
            slots = self.came.wait_timeout(slots, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(())
    }

    fn answer(&self, number: u64, answer: Answer) {
        let mut slots = self.slots();
        let unwanted = match slots.get_mut(&number) {
            Some(Slot::Wanted(place @ None)) => {
                *place = Some(answer);
                None
            }
            Some(Slot::Unwanted) => {
                slots.remove(&number);
                Some(answer)
            }
            Some(Slot::Wanted(Some(_))) | None => {
                self.twice.fetch_add(1, Ordering::Relaxed);
                #[expect(clippy::mem_forget, reason = "what a second answer carries is not ours")]
                std::mem::forget(answer);
                None
            }
        };
        drop(slots);
        self.came.notify_all();
        drop(unwanted);
    }
}

impl Answer {
    pub(super) const fn is_error(&self) -> bool {
        self.status >= abi::ERROR_UNEXPECTED
    }

    /// The handle that the call promised.
    pub(super) fn into_handle(self) -> Result<Handle, Finding> {
        let (status, text) = (self.status, String::from_utf8_lossy(&self.data).into_owned());
        ensure!(!self.is_error(), "answered with error {status}: {text}");
        self.handle.ok_or_else(|| Finding::Failed("answered without a handle".to_owned()))
    }

    fn check(&self) -> Result<(), Finding> {
        ensure!(
            (16..=4096).contains(&self.size),
            "an outcome says that it has {} bytes",
            self.size
        );
        ensure!(self.data_is_right, "an outcome has a length and no bytes");
        if !self.is_error() {
            let known = matches!(self.status, abi::STATUS_OK | abi::STATUS_END);
            ensure!(known, "an outcome has status {}", self.status);
            return Ok(());
        }
        ensure!(ERRORS.contains(&self.status), "an outcome has error {}", self.status);
        ensure!(self.handle.is_none(), "a failure came with a handle");
        let message = std::str::from_utf8(&self.data);
        ensure!(message.is_ok(), "an error message is not UTF-8");
        ensure!(!self.data.is_empty(), "an error says nothing");
        ensure!(self.data.len() <= MESSAGE_BYTES_MAX, "an error says {} bytes", self.data.len());
        let panicked = self.status == abi::ERROR_PANICKED;
        ensure!(!panicked, "it panicked: {}", message.unwrap_or_default());
        Ok(())
    }
}

/// The `done` of every completion.
unsafe extern "C" fn done(host: *mut c_void, call: u64, outcome: *const abi::Outcome) {
    // SAFETY: what `begin` put there, which lives for ever.
    let Some(desk) = (unsafe { host.cast::<Desk>().as_ref() }) else { return };
    if outcome.is_null() {
        let answer = Answer {
            status: u32::MAX,
            value: 0,
            data: Bytes::new(),
            handle: None,
            size: 0,
            data_is_right: true,
        };
        return desk.answer(call, answer);
    }
    // SAFETY: the plugin passes an outcome that is good for this call; it begins with its size.
    let size = unsafe { (*outcome).size };
    // SAFETY: so many bytes are there.
    let outcome =
        unsafe { crossing::read_sized(outcome, size.min(size_of_table::<abi::Outcome>())) };
    // SAFETY: given to us with the answer.
    let data = unsafe { crossing::adopt(outcome.data) };
    let handle = (!outcome.handle.is_null())
        .then_some(Handle { pointer: outcome.handle, release: outcome.release });
    desk.answer(
        call,
        Answer {
            status: outcome.status,
            value: outcome.value,
            data_is_right: data.is_ok(),
            data: data.unwrap_or_default(),
            handle,
            size,
        },
    );
}

/// What the host offers, in a version with `extra` bytes behind what is known today, or cut to `size` bytes.
pub(super) fn host(size: u32) -> *const abi::Host {
    /// A host of a later minor version.
    #[repr(C)]
    struct Later {
        host: abi::Host,
        more: [u64; 8],
    }
    let host = abi::Host {
        size,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        log_level_max: abi::LOG_TRACE,
        reserved: 0,
        context: ptr::null_mut(),
        log: Some(log),
    };
    let later = Box::leak(Box::new(Later { host, more: [0x4141_4141_4141_4141; 8] }));
    ptr::from_ref(later).cast()
}

/// The size of today's host table.
pub(super) const HOST_SIZE: u32 = size_of_table::<abi::Host>();

unsafe extern "C" fn log(_: *mut c_void, _: u32, _: abi::Str, message: abi::Str) {
    // SAFETY: the plugin lends the text for this call. It is looked at, so that a bad one is found.
    let message = unsafe { crossing::borrow(message) };
    debug_assert!(message.is_ok(), "a line has a length and no bytes");
}
