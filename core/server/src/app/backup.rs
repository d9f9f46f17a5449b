//! A copy of everything in one folder, made beside a running server, and the way back.
//!
//! ```text
//! FOLDER/
//! ├── backup.json              written last: what there is, and of when
//! ├── catalog-<time>.sqlite3   the catalog as it was then, if it is SQLite
//! └── files/ab/abcd…           each file once, by its SHA-256; the next backup copies what is new
//! ```
//!
//! First the files, then the catalog, then the files that came meanwhile. So whatever that catalog refers to is there:
//! what nothing refers to any more stays in its store for `storage.unreferenced_kept_for`. A backup that is stopped in
//! the middle leaves the one before as it was, and goes on when it is made again.

pub mod folder;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use boxvault_catalog::{
    blobs::{self, Blob},
    moves::Amount,
    store_moves::Progress,
};
use boxvault_plugin_sdk::{PluginErrorKind, StorageBackend};
use boxvault_types::{byte_count::ByteCount, digest::Digest, error::ErrorCode};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use tracing::warn;

pub use self::folder::{BackupError, Folder, Manifest};
use super::{
    App,
    copying::{Copy, Fault},
    fsck::Finding,
    pace::Pace,
    verify::NO_STORE,
};
use crate::error::{AppError, Result};

/// The store that a backup's files are, among those of the configuration; no name there looks like this.
pub const STORE: &str = "(backup)";
/// How many files go at once.
const CONCURRENCY: usize = 4;
/// How often a file is tried whose store does not answer, and how long after the first time again.
const ATTEMPTS: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// Where bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the stores into the folder.
    Out,
    /// From the folder into the stores.
    In,
}

/// Files on their way into a backup, or out of one.
pub struct Copying {
    app: Arc<App>,
    direction: Direction,
    /// Whether files that are in the folder already are read again, and those that are damaged copied anew.
    verifies: bool,
    pace: Pace,
    total_files: AtomicI64,
    total_bytes: AtomicI64,
    done_files: AtomicI64,
    done_bytes: AtomicI64,
    copied_bytes: AtomicI64,
    read_bytes: AtomicI64,
    replaced_files: AtomicI64,
    findings: Mutex<Vec<Finding>>,
    seen: Mutex<HashSet<Digest>>,
    good: Mutex<HashSet<Digest>>,
}

impl Copying {
    /// Over an app whose configuration has [`STORE`].
    pub fn new(app: &Arc<App>, direction: Direction, bytes_per_second: Option<ByteCount>) -> Self {
        Self {
            app: Arc::clone(app),
            direction,
            verifies: false,
            pace: Pace::new(bytes_per_second.map(ByteCount::bytes)),
            total_files: AtomicI64::default(),
            total_bytes: AtomicI64::default(),
            done_files: AtomicI64::default(),
            done_bytes: AtomicI64::default(),
            copied_bytes: AtomicI64::default(),
            read_bytes: AtomicI64::default(),
            replaced_files: AtomicI64::default(),
            findings: Mutex::default(),
            seen: Mutex::default(),
            good: Mutex::default(),
        }
    }

    /// Reads what is in the folder already as well, and copies anew what is damaged there.
    #[must_use]
    pub const fn verifying(mut self, verifies: bool) -> Self {
        self.verifies = verifies;
        self
    }

    /// How many files were damaged in the folder, and are whole again.
    pub fn replaced_files(&self) -> i64 {
        self.replaced_files.load(Ordering::Relaxed)
    }

    /// Copies whatever is not there yet. Files that are damaged or missing are left out, and told by
    /// [`findings`](Self::findings).
    ///
    /// # Errors
    /// `STORAGE_FULL`, and `STORE_UNAVAILABLE`; what is copied by then stays.
    pub async fn run(&self) -> Result<()> {
        self.expect().await?;
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clear();
        let mut after = None;
        loop {
            let page = blobs::list_after(&self.app.catalog, after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            stream::iter(page)
                .map(|blob| async move { self.bring(&blob).await })
                .buffer_unordered(CONCURRENCY)
                .try_collect::<()>()
                .await?;
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let read = |number: &AtomicI64| number.load(Ordering::Relaxed);
        Progress {
            total: Amount { files: read(&self.total_files), bytes: read(&self.total_bytes) },
            moved: Amount { files: read(&self.done_files), bytes: read(&self.done_bytes) },
            copied_bytes: read(&self.copied_bytes),
            ..Progress::default()
        }
    }

    /// How far it is, with all bytes that passed: those that were only read as well.
    pub fn pace_so_far(&self) -> Progress {
        let progress = self.progress();
        let read = self.read_bytes.load(Ordering::Relaxed);
        Progress { copied_bytes: progress.copied_bytes + read, ..progress }
    }

    /// Which files could not be copied, and why.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes what no file of the catalog is any more from the folder. Tells how much that was.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE` when the folder cannot be read.
    pub async fn prune(&self) -> Result<Amount> {
        const LIST_SIZE: u32 = 1000;
        let folder = self.app.stores.get(STORE)?;
        let (mut removed, mut after) = (Amount::default(), None::<String>);
        loop {
            let page = folder.list("", after.as_deref(), LIST_SIZE).await?;
            let Some(last) = page.last() else { return Ok(removed) };
            after = Some(last.key.clone());
            for entry in page {
                let name = entry.key.rsplit('/').next().unwrap_or_default();
                let Some(digest) = Digest::from_hex(name) else { continue };
                if !self.seen.lock().unwrap_or_else(PoisonError::into_inner).contains(&digest) {
                    folder.delete(&entry.key).await?;
                    removed.files += 1;
                    removed.bytes += i64::try_from(entry.size).unwrap_or_default();
                }
            }
        }
    }

    async fn expect(&self) -> Result<()> {
        let (mut files, mut bytes) = (0, 0);
        for store in self.app.list_stores().await? {
            files += store.files;
            bytes += store.bytes;
        }
        self.total_files.store(i64::try_from(files).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.total_bytes.store(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
        self.done_files.store(0, Ordering::Relaxed);
        self.done_bytes.store(0, Ordering::Relaxed);
        Ok(())
    }

    async fn bring(&self, blob: &Blob) -> Result<()> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.digest);
        let mut pause = RETRY_PAUSE;
        for attempt in 1..=ATTEMPTS {
            match self.attempt(blob).await {
                Ok(()) => {
                    self.done_files.fetch_add(1, Ordering::Relaxed);
                    self.done_bytes.fetch_add(blob.size_bytes, Ordering::Relaxed);
                    return Ok(());
                }
                Err(Fault::Damaged(problem)) => return self.note(blob, problem).await,
                Err(Fault::Full(cause)) => return Err(full(&cause)),
                Err(Fault::Catalog(cause)) => return Err(cause),
                Err(Fault::Store(cause)) if attempt == ATTEMPTS => return Err(cause),
                Err(Fault::Store(cause)) => {
                    warn!(
                        key = blob.key,
                        cause = cause.causes(),
                        "could not copy a file; trying again"
                    );
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
        Ok(())
    }

    async fn attempt(&self, blob: &Blob) -> std::result::Result<(), Fault> {
        if !self.app.stores.is_configured(&blob.store) {
            return Err(Fault::Damaged(NO_STORE.to_owned()));
        }
        let store = self.app.stores.get(&blob.store).map_err(Fault::Store)?.as_ref();
        let folder = self.app.stores.get(STORE).map_err(Fault::Store)?.as_ref();
        let kept = key(blob.digest);
        let (from, to) = match self.direction {
            Direction::Out => ((store, &*blob.key), (folder, &*kept)),
            Direction::In => ((folder, &*kept), (store, &*blob.key)),
        };
        let size_bytes = u64::try_from(blob.size_bytes).unwrap_or_default();
        let copy = Copy { from, to, size_bytes, digest: blob.digest };
        let is_damaged = match is_there(to, size_bytes).await {
            Ok(false) => false,
            Ok(true) if !self.verifies || self.good().contains(&blob.digest) => return Ok(()),
            Ok(true) => match copy.check(&self.pace, &self.read_bytes).await {
                Ok(()) => {
                    self.good().insert(blob.digest);
                    return Ok(());
                }
                Err(Fault::Damaged(_)) => true,
                Err(fault) => return Err(fault),
            },
            Err(Fault::Damaged(_)) if self.verifies => true,
            Err(fault) => return Err(fault),
        };
        // takes the place of a damaged one in one step, if it is whole itself
        copy.run(&self.pace, &self.copied_bytes).await?;
        // of twins that go at once one counts
        let is_first = self.good().insert(blob.digest);
        self.replaced_files.fetch_add(i64::from(is_damaged && is_first), Ordering::Relaxed);
        Ok(())
    }

    /// The files whose copies were read, or written, by this one.
    fn good(&self) -> MutexGuard<'_, HashSet<Digest>> {
        self.good.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn note(&self, blob: &Blob, problem: String) -> Result<()> {
        // what was swept meanwhile is nobody's any more
        if self.direction == Direction::Out && !self.app.still_known(blob).await? {
            return Ok(());
        }
        let (store, key) = (blob.store.clone(), blob.key.clone());
        let finding = Finding { store, key, problem };
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).push(finding);
        Ok(())
    }
}

/// Whether a copy is there already: complete, since nothing becomes visible before it is.
async fn is_there(
    (store, key): (&dyn StorageBackend, &str),
    size_bytes: u64,
) -> std::result::Result<bool, Fault> {
    match store.stat(key).await {
        Ok(meta) if meta.size == size_bytes => Ok(true),
        Ok(meta) => Err(Fault::Damaged(format!(
            "its place is taken by {} bytes, and it has {size_bytes}",
            meta.size
        ))),
        Err(error) if error.kind == PluginErrorKind::NotFound => Ok(false),
        Err(error) => Err(Fault::Store(error.into())),
    }
}

fn full(cause: &AppError) -> AppError {
    let message =
        "there is no room left; what is copied stays: make room, and give the same command again";
    AppError::new(ErrorCode::StorageFull, message).with_source(cause.causes())
}

/// The key of a file in a backup, below `files/`.
fn key(digest: Digest) -> String {
    let name = digest.to_hex();
    let fan_out = name.get(..2).unwrap_or("00");
    format!("{fan_out}/{name}")
}
