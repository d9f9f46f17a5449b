//! The table of a storage backend, and its optional extensions.

use std::ffi::c_void;

use super::{Completion, Host, OwnedBytes, Str, Zeroable};

/// `read_open` fetches only the asked range.
pub const CAPABILITY_RANGE_READ: u64 = 1;
/// Memory does not grow with the size of a written object.
pub const CAPABILITY_STREAMED_WRITE: u64 = 2;
/// A taken key is refused with `ERROR_ALREADY_EXISTS`, at `write_open` or at `write_finish`.
pub const CAPABILITY_CREATE_NEW: u64 = 4;
/// `list` works.
pub const CAPABILITY_LIST: u64 = 8;
/// The extension `EXTENSION_LOCAL_PATH` works.
pub const CAPABILITY_LOCAL_PATH: u64 = 16;
/// The extension `EXTENSION_PRESIGN` works.
pub const CAPABILITY_PRESIGN_READ: u64 = 32;
/// The extension `EXTENSION_UNFINISHED` works. Since 1.1.
pub const CAPABILITY_LIST_UNFINISHED: u64 = 64;

/// The functions of `EXTENSION_PRESIGN` for writing work, and `EXTENSION_UNFINISHED` as well. Since 1.2.
pub const CAPABILITY_PRESIGN_WRITE: u64 = 128;

/// As the `length` of `read_open`: to the end.
pub const LENGTH_TO_END: u64 = u64::MAX;
/// As the `size_hint` of `WriteOptions` or the `length` of `PartOptions`: nobody knows.
pub const SIZE_UNKNOWN: u64 = u64::MAX;

/// The name of `LocalPathTable`.
pub const EXTENSION_LOCAL_PATH: &str = "boxvault.storage.local_path.1";
/// The name of `PresignTable`.
pub const EXTENSION_PRESIGN: &str = "boxvault.storage.presign.1";
/// The name of `UnfinishedTable`. Since 1.1.
pub const EXTENSION_UNFINISHED: &str = "boxvault.storage.unfinished.1";

/// What is known about an object before it is written. Valid only for the call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct WriteOptions {
    /// `sizeof` of this struct, as the host knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The length in bytes, or `SIZE_UNKNOWN`. A hint: more or less may come.
    pub size_hint: u64,
}

/// One row of a listing.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Entry {
    /// The whole key; valid as long as the bytes that hold the entries.
    pub key: Str,
    /// Length in bytes.
    pub size: u64,
    /// Milliseconds since 1970 (UTC), or `TIME_UNKNOWN`.
    pub modified_ms: i64,
}

/// How a presigned address shall behave. Valid only for the call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PresignOptions {
    /// `sizeof` of this struct, as the host knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// How long it works, in seconds.
    pub expires_in_s: u64,
    /// The `Content-Disposition` to answer with; empty for none.
    pub content_disposition: Str,
    /// The `Content-Type` to answer with; empty for none.
    pub content_type: Str,
}

/// A part that somebody else shall send. Valid only for the call. Since 1.2.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PartOptions {
    /// `sizeof` of this struct, as the host knows it.
    pub size: u32,
    /// Which part, counted from 1.
    pub number: u32,
    /// Its length in bytes, or `SIZE_UNKNOWN`.
    pub length: u64,
    /// How long the address works, in seconds.
    pub expires_in_s: u64,
}

/// A place for immutable objects.
///
/// All functions are required. Keys: segments of UTF-8 text between single slashes, at most 1024
/// bytes, no leading or trailing slash, no `.` or `..` segment, no backslash, no control character;
/// anything else is answered with `ERROR_INVALID_INPUT`. The host has at most one call under way
/// for each reader and each writer; for an instance, any number at once.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct StorageTable {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Checks a configuration (JSON) without side effects.
    pub validate: Option<unsafe extern "C" fn(host: *const Host, config: Str, done: Completion)>,
    /// Makes an instance from a configuration (JSON): `handle`. `host` stays valid for ever.
    pub create: Option<unsafe extern "C" fn(host: *const Host, config: Str, done: Completion)>,
    /// The `CAPABILITY_…` of an instance. Constant; answers at once.
    pub capabilities: Option<unsafe extern "C" fn(instance: *mut c_void) -> u64>,
    /// Asks the outside world whether it answers.
    pub health: Option<unsafe extern "C" fn(instance: *mut c_void, done: Completion)>,
    /// Looks up an object: `value` = size, `time_ms` = when it was finished, `data` = the backend's
    /// tag or nothing.
    pub stat: Option<unsafe extern "C" fn(instance: *mut c_void, key: Str, done: Completion)>,
    /// Opens an object for reading: `handle`. `length` may be `LENGTH_TO_END`. The range is clipped
    /// to the object; one behind its end reads nothing and is no error.
    pub read_open: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            key: Str,
            offset: u64,
            length: u64,
            done: Completion,
        ),
    >,
    /// The next chunk of a reader: `data`, not empty; or `STATUS_END`.
    pub read_next: Option<unsafe extern "C" fn(reader: *mut c_void, done: Completion)>,
    /// Opens a new object for writing: `handle`. Nothing is visible under the key before
    /// `write_finish`. Releasing an unfinished writer aborts it.
    pub write_open: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            key: Str,
            options: *const WriteOptions,
            done: Completion,
        ),
    >,
    /// Takes the next chunk. The plugin owns `chunk` from now on, also when it fails. May answer
    /// before the bytes are written; then a failure comes with the next call on the writer.
    pub write:
        Option<unsafe extern "C" fn(writer: *mut c_void, chunk: OwnedBytes, done: Completion)>,
    /// Makes the object visible, whole and durable: answers like `stat`. After this, or after
    /// `write_abort`, only `release` is called.
    pub write_finish: Option<unsafe extern "C" fn(writer: *mut c_void, done: Completion)>,
    /// Throws away what was written; nothing is left.
    pub write_abort: Option<unsafe extern "C" fn(writer: *mut c_void, done: Completion)>,
    /// Removes an object. One that is not there is no error.
    pub remove: Option<unsafe extern "C" fn(instance: *mut c_void, key: Str, done: Completion)>,
    /// Lists the objects whose key starts with `prefix` and sorts after `after` (empty: from the
    /// start), by the bytes of the key, at most `limit`: `data` = an array of `Entry`, `value` =
    /// how many. Fewer than `limit` means the end. Unfinished objects are not listed.
    pub list: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            prefix: Str,
            after: Str,
            limit: u32,
            done: Completion,
        ),
    >,
}

/// The extension `EXTENSION_LOCAL_PATH`: objects are plain files that the host may open itself.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct LocalPathTable {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The absolute path of the file that holds the object: `data`.
    pub local_path: Option<unsafe extern "C" fn(instance: *mut c_void, key: Str, done: Completion)>,
}

/// The extension `EXTENSION_PRESIGN`: clients may fetch objects from the store themselves, and since 1.2 send them to it.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct PresignTable {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// An address from which anybody can read the object for a while: `data`.
    pub presign_read: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            key: Str,
            options: *const PresignOptions,
            done: Completion,
        ),
    >,
    /// Begins an object whose parts others send: `data` = a token for the functions below, text of at most 1024 bytes;
    /// `value` = the size of a part in bytes, but for the last one. Nothing is visible under the key before
    /// `direct_finish`; `abort_unfinished` of `UnfinishedTable` throws it away. Since 1.2, like those below.
    pub direct_begin: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            key: Str,
            options: *const WriteOptions,
            done: Completion,
        ),
    >,
    /// An address that takes one part from anybody for a while, by a PUT without any header of its own: `data`. A part
    /// that is sent again replaces itself. Once the object is finished or thrown away, the address changes nothing.
    pub direct_part: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            key: Str,
            token: Str,
            options: *const PartOptions,
            done: Completion,
        ),
    >,
    /// Makes the object visible, whole and durable, of the parts that came, in the order of their numbers: answers like
    /// `stat`. What is finished already answers the same again. `ERROR_NOT_FOUND` if no part is
    /// there: none came, or it was thrown away.
    pub direct_finish:
        Option<unsafe extern "C" fn(instance: *mut c_void, key: Str, token: Str, done: Completion)>,
}

/// The extension `EXTENSION_UNFINISHED`: the store keeps objects whose writing was begun and never ended, for
/// instance because the process was killed, and they can be found and removed. Since 1.1.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct UnfinishedTable {
    /// `sizeof` of this struct, as the plugin knows it.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// Lists like `list` of `StorageTable`, and what that does not: objects whose writing was begun and neither
    /// finished nor aborted, by whomever. `modified_ms` says when it was begun; the size may be 0.
    pub list_unfinished: Option<
        unsafe extern "C" fn(
            instance: *mut c_void,
            prefix: Str,
            after: Str,
            limit: u32,
            done: Completion,
        ),
    >,
    /// Throws away everything that was begun under a key and not finished. Nothing is no error.
    pub abort_unfinished:
        Option<unsafe extern "C" fn(instance: *mut c_void, key: Str, done: Completion)>,
}

#[expect(unsafe_code, reason = "integers and optional functions only")]
// SAFETY: every field is an integer or an optional function pointer.
unsafe impl Zeroable for StorageTable {}

#[expect(unsafe_code, reason = "integers and optional functions only")]
// SAFETY: every field is an integer or an optional function pointer.
unsafe impl Zeroable for UnfinishedTable {}

#[expect(unsafe_code, reason = "integers and optional functions only")]
// SAFETY: every field is an integer or an optional function pointer.
unsafe impl Zeroable for LocalPathTable {}

#[expect(unsafe_code, reason = "integers and optional functions only")]
// SAFETY: every field is an integer or an optional function pointer.
unsafe impl Zeroable for PresignTable {}

#[expect(unsafe_code, reason = "integers only")]
// SAFETY: every field is an integer.
unsafe impl Zeroable for WriteOptions {}

#[expect(unsafe_code, reason = "integers and raw pointers only")]
// SAFETY: every field is an integer or a raw pointer.
unsafe impl Zeroable for PresignOptions {}

#[expect(unsafe_code, reason = "integers only")]
// SAFETY: every field is an integer.
unsafe impl Zeroable for PartOptions {}
