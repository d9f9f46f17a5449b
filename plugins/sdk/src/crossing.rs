//! How our values become the C table's and back; both sides of the boundary use it.
//!
//! Nothing here is for plugin authors. Bytes cross without a copy: [`own`] keeps the `Bytes` alive
//! behind an owner pointer, [`adopt`] makes `Bytes` that release the foreign owner when the last
//! clone is dropped.
#![expect(unsafe_code, reason = "turns raw pointers of the C table into safe values")]

use std::{
    ffi::c_void,
    mem::MaybeUninit,
    ptr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;

use crate::{
    abi,
    error::{PluginError, PluginErrorKind, Result},
};

/// The target of this build, as the handshake spells it.
pub const TARGET: &str = if cfg!(target_arch = "x86_64") {
    if cfg!(target_env = "musl") { "x86_64-linux-musl" } else { "x86_64-linux-gnu" }
} else if cfg!(target_arch = "aarch64") {
    if cfg!(target_env = "musl") { "aarch64-linux-musl" } else { "aarch64-linux-gnu" }
} else {
    "other"
};

/// The one function that every plugin exports, of a library that stays loaded.
#[derive(Clone, Copy, Debug)]
pub struct LibraryEntry(EntryFunction);

/// The signature of that function.
pub type EntryFunction = unsafe extern "C" fn() -> *const abi::Handshake;

impl LibraryEntry {
    /// Of a function that was found by its name.
    ///
    /// # Safety
    /// It is the `boxvault_plugin_entry` of a library that is never unloaded, and keeps the contract: no side effects,
    /// and a static handshake or NULL.
    pub const unsafe fn new(function: EntryFunction) -> Self {
        Self(function)
    }

    /// The handshake; `None` if the plugin cannot work at all.
    pub fn handshake(self) -> Option<&'static abi::Handshake> {
        // SAFETY: whoever made this has promised what the function is.
        let handshake = unsafe { (self.0)() };
        // SAFETY: as above: static, or null.
        unsafe { handshake.as_ref() }
    }
}

/// Lends a text for the time of a call.
pub const fn lend(text: &str) -> abi::Str {
    abi::Str { data: text.as_ptr(), len: text.len() as u64 }
}

/// Reads lent bytes.
///
/// # Errors
/// `ContractViolation` if there is a length and no pointer.
///
/// # Safety
/// `data` points to `len` readable bytes that stay as they are for `'a`, or `len` is 0, or `data`
/// is null.
pub unsafe fn borrow<'a>(text: abi::Str) -> Result<&'a [u8]> {
    let len = usize::try_from(text.len).map_err(|_| violation("a length does not fit memory"))?;
    if len == 0 {
        return Ok(&[]);
    }
    if text.data.is_null() || isize::try_from(len).is_err() {
        return Err(violation("a text has a length and no bytes"));
    }
    // SAFETY: not null; the caller promises `len` readable bytes for 'a.
    Ok(unsafe { std::slice::from_raw_parts(text.data, len) })
}

/// Reads lent text.
///
/// # Errors
/// `ContractViolation` if it is no UTF-8, or as in [`borrow`].
///
/// # Safety
/// As in [`borrow`].
pub unsafe fn borrow_text<'a>(text: abi::Str) -> Result<&'a str> {
    // SAFETY: the caller keeps the promise of `borrow`.
    let bytes = unsafe { borrow(text) }?;
    std::str::from_utf8(bytes).map_err(|_| violation("a text is not UTF-8"))
}

/// Owned bytes with nothing in them.
pub const fn nothing() -> abi::OwnedBytes {
    abi::OwnedBytes { data: ptr::null(), len: 0, owner: ptr::null_mut(), release: None }
}

/// Gives bytes away without copying them; the other side releases them.
pub fn own(bytes: Bytes) -> abi::OwnedBytes {
    if bytes.is_empty() {
        return nothing();
    }
    let (data, len) = (bytes.as_ptr(), bytes.len() as u64);
    let owner = Box::into_raw(Box::new(bytes)).cast::<c_void>();
    abi::OwnedBytes { data, len, owner, release: Some(release_bytes) }
}

unsafe extern "C" fn release_bytes(owner: *mut c_void) {
    // SAFETY: `own` made this pointer from a Box<Bytes>, and the table says: exactly once.
    drop(unsafe { Box::from_raw(owner.cast::<Bytes>()) });
}

/// Takes over bytes of the other side without copying them.
///
/// # Errors
/// `ContractViolation` if there is a length and no pointer; the owner is released then too.
///
/// # Safety
/// The value keeps the rules of `abi::OwnedBytes`, and nobody else uses it afterwards.
pub unsafe fn adopt(owned: abi::OwnedBytes) -> Result<Bytes> {
    let foreign = ForeignBytes(owned);
    let len = usize::try_from(owned.len).map_err(|_| violation("a length does not fit memory"))?;
    if len == 0 {
        return Ok(Bytes::new());
    }
    if owned.data.is_null() || isize::try_from(len).is_err() {
        return Err(violation("a chunk has a length and no bytes"));
    }
    Ok(Bytes::from_owner(foreign))
}

/// Bytes of the other side; releases them when dropped.
struct ForeignBytes(abi::OwnedBytes);

// SAFETY: the table says that owned bytes may be read and released from any thread.
unsafe impl Send for ForeignBytes {}

impl AsRef<[u8]> for ForeignBytes {
    fn as_ref(&self) -> &[u8] {
        let len = usize::try_from(self.0.len).unwrap_or(0);
        // SAFETY: `adopt` checked pointer and length; the bytes live until `release`, in drop.
        unsafe { std::slice::from_raw_parts(self.0.data, len) }
    }
}

impl Drop for ForeignBytes {
    fn drop(&mut self) {
        if let Some(release) = self.0.release {
            // SAFETY: the table allows one call from any thread; this is the only one.
            unsafe { release(self.0.owner) };
        }
    }
}

/// Reads a struct that may be shorter or longer than ours: what is missing is zero.
///
/// # Safety
/// `source` points to at least `size` readable bytes.
pub unsafe fn read_sized<T: abi::Zeroable>(source: *const T, size: u32) -> T {
    let mut ours = MaybeUninit::<T>::zeroed();
    let shared = size_of::<T>().min(size as usize);
    let (from, to) = (source.cast::<u8>(), ours.as_mut_ptr().cast::<u8>());
    // SAFETY: the caller promises `size` bytes at `from`; `to` is ours and holds `shared` bytes.
    unsafe { ptr::copy_nonoverlapping(from, to, shared) };
    // SAFETY: `Zeroable` types are valid for zero bits, and for what the other side wrote: integers,
    // raw pointers and optional functions.
    unsafe { ours.assume_init() }
}

/// The size of a table, as its `size` field holds it.
///
/// # Panics
/// At compile time only: no table has four gigabytes.
pub const fn size_of_table<T>() -> u32 {
    let size = size_of::<T>();
    assert!(size <= 4096, "a table is a page at most");
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    let size = size as u32;
    size
}

/// A time for the table.
pub fn time_to_ms(time: Option<SystemTime>) -> i64 {
    let Some(time) = time else { return abi::TIME_UNKNOWN };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()).unwrap_or(abi::TIME_UNKNOWN),
        Err(before) => i64::try_from(before.duration().as_millis())
            .map_or(abi::TIME_UNKNOWN, |milliseconds| -milliseconds),
    }
}

/// A time from the table; one that this system cannot hold is unknown.
pub fn time_from_ms(milliseconds: i64) -> Option<SystemTime> {
    if milliseconds == abi::TIME_UNKNOWN {
        return None;
    }
    let distance = Duration::from_millis(milliseconds.unsigned_abs());
    if milliseconds >= 0 {
        UNIX_EPOCH.checked_add(distance)
    } else {
        UNIX_EPOCH.checked_sub(distance)
    }
}

/// An outcome with nothing in it but a status.
pub const fn outcome(status: u32) -> abi::Outcome {
    abi::Outcome {
        size: size_of_table::<abi::Outcome>(),
        status,
        retry: 0,
        reserved: 0,
        value: 0,
        time_ms: abi::TIME_UNKNOWN,
        handle: ptr::null_mut(),
        release: None,
        data: nothing(),
    }
}

/// The other side broke the contract.
pub fn violation(message: &str) -> PluginError {
    PluginError::new(PluginErrorKind::ContractViolation, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_without_a_copy() {
        let bytes = Bytes::from(vec![7_u8; 4096]);
        let address = bytes.as_ptr();
        // SAFETY: `own` made the value, and it is used once.
        let back = unsafe { adopt(own(bytes)) }.unwrap();
        assert_eq!(back.as_ptr(), address);
        assert_eq!(back.len(), 4096);
    }

    #[test]
    fn the_owner_is_released_once_when_the_last_clone_goes() {
        unsafe extern "C" fn count(owner: *mut c_void) {
            // SAFETY: the test hands over a pointer to a counter that outlives the bytes.
            unsafe { *owner.cast::<u32>() += 1 };
        }
        let mut released = 0_u32;
        let text = b"hello";
        let owned = abi::OwnedBytes {
            data: text.as_ptr(),
            len: 5,
            owner: (&raw mut released).cast(),
            release: Some(count),
        };
        // SAFETY: the text is static, the counter outlives both clones.
        let bytes = unsafe { adopt(owned) }.unwrap();
        let clone = bytes.slice(1..);
        drop(bytes);
        assert_eq!(&clone[..], b"ello");
        drop(clone);
        assert_eq!(released, 1);
    }

    #[test]
    fn a_length_without_bytes_is_refused() {
        let text = abi::Str { data: ptr::null(), len: 3 };
        // SAFETY: a null pointer is allowed.
        assert!(unsafe { borrow(text) }.is_err());
        let owned = abi::OwnedBytes { len: 3, ..nothing() };
        // SAFETY: a null pointer without a release is allowed.
        assert!(unsafe { adopt(owned) }.is_err());
    }

    #[test]
    fn a_shorter_struct_is_filled_with_zeros() {
        let full = abi::Outcome { value: 9, ..outcome(abi::STATUS_END) };
        // SAFETY: the struct is longer than 8 bytes.
        let read = unsafe { read_sized(&raw const full, 8) };
        assert_eq!((read.status, read.value), (abi::STATUS_END, 0));
    }

    #[test]
    fn times_survive_in_milliseconds() {
        for milliseconds in [0, 1, -1, 1_800_000_000_123, -86_400_000] {
            assert_eq!(time_to_ms(time_from_ms(milliseconds)), milliseconds);
        }
        assert_eq!(time_from_ms(abi::TIME_UNKNOWN), None);
    }
}
