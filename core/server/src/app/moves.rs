//! Moves files from one store to another while clients go on downloading.
//!
//! ```text
//! reader of the old store ──▶ hash ──▶ writer of the new store (key never used before)
//! then: compare ──▶ one transaction makes that the blob's place ──▶ the sweep removes the old one later
//! ```
//!
//! What is moved lies elsewhere, and so a move that was killed goes on by being asked for again; only the files in the
//! middle begin anew. Whoever copies a file holds a lease in the catalog, so that any number of servers and commands
//! may move at once. A file whose bytes are not what came once is reported and stays where it is.

mod copy;
mod jobs;

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use boxvault_catalog::{
    blobs::Blob,
    boxes,
    moves::{self, Amount, Mover, Selection},
    organizations,
    store_moves::{Progress, Wish},
    verifications::{self, Outcome as Verdict},
};
use boxvault_plugin_sdk::StorageBackend;
use boxvault_types::{
    byte_count::ByteCount,
    error::{ErrorCode, ErrorKind},
    ids::BlobId,
    names::{BoxName, OrganizationName},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::sleep;
use tracing::{error, info, warn};

use super::{App, copying::Fault, fsck::Finding, pace::Pace};
use crate::error::{AppError, Result};

/// More files at once only make each slower.
pub const CONCURRENCY_MAX: u32 = 64;
/// How many files go at once unless somebody asks for another number.
pub const CONCURRENCY: u32 = 4;

/// How long somebody who says nothing more holds a file: the time that a move waits for one that was killed.
const LEASE: Duration = Duration::from_secs(15);
/// How often a file is tried whose store does not answer, and how long after the first time again.
const ATTEMPTS: u32 = 4;
const RETRY_PAUSE: Duration = Duration::from_millis(500);
/// So many files in a row that cannot be moved mean that a store is away.
const FAILURES_IN_A_ROW_MAX: u32 = 10;
/// How long to wait for files that somebody else moves.
const BUSY_PAUSE: Duration = Duration::from_secs(1);
/// How many findings are kept to be shown; all of them are in the log.
const FINDINGS_MAX: usize = 1000;

/// What shall be moved, by the names that people use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRequest {
    /// The store that the files lie in.
    pub from: String,
    /// The store that they shall lie in.
    pub to: String,
    /// Only the files of this organization.
    pub organization: Option<OrganizationName>,
    /// Only the files of this box, which is the organization's.
    pub box_name: Option<BoxName>,
    /// Only files of more bytes.
    pub larger_than: Option<ByteCount>,
    /// At most so many bytes a second.
    pub bytes_per_second: Option<ByteCount>,
    /// How many files at once.
    pub concurrency: u32,
}

/// A move that runs.
pub struct Moving {
    app: Arc<App>,
    wish: Wish,
    from: Arc<dyn StorageBackend>,
    to: Arc<dyn StorageBackend>,
    holder: String,
    pace: Pace,
    meter: Meter,
    failures_in_a_row: AtomicU32,
    given_up: Mutex<HashSet<BlobId>>,
    findings: Mutex<Vec<Finding>>,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Moved,
    /// Nothing refers to it any more, or somebody else moved it.
    Gone,
    /// Somebody else moves it.
    Busy,
    /// Reported, and left where it is.
    GivenUp,
}

impl App {
    /// Makes a wish of names.
    ///
    /// # Errors
    /// `INVALID_INPUT`; `ORGANIZATION_NOT_FOUND`; `BOX_NOT_FOUND`.
    pub async fn wish_to_move(&self, request: &MoveRequest) -> Result<Wish> {
        self.require_store("from", &request.from)?;
        self.require_store("to", &request.to)?;
        if request.from == request.to {
            return Err(AppError::invalid("to", "is the store that the files lie in already"));
        }
        if !(1..=CONCURRENCY_MAX).contains(&request.concurrency) {
            let why = format!("must be from 1 to {CONCURRENCY_MAX}");
            return Err(AppError::invalid("concurrency", why));
        }
        if request.bytes_per_second.is_some_and(|rate| rate.bytes() == 0) {
            return Err(AppError::invalid("bytesPerSecond", "must be at least 1"));
        }
        let mut selection = Selection {
            from: request.from.clone(),
            larger_than: whole("largerThan", request.larger_than)?,
            ..Selection::default()
        };
        match (&request.organization, &request.box_name) {
            (Some(organization), Some(name)) => {
                let found = boxes::find(&self.catalog, organization, name).await?;
                let found = found.ok_or_else(|| {
                    AppError::new(ErrorCode::BoxNotFound, format!("there is no box {name} there"))
                })?;
                selection.vagrant_box = Some(found.vagrant_box.id);
            }
            (Some(organization), None) => {
                let found = organizations::find(&self.catalog, organization).await?;
                let found = found.ok_or_else(|| {
                    let message = format!("there is no organization {organization}");
                    AppError::new(ErrorCode::OrganizationNotFound, message)
                })?;
                selection.organization = Some(found.id);
            }
            (None, Some(_)) => {
                return Err(AppError::invalid("organization", "is needed to find the box"));
            }
            (None, None) => {}
        }
        Ok(Wish {
            selection,
            organization_name: request.organization.as_ref().map(ToString::to_string),
            box_name: request.box_name.as_ref().map(ToString::to_string),
            to: request.to.clone(),
            bytes_per_second: whole("bytesPerSecond", request.bytes_per_second)?,
            concurrency: i32::try_from(request.concurrency).map_err(AppError::internal)?,
        })
    }

    /// How much a move would move now.
    pub async fn amount_to_move(&self, wish: &Wish) -> Result<Amount> {
        Ok(moves::amount(&self.catalog, &wish.selection).await?)
    }
}

impl Moving {
    /// Prepares a move. `before`: how far an earlier run of it came.
    ///
    /// # Errors
    /// `STORE_UNAVAILABLE`.
    pub fn new(app: &Arc<App>, wish: Wish, before: Progress) -> Result<Self> {
        let from = Arc::clone(app.stores.get(&wish.selection.from)?);
        let to = Arc::clone(app.stores.get(&wish.to)?);
        let rate = wish.bytes_per_second.and_then(|rate| u64::try_from(rate).ok());
        Ok(Self {
            from,
            to,
            holder: format!("{}/{}", app.instance_id, uuid::Uuid::now_v7()),
            pace: Pace::new(rate),
            meter: Meter::of(before),
            failures_in_a_row: AtomicU32::new(0),
            given_up: Mutex::default(),
            findings: Mutex::default(),
            app: Arc::clone(app),
            wish,
        })
    }

    /// Moves everything. Files that cannot be moved are left, and told by [`progress`](Self::progress) and
    /// [`findings`](Self::findings).
    ///
    /// # Errors
    /// `STORAGE_FULL`, and `STORE_UNAVAILABLE` when a store seems to be away; what is moved by then stays moved.
    ///
    /// # Cancel safety
    /// Dropping it ends the move; call [`let_go`](Self::let_go) then, so that the next one need not wait.
    pub async fn run(&self) -> Result<()> {
        let amount = moves::amount(&self.app.catalog, &self.wish.selection).await?;
        self.meter.expect(amount);
        while self.pass().await? > 0 {
            sleep(BUSY_PAUSE).await;
        }
        Ok(())
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.meter.read()
    }

    /// Which files could not be moved, and why: the first thousand.
    pub fn findings(&self) -> Vec<Finding> {
        self.findings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Removes what a move left that was dropped in the middle.
    ///
    /// # Errors
    /// Those of the catalog. What cannot be removed is left to the sweep.
    pub async fn let_go(&self) -> Result<()> {
        for copying in moves::held_by(&self.app.catalog, &self.holder).await? {
            if self.app.delete_object(&copying.to.store, &copying.to.key).await {
                moves::forget(&self.app.catalog, &copying).await?;
            }
        }
        Ok(())
    }

    /// Walks over all files once. Tells how many somebody else has.
    async fn pass(&self) -> Result<u64> {
        let at_once = usize::try_from(self.wish.concurrency).unwrap_or(1).max(1);
        let mut open = FuturesUnordered::<BoxFuture<'_, Result<Outcome>>>::new();
        let (mut busy, mut after) = (0, None);
        loop {
            let catalog = &self.app.catalog;
            let page = moves::list_after(catalog, &self.wish.selection, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for blob in page {
                if open.len() >= at_once
                    && let Some(outcome) = open.next().await
                {
                    busy += u64::from(outcome? == Outcome::Busy);
                }
                open.push(self.move_blob(blob).boxed());
            }
        }
        while let Some(outcome) = open.next().await {
            busy += u64::from(outcome? == Outcome::Busy);
        }
        Ok(busy)
    }

    async fn move_blob(&self, blob: Blob) -> Result<Outcome> {
        if self.given_up.lock().unwrap_or_else(PoisonError::into_inner).contains(&blob.id) {
            return Ok(Outcome::GivenUp);
        }
        let mut pause = RETRY_PAUSE;
        for attempt in 1..=ATTEMPTS {
            let fault = match self.attempt(&blob).await {
                Ok(outcome) => return Ok(self.note(&blob, outcome)),
                Err(fault) => fault,
            };
            match fault {
                Fault::Damaged(problem) => return self.note_damage(&blob, problem).await,
                Fault::Full(cause) => return Err(self.full(&cause)),
                Fault::Catalog(cause) if cause.kind() != ErrorKind::Unavailable => {
                    return Err(cause);
                }
                Fault::Catalog(cause) if attempt == ATTEMPTS => return Err(cause),
                Fault::Store(cause) if attempt == ATTEMPTS => {
                    return self.note_failure(&blob, &cause);
                }
                Fault::Catalog(_) | Fault::Store(_) => sleep(pause).await,
            }
            pause *= 2;
        }
        Ok(Outcome::Busy)
    }

    fn note(&self, blob: &Blob, outcome: Outcome) -> Outcome {
        if outcome == Outcome::Moved {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            self.meter.moved(blob.size_bytes);
            self.app.metrics.moved("moved", u64::try_from(blob.size_bytes).unwrap_or_default());
            info!(
                from = blob.store,
                to = self.wish.to,
                key = blob.key,
                size_bytes = blob.size_bytes,
                "moved a file to another store"
            );
        }
        outcome
    }

    /// What is damaged is shown where damaged files are shown, and copied nowhere.
    async fn note_damage(&self, blob: &Blob, problem: String) -> Result<Outcome> {
        if !self.app.still_known(blob).await? {
            return Ok(Outcome::Gone);
        }
        let noted = verifications::note(
            &self.app.catalog,
            blob.id,
            Verdict::Damaged,
            Some(problem.as_str()),
        );
        noted.await?;
        self.app.count_damaged_files().await?;
        error!(
            store = blob.store,
            key = blob.key,
            problem,
            "a stored file is damaged and was not moved; /api/storage/damaged names the boxes that have it"
        );
        self.meter.damaged_files.fetch_add(1, Ordering::Relaxed);
        self.app.metrics.moved("damaged", 0);
        self.give_up(blob, problem);
        Ok(Outcome::GivenUp)
    }

    fn note_failure(&self, blob: &Blob, cause: &AppError) -> Result<Outcome> {
        warn!(
            store = blob.store,
            key = blob.key,
            cause = cause.causes(),
            "could not move a file; it stays where it is"
        );
        self.meter.failed_files.fetch_add(1, Ordering::Relaxed);
        self.app.metrics.moved("failed", 0);
        self.give_up(blob, cause.message().to_owned());
        let row = self.failures_in_a_row.fetch_add(1, Ordering::Relaxed) + 1;
        if row < FAILURES_IN_A_ROW_MAX {
            return Ok(Outcome::GivenUp);
        }
        Err(AppError::new(
            ErrorCode::StoreUnavailable,
            format!(
                "{row} files in a row could not be moved from {:?} to {:?}, so a store seems to be away \
                 (the log tells why); what is moved stays moved, start the same move again later",
                self.wish.selection.from, self.wish.to
            ),
        ))
    }

    fn give_up(&self, blob: &Blob, problem: String) {
        self.given_up.lock().unwrap_or_else(PoisonError::into_inner).insert(blob.id);
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.len() < FINDINGS_MAX {
            let (store, key) = (blob.store.clone(), blob.key.clone());
            findings.push(Finding { store, key, problem });
        }
    }

    fn full(&self, cause: &AppError) -> AppError {
        AppError::new(
            ErrorCode::StorageFull,
            format!(
                "the store {:?} is full; what is moved stays moved: make room there, and start the same move again",
                self.wish.to
            ),
        )
        .with_source(cause.causes())
    }

    fn mover(&self) -> Mover<'_> {
        Mover { holder: &self.holder, lease: LEASE }
    }
}

/// How far a move is, counted while it runs.
#[derive(Debug, Default)]
struct Meter {
    total_files: AtomicI64,
    total_bytes: AtomicI64,
    moved_files: AtomicI64,
    moved_bytes: AtomicI64,
    copied_bytes: AtomicI64,
    failed_files: AtomicI64,
    damaged_files: AtomicI64,
}

impl Meter {
    /// What failed before is tried again, and so not counted.
    fn of(before: Progress) -> Self {
        Self {
            moved_files: before.moved.files.into(),
            moved_bytes: before.moved.bytes.into(),
            copied_bytes: before.copied_bytes.into(),
            ..Self::default()
        }
    }

    fn expect(&self, left: Amount) {
        let moved = self.read().moved;
        self.total_files.store(moved.files + left.files, Ordering::Relaxed);
        self.total_bytes.store(moved.bytes + left.bytes, Ordering::Relaxed);
    }

    fn moved(&self, bytes: i64) {
        self.moved_files.fetch_add(1, Ordering::Relaxed);
        self.moved_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn read(&self) -> Progress {
        let read = |number: &AtomicI64| number.load(Ordering::Relaxed);
        Progress {
            total: Amount { files: read(&self.total_files), bytes: read(&self.total_bytes) },
            moved: Amount { files: read(&self.moved_files), bytes: read(&self.moved_bytes) },
            copied_bytes: read(&self.copied_bytes),
            failed_files: read(&self.failed_files),
            damaged_files: read(&self.damaged_files),
        }
    }
}

fn whole(field: &str, bytes: Option<ByteCount>) -> Result<Option<i64>> {
    bytes
        .map(|bytes| {
            i64::try_from(bytes.bytes())
                .map_err(|_| AppError::invalid(field, "must be below 8 EiB"))
        })
        .transpose()
}
