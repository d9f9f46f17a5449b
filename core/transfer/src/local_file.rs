//! The files that are being sent, each open and mapped once, however many clients take it.
//!
//! Two indexes, by path and by address, both holding weak references: when the last slice of a file
//! is gone, so are its descriptor and its addresses. A socket asks the address index only for the
//! first slice of a download and then remembers the answer (see [`FileSocket`](crate::FileSocket)),
//! so that the lock is taken a few times per download and not once per write.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{File, Metadata},
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock, Weak},
};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, spawn_blocking},
};

use crate::{
    TransferError,
    mapping::{FileIdentity, Mapping},
    os::{self, Residency},
};

/// Distance of the bytes that are asked for to learn whether a window is in memory. The kernel
/// reads ahead at least this much at once, so a hole is seldom smaller.
const PROBE_STRIDE_BYTES: u64 = 128 << 10;

/// How many windows are read from disk at the same time, over all downloads. More would only make
/// the disk seek, and hold threads of the blocking pool that uploads need.
const READERS_MAX: usize = 32;

/// The files that are being sent, shared by the listener and the handlers. Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct LocalFiles {
    shelf: Arc<Shelf>,
}

/// An immutable file, open and mapped. Clones are the same file.
#[derive(Debug, Clone)]
pub struct LocalFile {
    mapping: Arc<Mapping>,
    readers: Arc<Semaphore>,
}

/// The two indexes.
#[derive(Debug)]
pub(crate) struct Shelf {
    by_path: Mutex<HashMap<PathBuf, Weak<Mapping>>>,
    /// First address → one past the last, and whose they are. The end stands here so that no strong
    /// reference is made, and perhaps dropped, under the lock for a slice that is nobody's.
    by_address: RwLock<BTreeMap<usize, (usize, Weak<Mapping>)>>,
    readers: Arc<Semaphore>,
}

impl LocalFiles {
    /// An empty shelf.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens a file that will not change any more, or finds it open already.
    ///
    /// A path under which there is another file than before (by device, inode and length) is opened
    /// anew; downloads that have begun keep the old one.
    ///
    /// # Errors
    ///
    /// `Open` or `NotAFile`.
    pub async fn open(&self, path: &Path) -> Result<LocalFile, TransferError> {
        let (files, path) = (self.clone(), path.to_owned());
        spawn_blocking(move || files.open_blocking(&path)).await?
    }

    /// As [`open`](Self::open), on the calling thread, which may wait for the disk.
    ///
    /// # Errors
    ///
    /// `Open` or `NotAFile`.
    pub fn open_blocking(&self, path: &Path) -> Result<LocalFile, TransferError> {
        let failed = |source| TransferError::Open { path: path.to_owned(), source };
        let known = self.shelf.at_path(path);
        if let Some(mapping) = known
            && std::fs::metadata(path).is_ok_and(|found| identity(&found) == mapping.identity())
        {
            return Ok(self.local_file(mapping));
        }
        let file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(TransferError::NotAFile { path: path.to_owned() });
        }
        let shelf = Arc::downgrade(&self.shelf);
        let mapping =
            Mapping::new(file, path.to_owned(), identity(&metadata), shelf).map_err(failed)?;
        Ok(self.local_file(self.shelf.remember(Arc::new(mapping))))
    }

    /// How many files are open now.
    pub fn open_count(&self) -> usize {
        self.shelf.by_path.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The mapping that `slice` lies in.
    pub(crate) fn find(&self, slice: &[u8]) -> Option<Arc<Mapping>> {
        let start = slice.as_ptr().addr();
        let by_address = self.shelf.by_address.read().unwrap_or_else(PoisonError::into_inner);
        let (_, (end, mapping)) = by_address.range(..=start).next_back()?;
        // Whoever shows a slice of a mapping holds it, so this is never the last reference.
        if start < *end { mapping.upgrade() } else { None }
    }

    fn local_file(&self, mapping: Arc<Mapping>) -> LocalFile {
        LocalFile { mapping, readers: Arc::clone(&self.shelf.readers) }
    }
}

impl LocalFile {
    /// The length that the file had when it was opened.
    pub fn size_bytes(&self) -> u64 {
        self.mapping.identity().size_bytes
    }

    /// Where the file was opened.
    pub fn path(&self) -> &Path {
        self.mapping.path()
    }

    /// A slice of the file that the kernel will send; empty when the range does not lie inside it.
    pub(crate) fn slice(&self, range: &Range<u64>) -> Bytes {
        self.mapping.slice(range)
    }

    /// A slice of the file that the process itself will read.
    pub(crate) fn slice_to_read(&self, range: &Range<u64>) -> Bytes {
        self.mapping.slice_to_read(range)
    }

    /// Whether a part of the file can be read without waiting for the disk. Samples it, and always
    /// asks for the last byte, so that a file that was cut is noticed.
    pub(crate) fn residency(&self, window: &Range<u64>) -> Result<Residency, TransferError> {
        let file = self.mapping.file();
        let samples = (window.start..window.end).step_by(stride()).chain(window.end.checked_sub(1));
        for offset in samples {
            match os::residency(file, offset) {
                Residency::Resident => {}
                Residency::Unknown if self.mapping.is_resident(window) => break,
                Residency::Cold | Residency::Unknown => return Ok(Residency::Cold),
                Residency::BeyondEnd => return Err(self.truncated(offset)),
            }
        }
        Ok(Residency::Resident)
    }

    /// Reads a part of the file into the page cache on the blocking pool, and tells the kernel to
    /// begin with what follows, up to `end`. The task ends with the part that is now in memory.
    pub(crate) fn fetch(
        &self,
        window: Range<u64>,
        end: u64,
    ) -> JoinHandle<Result<Range<u64>, TransferError>> {
        let (file, readers) = (self.clone(), Arc::clone(&self.readers));
        tokio::spawn(async move {
            // The semaphore is never closed; without a permit the read goes on all the same.
            let _permit = readers.acquire_owned().await.ok();
            spawn_blocking(move || file.fetch_blocking(window, end)).await?
        })
    }

    fn fetch_blocking(&self, window: Range<u64>, end: u64) -> Result<Range<u64>, TransferError> {
        let file = self.mapping.file();
        let bytes = window.end - window.start;
        os::will_need(file, window.start, (2 * bytes).min(end - window.start));
        let pages =
            (window.start..window.end).step_by(os::page_bytes()).chain(window.end.checked_sub(1));
        for offset in pages {
            match file.read_at(&mut [0], offset) {
                Ok(0) => return Err(self.truncated(offset)),
                Ok(_) => {}
                Err(source) => {
                    return Err(TransferError::Read { path: self.path().into(), offset, source });
                }
            }
        }
        Ok(window)
    }

    fn truncated(&self, offset: u64) -> TransferError {
        TransferError::Truncated { path: self.path().to_owned(), offset }
    }
}

impl Default for Shelf {
    fn default() -> Self {
        Self {
            by_path: Mutex::default(),
            by_address: RwLock::default(),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }
}

impl Shelf {
    fn at_path(&self, path: &Path) -> Option<Arc<Mapping>> {
        self.by_path.lock().unwrap_or_else(PoisonError::into_inner).get(path)?.upgrade()
    }

    /// Puts a new mapping into both indexes, or returns the one that another task put there first.
    fn remember(&self, mapping: Arc<Mapping>) -> Arc<Mapping> {
        let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        let other = by_path.get(mapping.path()).and_then(Weak::upgrade);
        let same = other.as_ref().is_some_and(|it| it.identity() == mapping.identity());
        if !same {
            // By address first: whoever finds it by path may ask for its slices at once.
            self.remember_addresses(&mapping);
            by_path.insert(mapping.path().clone(), Arc::downgrade(&mapping));
        }
        // Unlocked before any mapping may be dropped, which takes the same lock.
        drop(by_path);
        match other {
            Some(other) if same => other,
            _ => mapping,
        }
    }

    fn remember_addresses(&self, mapping: &Arc<Mapping>) {
        let addresses = mapping.addresses();
        if !addresses.is_empty() {
            let mut by_address = self.by_address.write().unwrap_or_else(PoisonError::into_inner);
            by_address.insert(addresses.start, (addresses.end, Arc::downgrade(mapping)));
        }
    }

    /// Takes a mapping out of both indexes, unless a newer one stands there.
    pub(crate) fn forget(&self, mapping: &Mapping) {
        let is_it = |entry: &Weak<Mapping>| std::ptr::eq(entry.as_ptr(), mapping);
        let mut by_path = self.by_path.lock().unwrap_or_else(PoisonError::into_inner);
        if by_path.get(mapping.path()).is_some_and(is_it) {
            by_path.remove(mapping.path());
        }
        drop(by_path);
        let start = mapping.addresses().start;
        let mut by_address = self.by_address.write().unwrap_or_else(PoisonError::into_inner);
        if by_address.get(&start).is_some_and(|(_, entry)| is_it(entry)) {
            by_address.remove(&start);
        }
    }
}

fn identity(metadata: &Metadata) -> FileIdentity {
    FileIdentity { device: metadata.dev(), inode: metadata.ino(), size_bytes: metadata.len() }
}

fn stride() -> usize {
    usize::try_from(PROBE_STRIDE_BYTES).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
