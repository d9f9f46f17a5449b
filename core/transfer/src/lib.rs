//! File bytes out by the shortest way, and in: hashed and inspected off the async workers.
//!
//! Out: [`LocalFiles`] opens and maps files, [`FileBody`] is a response body of slices of one, and the
//! socket behind [`FileListener`] recognizes such a slice and lets the kernel send it with
//! `sendfile(2)`. Behind TLS and HTTP/2 the same slices are read as ordinary memory.
//!
//! In: [`Intake`] hashes an upload and looks into the box archive while the caller writes the same
//! bytes to a store.
//!
//! This room knows sockets, files and salvo's connection types. It knows no catalog, policy, plugin
//! or route. The decision worth knowing: a download holds no thread, so that a thousand slow clients
//! cost none; an upload, of which there are few at once, has two of its own.

mod archive;
mod body;
mod coalesce;
mod digests;
mod error;
mod idle;
mod intake;
mod lane;
mod listener;
mod local_file;
mod mapping;
mod os;
mod range;
mod share;
mod socket;
#[cfg(test)]
mod testing;

pub use archive::{
    ArchiveDepth, ArchiveLimits, ArchiveRefusal, BoxArchive, BoxInspector, Compression,
};
pub use body::{Delivery, FileBody, MultipartBody};
pub use coalesce::Coalesce;
pub use digests::{DigestAlgorithm, Digests};
pub use error::TransferError;
pub use idle::IdleBound;
pub use intake::{Intake, IntakeOptions, IntakeReport};
pub use listener::{FileAcceptor, FileListener};
pub use local_file::{LocalFile, LocalFiles};
pub use os::{raise_open_files_limit, share_heaps, trim_heaps};
pub use range::{RANGES_MAX, RangeRequest};
pub use share::PIECE_BYTES_MAX;
pub use socket::FileSocket;
