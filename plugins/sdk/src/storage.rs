//! What a storage backend does: keeps immutable objects under keys.
//!
//! The same trait stands on both sides of the boundary: an author implements it, and the host gets
//! it back after the bytes have crossed the C table. It is object safe for that reason. What a
//! backend cannot do it does not declare ([`Capabilities`]), and the default method says so.
//!
//! Not here: how calls cross (`abi`, `export`), deadlines and counters (the host).

use std::{
    fmt,
    future::Future,
    ops::BitOr,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::{PluginError, Result};

/// The longest key that may cross, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;

/// The most entries that one page of [`StorageBackend::list`] holds.
pub const LIST_LIMIT_MAX: u32 = 1000;

/// The longest token of a [`DirectWrite`], in bytes.
pub const TOKEN_BYTES_MAX: usize = 1024;

/// Checks the shape of a key; both sides do.
///
/// Shape: segments of visible text between single slashes, at most [`KEY_BYTES_MAX`] bytes; no
/// leading or trailing slash, no `.` or `..` segment, no backslash, no control character.
///
/// # Errors
/// `InvalidInput`, naming what is wrong.
pub fn check_key(key: &str) -> Result<()> {
    let problem = if key.is_empty() {
        "it is empty"
    } else if key.len() > KEY_BYTES_MAX {
        "it is longer than 1024 bytes"
    } else if key.chars().any(|c| c.is_control() || c == '\\') {
        "it holds a control character or a backslash"
    } else if key.split('/').any(str::is_empty) {
        "it starts or ends with a slash, or has two in a row"
    } else if key.split('/').any(|segment| matches!(segment, "." | "..")) {
        "it has a dot segment"
    } else {
        return Ok(());
    };
    let shown: String = key.chars().take(64).collect();
    Err(PluginError::invalid_input(format!("bad object key {shown:?}: {problem}")))
}

/// A set of things that a backend can do beyond the required ones.
///
/// The bits are part of the ABI. Unknown bits are kept and mean nothing to this side.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Capabilities(u64);

impl Capabilities {
    /// Nothing beyond the required.
    pub const NONE: Self = Self(0);
    /// `open_reader` fetches only the asked range. Without it the host asks for whole objects.
    pub const RANGE_READ: Self = Self(1);
    /// `open_writer` streams: memory does not grow with the object.
    pub const STREAMED_WRITE: Self = Self(1 << 1);
    /// A taken key is refused with `AlreadyExists`, at `open_writer` or at `finish`.
    pub const CREATE_NEW: Self = Self(1 << 2);
    /// `list` works.
    pub const LIST: Self = Self(1 << 3);
    /// `local_path` works: objects are plain files that the host may open itself.
    pub const LOCAL_PATH: Self = Self(1 << 4);
    /// `presign_read` works.
    pub const PRESIGN_READ: Self = Self(1 << 5);
    /// `list_unfinished` and `abort_unfinished` work: what killed processes have begun can be found and removed.
    pub const LIST_UNFINISHED: Self = Self(1 << 6);
    /// `begin_direct`, `presign_part` and `finish_direct` work, and what they leave is found: it needs `LIST_UNFINISHED`.
    pub const PRESIGN_WRITE: Self = Self(1 << 7);

    const NAMES: [(Self, &'static str); 8] = [
        (Self::RANGE_READ, "range-read"),
        (Self::STREAMED_WRITE, "streamed-write"),
        (Self::CREATE_NEW, "create-new"),
        (Self::LIST, "list"),
        (Self::LOCAL_PATH, "local-path"),
        (Self::PRESIGN_READ, "presign-read"),
        (Self::LIST_UNFINISHED, "list-unfinished"),
        (Self::PRESIGN_WRITE, "presign-write"),
    ];

    /// Reads the bits of the C table.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bits for the C table.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Says whether all of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together; usable in constants.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The names of what is in the set, as configuration and logs spell them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(one, _)| self.contains(*one)).map(|(_, name)| name)
    }
}

impl BitOr for Capabilities {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// What a backend knows about one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ObjectMeta {
    /// Length in bytes, as the backend counted it.
    pub size: u64,
    /// When it was finished, if the backend knows. Crosses the table in milliseconds.
    pub modified: Option<SystemTime>,
    /// The backend's own tag of this content, if it has one.
    pub etag: Option<String>,
}

impl ObjectMeta {
    /// An object of this size, of which no more is known.
    pub fn of_size(size: u64) -> Self {
        Self { size, ..Self::default() }
    }

    /// The same, with a time.
    #[must_use]
    pub fn modified(mut self, modified: Option<SystemTime>) -> Self {
        self.modified = modified;
        self
    }

    /// The same, with a tag.
    #[must_use]
    pub fn etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }
}

/// One row of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectEntry {
    /// The whole key.
    pub key: String,
    /// Length in bytes.
    pub size: u64,
    /// When it was finished, if the backend knows. Crosses the table in milliseconds.
    pub modified: Option<SystemTime>,
}

/// Which bytes of an object to read.
///
/// The range is clipped to the object: one that starts at or after its end reads nothing, and is no
/// error. (Answering 416 is the caller's business; it knows the size.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByteRange {
    /// Where to start, counted from 0.
    pub offset: u64,
    /// How many bytes at most; `None` reads to the end.
    pub length: Option<u64>,
}

impl ByteRange {
    /// The whole object.
    pub const FULL: Self = Self { offset: 0, length: None };

    /// From `offset` to the end.
    pub const fn from(offset: u64) -> Self {
        Self { offset, length: None }
    }

    /// At most `length` bytes from `offset`.
    pub const fn new(offset: u64, length: u64) -> Self {
        Self { offset, length: Some(length) }
    }
}

/// What is known about an object before it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// The length in bytes, if known. It picks part sizes; more or less may come.
    pub size_hint: Option<u64>,
}

impl WriteOptions {
    /// Options with a length, if it is known.
    pub const fn with_size_hint(size_hint: Option<u64>) -> Self {
        Self { size_hint }
    }
}

/// How a presigned address shall behave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresignOptions {
    /// How long it works.
    pub expires_in: Duration,
    /// The `Content-Disposition` that the store shall answer with.
    pub content_disposition: Option<String>,
    /// The `Content-Type` that the store shall answer with.
    pub content_type: Option<String>,
}

impl PresignOptions {
    /// An address that works this long.
    pub const fn expires_in(expires_in: Duration) -> Self {
        Self { expires_in, content_disposition: None, content_type: None }
    }
}

/// An object that was begun for others to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectWrite {
    /// Names it to the store, together with its key; at most [`TOKEN_BYTES_MAX`] bytes.
    pub token: String,
    /// The size of a part in bytes, but for the last one.
    pub part_bytes: u64,
}

/// A part that somebody else shall send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartOptions {
    /// Which part, counted from 1.
    pub number: u32,
    /// Its length in bytes, if it is known. A store that can holds the sender to it.
    pub length: Option<u64>,
    /// How long the address works.
    pub expires_in: Duration,
}

impl PartOptions {
    /// A part by its number, at an address that works this long.
    pub const fn new(number: u32, length: Option<u64>, expires_in: Duration) -> Self {
        Self { number, length, expires_in }
    }
}

/// A place for immutable objects.
///
/// Rules for all methods: keys have the shape of [`check_key`]; any method may be called from any
/// task at any time; a dropped future gives up the operation, and nothing is left behind by it.
///
/// A key is written once. The host never reuses one, so two writers of one key is a defect; still a
/// backend must keep such a key whole: it either refuses the second writer with `AlreadyExists`
/// (and declares [`Capabilities::CREATE_NEW`]), or replaces the object at `finish` in one step.
/// Nobody ever reads a mixture, and an aborted writer leaves what was there.
#[async_trait]
pub trait StorageBackend: Send + Sync + 'static {
    /// What this backend can do. Constant for the life of the instance, and cheap.
    fn capabilities(&self) -> Capabilities;

    /// Asks the outside world whether it answers, without leaving a trace.
    async fn health(&self) -> Result<()>;

    /// Looks up one object.
    ///
    /// # Errors
    /// `NotFound`.
    async fn stat(&self, key: &str) -> Result<ObjectMeta>;

    /// Opens an object for reading; see [`ByteRange`] for what a range past the end does.
    ///
    /// # Errors
    /// `NotFound`, here or at the first [`ObjectReader::next`]; never an empty object instead.
    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>>;

    /// Opens a new object for writing. Nothing is visible under the key before
    /// [`ObjectWriter::finish`].
    ///
    /// # Errors
    /// `AlreadyExists` if the key is taken and the backend declares `CREATE_NEW`; `StorageFull`.
    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>>;

    /// Removes an object. One that is not there is no error.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Lists objects whose key starts with `prefix` and sorts after `after`.
    ///
    /// Shape: sorted by the bytes of the key, at most `limit` (and [`LIST_LIMIT_MAX`]) entries;
    /// fewer than that means that the end was reached. The prefix is text, not a folder; it may be
    /// empty. Unfinished objects are not listed.
    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let _ = (prefix, after, limit);
        Err(PluginError::unsupported("listing"))
    }

    /// The plain file that holds an object, for a host that wants to open it itself.
    ///
    /// # Errors
    /// `NotFound`; `Unsupported` without [`Capabilities::LOCAL_PATH`].
    async fn local_path(&self, key: &str) -> Result<PathBuf> {
        let _ = key;
        Err(PluginError::unsupported("local paths"))
    }

    /// An address from which anybody can read the object for a while.
    ///
    /// # Errors
    /// `Unsupported` without [`Capabilities::PRESIGN_READ`].
    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        drop((key, options));
        Err(PluginError::unsupported("presigned reading"))
    }

    /// Begins an object whose parts others send, straight to the store. Nothing is visible under the key before
    /// [`finish_direct`](Self::finish_direct), and [`abort_unfinished`](Self::abort_unfinished) throws it away.
    ///
    /// # Errors
    /// `Unsupported` without [`Capabilities::PRESIGN_WRITE`].
    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        let _ = (key, options);
        Err(PluginError::unsupported("presigned writing"))
    }

    /// An address that takes one part from anybody for a while, by a PUT without any header of its own.
    ///
    /// A part that is sent again replaces itself. Once the object is finished or thrown away, the address changes
    /// nothing any more: what was looked at stays what it was.
    ///
    /// # Errors
    /// `Unsupported` without [`Capabilities::PRESIGN_WRITE`].
    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        let _ = (key, token, options);
        Err(PluginError::unsupported("presigned writing"))
    }

    /// Makes the object visible, whole and durable, of the parts that came, in the order of their numbers. What is
    /// finished already answers the same again.
    ///
    /// # Errors
    /// `NotFound` if no part is there: none came, or it was thrown away; `Unsupported` without
    /// [`Capabilities::PRESIGN_WRITE`].
    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        let _ = (key, token);
        Err(PluginError::unsupported("presigned writing"))
    }

    /// Lists what [`list`](Self::list) does not: objects whose writing was begun and neither finished nor aborted, by
    /// whomever, for instance a process that was killed.
    ///
    /// Shape: as that of `list`. A row for each key; `modified` is when its writing was begun, last if several times;
    /// `size` may be 0.
    ///
    /// # Errors
    /// `Unsupported` without [`Capabilities::LIST_UNFINISHED`].
    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let _ = (prefix, after, limit);
        Err(PluginError::unsupported("listing unfinished objects"))
    }

    /// Throws away everything that was begun under a key and not finished. Nothing is no error; a finished object
    /// stays; a writer that is still open cannot finish any more.
    ///
    /// # Errors
    /// `Unsupported` without [`Capabilities::LIST_UNFINISHED`].
    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        let _ = key;
        Err(PluginError::unsupported("aborting unfinished objects"))
    }
}

/// Bytes on their way out of a backend.
#[async_trait]
pub trait ObjectReader: Send + 'static {
    /// The next chunk, or `None` at the end. A chunk is never empty.
    ///
    /// # Cancel safety
    /// A reader that the host hands back is safe: a chunk whose future was dropped comes with the
    /// next call. An author need not care, the host never drops this future halfway.
    async fn next(&mut self) -> Result<Option<Bytes>>;
}

/// Bytes on their way into a backend. Dropping an unfinished writer aborts it.
#[async_trait]
pub trait ObjectWriter: Send + 'static {
    /// Takes the next chunk.
    ///
    /// # Errors
    /// May be the failure of an earlier chunk; after an error only `abort` or drop make sense.
    async fn write(&mut self, chunk: Bytes) -> Result<()>;

    /// Makes the object visible, whole and durable, and says how long it is.
    ///
    /// When this returns `Ok`, the object survives the loss of power.
    async fn finish(self: Box<Self>) -> Result<ObjectMeta>;

    /// Throws away what was written; nothing is left.
    async fn abort(self: Box<Self>) -> Result<()>;
}

/// What an author exports: how to make a backend from its configuration.
///
/// `Config` should carry `#[serde(deny_unknown_fields)]`; its JSON Schema goes into the handshake,
/// and the host checks the operator's table against it first.
pub trait StoragePlugin: Send + Sync + 'static {
    /// The plugin's own table in the configuration.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// Checks what the schema cannot say, without side effects.
    ///
    /// # Errors
    /// `InvalidConfig`, naming the key.
    fn validate(config: &Self::Config) -> Result<()> {
        let _ = config;
        Ok(())
    }

    /// Makes an instance. Several can live at once.
    ///
    /// # Errors
    /// `InvalidConfig` if the values can never work; `Unavailable` if the outside world is away.
    fn create(config: Self::Config)
    -> impl Future<Output = Result<Box<dyn StorageBackend>>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi;

    #[test]
    fn ordinary_keys_pass() {
        for key in ["a", "blobs/0192f/x.box", "a..b/...", "ü/日本", &"k".repeat(KEY_BYTES_MAX)] {
            check_key(key).unwrap();
        }
    }

    #[test]
    fn hostile_keys_are_refused() {
        let long = "k".repeat(KEY_BYTES_MAX + 1);
        for key in [
            "", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.", "a\0", "a\n", "a\\b", &long,
        ] {
            assert!(check_key(key).is_err(), "{key:?} passed");
        }
    }

    #[test]
    fn capabilities_print_as_names() {
        let both = Capabilities::LIST | Capabilities::LOCAL_PATH;
        assert_eq!(format!("{both:?}"), r#"{"list", "local-path"}"#);
        assert!(!both.without(Capabilities::LIST).contains(Capabilities::LIST));
    }

    #[test]
    fn the_bits_of_the_table_are_those_of_the_set() {
        for (ours, bits) in [
            (Capabilities::RANGE_READ, abi::CAPABILITY_RANGE_READ),
            (Capabilities::STREAMED_WRITE, abi::CAPABILITY_STREAMED_WRITE),
            (Capabilities::CREATE_NEW, abi::CAPABILITY_CREATE_NEW),
            (Capabilities::LIST, abi::CAPABILITY_LIST),
            (Capabilities::LOCAL_PATH, abi::CAPABILITY_LOCAL_PATH),
            (Capabilities::PRESIGN_READ, abi::CAPABILITY_PRESIGN_READ),
            (Capabilities::LIST_UNFINISHED, abi::CAPABILITY_LIST_UNFINISHED),
            (Capabilities::PRESIGN_WRITE, abi::CAPABILITY_PRESIGN_WRITE),
        ] {
            assert_eq!(ours.bits(), bits, "{ours:?}");
        }
    }
}
