//! Text and bytes: borrowed for a call, or owned with a release.

use std::ffi::c_void;

/// Borrowed bytes, mostly UTF-8 text; not terminated.
///
/// Valid only until the function that they are passed to returns; copy what you keep. `data` may be
/// NULL if `len` is 0. Text in a handshake is valid for ever.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Str {
    /// The first byte.
    pub data: *const u8,
    /// How many bytes.
    pub len: u64,
}

/// Owned bytes. Whoever holds them calls `release(owner)` exactly once when done, from any thread.
///
/// The bytes do not change while they are held. `release` may be NULL: then nothing is to be done
/// and the bytes are valid for ever. All zero is a valid empty value.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct OwnedBytes {
    /// The first byte; may be NULL if `len` is 0.
    pub data: *const u8,
    /// How many bytes.
    pub len: u64,
    /// What to give to `release`.
    pub owner: *mut c_void,
    /// Frees the bytes; may be NULL.
    pub release: Option<unsafe extern "C" fn(owner: *mut c_void)>,
}
