//! How a call answers: one completion, exactly once.

use std::ffi::c_void;

use super::{OwnedBytes, Zeroable};

/// `Outcome::time_ms` when the time is not known.
pub const TIME_UNKNOWN: i64 = i64::MIN;

/// How a call ended, and what it brought. Set all to zero, then `size`, then what applies.
///
/// Handing this to `done` gives `handle` and `data` away: the host releases them.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Outcome {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// `STATUS_OK`, `STATUS_END`, or one of the errors.
    pub status: u32,
    /// With an error: not 0 if the same call can succeed later by itself.
    pub retry: u32,
    /// 0.
    pub reserved: u32,
    /// The number that the called function promises, for instance the size of an object.
    pub value: u64,
    /// The time that the called function promises: milliseconds since 1970 (UTC), or
    /// `TIME_UNKNOWN`.
    pub time_ms: i64,
    /// The instance, reader or writer that the called function promises.
    pub handle: *mut c_void,
    /// Frees `handle`; called once, from any thread, when every call on the handle is answered. An
    /// instance is released after its readers and writers.
    pub release: Option<unsafe extern "C" fn(handle: *mut c_void)>,
    /// The bytes that the called function promises. With an error: the message, UTF-8, lower case,
    /// saying what failed on what, without secrets.
    pub data: OwnedBytes,
}

/// Where a call answers.
///
/// Every function that takes one calls `done(host, call, &outcome)` exactly once: from any thread,
/// before or after it returns itself, also when it fails and when nobody waits any more. A second
/// answer is ignored (and counted against the plugin), and what it carries is not released.
/// `outcome` need not live longer than the call of `done`. If nobody holds the handle any more that
/// the call was made on, `done` releases it: do not touch it after `done`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Completion {
    /// For `done`; means nothing to the plugin.
    pub host: *mut c_void,
    /// For `done`; means nothing to the plugin.
    pub call: u64,
    /// Takes the answer. Does not block.
    pub done: Option<unsafe extern "C" fn(host: *mut c_void, call: u64, outcome: *const Outcome)>,
}

#[expect(unsafe_code, reason = "integers, raw pointers and optional functions only")]
// SAFETY: every field is an integer, a raw pointer or an optional function pointer.
unsafe impl Zeroable for Outcome {}
