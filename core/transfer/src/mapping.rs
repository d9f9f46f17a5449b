//! One file, open and mapped for reading. One of the two files of this crate with `unsafe`.
//!
//! A mapping is address space, not memory: pages come in only when somebody reads the bytes, and
//! the kernel sends them from its own cache without that. Whoever holds a slice holds the mapping.
#![expect(
    unsafe_code,
    reason = "a mapped file can change under us; here is said why ours does not"
)]

use std::{
    fs::File,
    io,
    ops::Range,
    path::PathBuf,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use memmap2::{Mmap, UncheckedAdvice};

use crate::{local_file::Shelf, os};

/// What a file is, apart from its name: the same numbers mean the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileIdentity {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    pub(crate) size_bytes: u64,
}

/// An open file and its mapping; an empty file has none.
#[derive(Debug)]
pub(crate) struct Mapping {
    // Dropped in this order: first the addresses are given back, then the descriptor.
    memory: Option<Mmap>,
    file: File,
    path: PathBuf,
    identity: FileIdentity,
    /// Set when the kernel said once that this file cannot be sent by `sendfile(2)`.
    unsendable: AtomicBool,
    shelf: Weak<Shelf>,
}

impl Mapping {
    /// Maps the whole of `file`.
    ///
    /// # Errors
    ///
    /// What the system said, for instance when the file is larger than the address space.
    pub(crate) fn new(
        file: File,
        path: PathBuf,
        identity: FileIdentity,
        shelf: Weak<Shelf>,
    ) -> io::Result<Self> {
        let memory = if identity.size_bytes == 0 {
            None
        } else {
            // SAFETY: the mapping is read-only and private to this struct. The promise that the
            // file does not change or shrink while it is mapped is kept by the stores: a blob is
            // written under a name never used before and is never opened for writing again;
            // deleting it leaves the mapping whole. Were it cut from outside all the same,
            // `FileBody` asks for the last byte of each window before it hands the window on.
            Some(unsafe { Mmap::map(&file) }?)
        };
        let unsendable = AtomicBool::new(false);
        Ok(Self { memory, file, path, identity, unsendable, shelf })
    }

    /// The addresses of the mapping.
    pub(crate) fn addresses(&self) -> Range<usize> {
        let bytes = self.memory.as_deref().unwrap_or_default().as_ptr_range();
        bytes.start.addr()..bytes.end.addr()
    }

    /// Where in the file `slice` lies, if it is a slice of this mapping.
    pub(crate) fn offset_of(&self, slice: &[u8]) -> Option<u64> {
        let start = slice.as_ptr().addr();
        let addresses = self.addresses();
        addresses.contains(&start).then(|| (start - addresses.start) as u64)
    }

    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    pub(crate) fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Whether the kernel may be asked to send this file.
    pub(crate) fn sendable(&self) -> bool {
        !self.unsendable.load(Ordering::Relaxed)
    }

    /// Remembers that the kernel cannot send this file.
    pub(crate) fn refuse_sending(&self) {
        self.unsendable.store(true, Ordering::Relaxed);
    }

    /// Whether all pages of a part of the file are in memory, by asking for each of them. Slower than
    /// sampling by [`os::residency`], but every file system can answer.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_resident(&self, range: &Range<u64>) -> bool {
        let page_bytes = os::page_bytes();
        let memory = self.memory.as_deref().unwrap_or_default();
        let inside = |offset| usize::try_from(offset).unwrap_or(usize::MAX).min(memory.len());
        // The mapping begins on a page, with the first byte of the file.
        let start = inside(range.start) / page_bytes * page_bytes;
        let bytes = inside(range.end).saturating_sub(start);
        let mut pages = vec![0_u8; bytes.div_ceil(page_bytes)];
        let first = memory.as_ptr().wrapping_add(start).cast_mut().cast();
        // SAFETY: the range begins on a page of our mapping and ends inside it, it is only asked
        // about, and `pages` has one byte for each page of it.
        let asked = unsafe { libc::mincore(first, bytes, pages.as_mut_ptr()) };
        asked == 0 && pages.iter().all(|page| page & 1 == 1)
    }

    /// Whether a part of the file is in memory; here this cannot be known.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn is_resident(&self, _range: &Range<u64>) -> bool {
        false
    }

    /// A slice of the file that the kernel will send; empty when the range does not lie inside it.
    pub(crate) fn slice(self: &Arc<Self>, range: &Range<u64>) -> Bytes {
        Bytes::from_owner(self.part(range))
    }

    /// A slice that the process itself will read. When it is dropped, its pages leave our address
    /// space (not the page cache), so that a whole file that was read does not count as our memory.
    pub(crate) fn slice_to_read(self: &Arc<Self>, range: &Range<u64>) -> Bytes {
        Bytes::from_owner(PartToRead(self.part(range)))
    }

    fn part(self: &Arc<Self>, range: &Range<u64>) -> Part {
        let size = self.memory.as_deref().unwrap_or_default().len();
        let inside = |offset: u64| usize::try_from(offset).ok().filter(|it| *it <= size);
        let range = match (inside(range.start), inside(range.end)) {
            (Some(start), Some(end)) if start < end => start..end,
            _ => 0..0,
        };
        Part { mapping: Arc::clone(self), range }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Before the addresses are given back, so that nobody who gets them next is taken for us.
        if let Some(shelf) = self.shelf.upgrade() {
            shelf.forget(self);
        }
    }
}

/// What a slice keeps alive.
struct Part {
    mapping: Arc<Mapping>,
    range: Range<usize>,
}

/// The same, for a slice whose pages come into our address space.
struct PartToRead(Part);

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        let whole = self.mapping.memory.as_deref().unwrap_or_default();
        whole.get(self.range.clone()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for PartToRead {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl Drop for PartToRead {
    fn drop(&mut self) {
        let Some(memory) = &self.0.mapping.memory else { return };
        let Range { start, end } = self.0.range;
        let start = start / os::page_bytes() * os::page_bytes();
        // SAFETY: the advice is taken for pages of a read-only shared mapping of a file. Whoever
        // else reads them gets the same bytes again, from the page cache.
        let advised =
            unsafe { memory.unchecked_advise_range(UncheckedAdvice::DontNeed, start, end - start) };
        if let Err(error) = advised {
            tracing::trace!(%error, "could not give pages back");
        }
    }
}
