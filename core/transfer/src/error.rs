//! The one error type of this room. Refusals of an archive are a result, not an error: see
//! [`ArchiveRefusal`](crate::ArchiveRefusal).

use std::{io, net::SocketAddr, path::PathBuf, time::Duration};

use thiserror::Error;

/// What went wrong while bytes were moved.
#[derive(Debug, Error)]
pub enum TransferError {
    /// No file could be opened or mapped at this path.
    #[error("could not open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// There is something at this path, but not a regular file.
    #[error("{} is not a regular file", path.display())]
    NotAFile {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file became shorter after it was opened. Blobs never change, so somebody else cut it.
    #[error("{} was cut short: no byte at offset {offset}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The first offset at which a byte is missing.
        offset: u64,
    },
    /// The disk failed while a file was read ahead.
    #[error("could not read {} at offset {offset}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where the read failed.
        offset: u64,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A range does not lie inside its file.
    #[error("range {start}..{end} does not lie inside {} ({size_bytes} bytes)", path.display())]
    RangeOutside {
        /// The file.
        path: PathBuf,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// How long the file is.
        size_bytes: u64,
    },
    /// An address could not be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A source of bytes gave nothing for too long.
    #[error("no bytes for {} seconds", limit.as_secs())]
    Idle {
        /// The longest pause that was allowed.
        limit: Duration,
    },
    /// A source of bytes failed.
    #[error("the source of the bytes failed")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The system gave no thread.
    #[error("could not start a thread")]
    Thread(#[source] io::Error),
    /// Work on another thread panicked, or the runtime is shutting down.
    #[error("work on another thread did not finish")]
    Worker,
}

impl From<tokio::task::JoinError> for TransferError {
    fn from(_: tokio::task::JoinError) -> Self {
        Self::Worker
    }
}
