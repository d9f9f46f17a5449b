//! What goes over the socket: frames, and the questions and answers in them.
//!
//! A frame is two lengths (32 bits, little-endian), a head in JSON, and perhaps the bytes of one
//! chunk, which are never encoded. Both sides are the same program, so there is no version.

use std::{
    io::{self, Read, Write},
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{
    ByteRange, Claims, LogoutNotice, ObjectEntry, ObjectMeta, PluginError, PluginErrorKind,
    RedirectFinish, RedirectRequest, RedirectStart, Result,
    crossing::{time_from_ms, time_to_ms},
};
use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::library::{PluginInfo, PluginKind};

/// The longest chunk in one frame; a longer one is cut into several.
pub(super) const CHUNK_BYTES_MAX: usize = 1 << 20;
/// The longest head: a page of a listing whose keys are all as long as they may be, with room.
const HEAD_BYTES_MAX: usize = 8 << 20;

/// A frame: the number of a call, what is said, and a chunk.
#[derive(Debug)]
pub(super) struct Frame<T> {
    pub(super) call: u64,
    pub(super) what: T,
    pub(super) chunk: Bytes,
}

#[derive(Serialize)]
struct HeadOut<'a, T> {
    call: u64,
    what: &'a T,
}

#[derive(Deserialize)]
struct HeadIn<T> {
    call: u64,
    what: T,
}

/// The plugin that a process is for, and how it is held. The first frame; may hold secrets.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) plugin: String,
    pub(super) sha256: Option<String>,
    pub(super) kind: PluginKind,
    pub(super) config: serde_json::Value,
    pub(super) deadlines_ms: [u64; 6],
    pub(super) calls_in_flight_max: usize,
    pub(super) memory_bytes_max: u64,
    pub(super) file_bytes_max: u64,
    /// As `Host::log_level_max`.
    pub(super) log_level_max: u32,
    /// What of the capabilities works, if it was tried out before.
    pub(super) working: Option<u64>,
}

/// What the server asks.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Question {
    Start(Box<Start>),
    /// A reader or writer is not needed any more. Not answered.
    Drop(u64),
    Health,
    Probe,
    Stat(String),
    OpenReader(String, u64, Option<u64>),
    Next(u64),
    OpenWriter(String, Option<u64>),
    Write(u64),
    Finish(u64),
    Abort(u64),
    Delete(String),
    List(String, Option<String>, u32),
    LocalPath(String),
    PresignRead(String, Presign),
    BeginDirect(String, Option<u64>),
    /// Key, token, number and length of the part, and for how many seconds.
    PresignPart(String, String, u32, Option<u64>, u64),
    FinishDirect(String, String),
    ListUnfinished(String, Option<String>, u32),
    AbortUnfinished(String),
    Password(String, String),
    StartRedirect(RedirectRequest),
    FinishRedirect(RedirectFinish),
    IntrospectToken(String),
    Refresh(String),
    Logout(String),
    Groups(String),
    LogoutNotice(String),
}

/// The options of a presigned address.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Presign {
    pub(super) expires_in_s: u64,
    pub(super) content_disposition: Option<String>,
    pub(super) content_type: Option<String>,
}

/// What the plugin's process says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// The plugin is loaded and has an instance: what it is, and its capabilities or facets.
    Started(Box<PluginInfo>, u64),
    /// It could not be loaded or started, and why.
    NotStarted(String),
    Done,
    Meta(Meta),
    /// A reader or writer.
    Handle(u64),
    /// The chunk of this frame.
    Chunk,
    End,
    Entries(Vec<Entry>),
    Text(String),
    Texts(Vec<String>),
    /// What was begun for others to send: token, and bytes of a part.
    Direct(String, u64),
    Claims(Box<Claims>),
    Redirect(RedirectStart),
    Notice(LogoutNotice),
    /// What works of what is declared, and what does not.
    Probed(u64, Vec<(u64, String)>),
    /// The call failed: number of the kind, message, retry; and how many calls hang now.
    Failed(u32, String, bool, u64),
    /// A line for the log: level and text. Belongs to no call.
    Log(u32, String),
}

/// What is known about one object.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    size: u64,
    modified_ms: i64,
    etag: Option<String>,
}

impl From<ObjectMeta> for Meta {
    fn from(meta: ObjectMeta) -> Self {
        Self { size: meta.size, modified_ms: time_to_ms(meta.modified), etag: meta.etag }
    }
}

impl From<Meta> for ObjectMeta {
    fn from(meta: Meta) -> Self {
        Self::of_size(meta.size).modified(time_from_ms(meta.modified_ms)).etag(meta.etag)
    }
}

/// One row of a listing.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    key: String,
    size: u64,
    modified_ms: i64,
}

impl From<ObjectEntry> for Entry {
    fn from(entry: ObjectEntry) -> Self {
        Self { key: entry.key, size: entry.size, modified_ms: time_to_ms(entry.modified) }
    }
}

impl From<Entry> for ObjectEntry {
    fn from(entry: Entry) -> Self {
        let modified: Option<SystemTime> = time_from_ms(entry.modified_ms);
        Self { key: entry.key, size: entry.size, modified }
    }
}

impl Answer {
    pub(super) fn failed(error: PluginError, hung: u64) -> Self {
        Self::Failed(error.kind.number(), error.message, error.retry, hung)
    }

    /// The error that a failure stands for.
    pub(super) fn into_result(self) -> Result<Self> {
        match self {
            Self::Failed(kind, message, retry, _) => {
                Err(PluginError::new(PluginErrorKind::from_number(kind), message).with_retry(retry))
            }
            answer => Ok(answer),
        }
    }
}

/// A range as it crosses.
pub(super) const fn range(offset: u64, length: Option<u64>) -> ByteRange {
    ByteRange { offset, length }
}

/// Durations as whole milliseconds.
pub(super) fn to_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A frame without its chunk, ready to be written.
///
/// # Errors
/// If it cannot be JSON, or is too long.
pub(super) fn encode<T: Serialize>(call: u64, what: &T, chunk: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; 8];
    serde_json::to_writer(&mut bytes, &HeadOut { call, what })?;
    let head = bytes.len() - 8;
    if head > HEAD_BYTES_MAX || chunk.len() > CHUNK_BYTES_MAX {
        return Err(io::Error::other("a frame is too long"));
    }
    let lengths = u32::try_from(head).and_then(|head| Ok((head, u32::try_from(chunk.len())?)));
    let (head, chunk) = lengths.map_err(io::Error::other)?;
    for (place, byte) in bytes.iter_mut().zip([head.to_le_bytes(), chunk.to_le_bytes()].concat()) {
        *place = byte;
    }
    Ok(bytes)
}

/// The lengths of head and chunk, of the first eight bytes of a frame.
///
/// # Errors
/// If one of them is more than there can be.
pub(super) fn lengths(start: [u8; 8]) -> io::Result<(usize, usize)> {
    let both = u64::from_le_bytes(start);
    let too_long = |_| io::Error::other("a frame is longer than any");
    let head = usize::try_from(both & u64::from(u32::MAX)).map_err(too_long)?;
    let chunk = usize::try_from(both >> 32).map_err(too_long)?;
    if head > HEAD_BYTES_MAX || chunk > CHUNK_BYTES_MAX {
        return Err(io::Error::other("a frame is longer than any"));
    }
    Ok((head, chunk))
}

/// A frame of its parts.
///
/// # Errors
/// If the head is not what it should be.
pub(super) fn decode<T: DeserializeOwned>(head: &[u8], chunk: Bytes) -> io::Result<Frame<T>> {
    let HeadIn { call, what } = serde_json::from_slice(head)
        // the text of the JSON error could quote a secret
        .map_err(|_| io::Error::other("a frame is of another shape"))?;
    Ok(Frame { call, what, chunk })
}

/// Reads a frame; `None` at the end. Blocks.
pub(super) fn read<T: DeserializeOwned>(source: &mut impl Read) -> io::Result<Option<Frame<T>>> {
    let mut start = [0; 8];
    match source.read_exact(&mut start) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let (head_length, chunk_length) = lengths(start)?;
    let mut head = vec![0; head_length];
    source.read_exact(&mut head)?;
    let mut chunk = vec![0; chunk_length];
    source.read_exact(&mut chunk)?;
    decode(&head, chunk.into()).map(Some)
}

/// Writes a frame. Blocks.
pub(super) fn write<T: Serialize>(target: &mut impl Write, frame: &Frame<T>) -> io::Result<()> {
    target.write_all(&encode(frame.call, &frame.what, &frame.chunk)?)?;
    target.write_all(&frame.chunk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_with_its_chunk() {
        let chunk = Bytes::from(vec![7; 300]);
        let mut bytes = Vec::new();
        write(&mut bytes, &Frame { call: 7, what: Answer::Chunk, chunk: chunk.clone() }).unwrap();
        write(&mut bytes, &Frame { call: 8, what: Answer::End, chunk: Bytes::new() }).unwrap();
        let mut source = &bytes[..];
        let first = read::<Answer>(&mut source).unwrap().unwrap();
        assert!(matches!(first.what, Answer::Chunk) && first.call == 7 && first.chunk == chunk);
        let second = read::<Answer>(&mut source).unwrap().unwrap();
        assert!(matches!(second.what, Answer::End) && second.chunk.is_empty());
        assert!(read::<Answer>(&mut source).unwrap().is_none());
    }

    #[test]
    fn what_is_no_frame_is_refused_before_memory_is_taken_for_it() {
        assert!(lengths([0xff; 8]).is_err());
        assert!(decode::<Answer>(b"{\"call\":1}", Bytes::new()).is_err());
        assert!(encode(1, &Answer::Chunk, &vec![0; CHUNK_BYTES_MAX + 1]).is_err());
    }
}
