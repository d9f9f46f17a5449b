//! Verification: reads stored bytes again and compares their SHA-256 with what was computed when they came.
//!
//! On demand for one file, and slowly over all of them (the scrub). Requests wait in the catalog, so that any server
//! takes them and a restart loses none; a server reads one blob at a time. What is found is kept and shown; nothing
//! is ever deleted for it, since a damaged copy may be all that there is.

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    blobs::{self, Blob},
    boxes::OwnedBox,
    verifications::{self, Outcome, Reader, Verification},
};
use boxvault_plugin_sdk::{ByteRange, PluginErrorKind};
use boxvault_transfer::{Intake, IntakeOptions};
use boxvault_types::{
    params::ListQuery,
    views::{
        PageView,
        files::{VerificationState, VerificationView},
        storage::DamagedFileView,
    },
};
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};

use super::{
    App,
    artifacts::{Slot, no_file},
    jobs::Job,
    lists,
};
use crate::error::{AppError, Result};

/// How long a reader that says nothing more holds a blob.
const LEASE: Duration = Duration::from_mins(1);
/// How often a reader says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);
/// How often a server looks for requests that another one took.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// What is wrong with a file whose store the configuration does not have any more.
pub(super) const NO_STORE: &str = "its store is not configured";

/// How fast to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// Somebody waits.
    Full,
    /// At most so many bytes a second.
    Slow(u64),
}

impl App {
    /// Asks for a file to be read and compared.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`.
    pub(crate) async fn verify_file(
        &self,
        found: &OwnedBox,
        slot: &Slot,
    ) -> Result<VerificationView> {
        let artifact = self.architecture(found, slot).await?;
        let file = artifact.file.ok_or_else(|| no_file(slot))?;
        let row = verifications::request(&self.catalog, file.stored.blob_id).await?;
        self.verification_wanted.notify_one();
        Ok(self.verification_view(&row, file.stored.size_bytes))
    }

    /// What is known of a file's bytes; nothing if nobody ever looked.
    pub(super) async fn verification(
        &self,
        stored: &blobs::StoredFile,
    ) -> Result<Option<VerificationView>> {
        let row = verifications::find(&self.catalog, stored.blob_id).await?;
        Ok(row.map(|row| self.verification_view(&row, stored.size_bytes)))
    }

    /// The files that are damaged, and where they would be missed.
    pub(crate) async fn list_damaged_files(
        &self,
        query: ListQuery,
    ) -> Result<(Vec<DamagedFileView>, PageView)> {
        let page = self.page(&query)?;
        lists::unsorted(&query)?;
        let found = verifications::list_damaged(&self.catalog, page).await?;
        let views = found
            .items
            .into_iter()
            .map(|file| DamagedFileView {
                organization: file.organization.to_string(),
                box_name: file.box_name.to_string(),
                version: file.version.to_string(),
                provider: file.provider.to_string(),
                architecture: file.architecture.to_string(),
                store: file.store,
                key: file.key,
                file_size: unsigned(file.size_bytes),
                checksum: file.digest.to_hex(),
                checked_at: file.checked_at,
                problem: file.problem,
            })
            .collect();
        Ok((views, lists::view(page, found.total)))
    }

    /// Shows the number of damaged files in the metrics.
    pub(crate) async fn count_damaged_files(&self) -> Result<()> {
        let count = verifications::count_damaged(&self.catalog).await?;
        self.metrics.set_damaged_files(count);
        Ok(())
    }

    /// Reads what was asked for, for ever.
    pub(crate) async fn verify_forever(self: Arc<Self>) {
        self.jobs.begin(Job::Verification, POLL_INTERVAL);
        loop {
            match self.jobs.run(Job::Verification, self.verify_next()).await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        () = self.verification_wanted.notified() => {}
                        () = sleep(POLL_INTERVAL) => {}
                    }
                }
                Err(error) => {
                    warn!(
                        cause = error.causes(),
                        "could not verify stored files; tried again later"
                    );
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }

    /// Reads what nobody has read for `storage.scrub_interval`, slowly, for ever.
    pub(crate) async fn scrub_forever(self: Arc<Self>, interval: Duration) {
        self.jobs.begin(Job::Scrub, POLL_INTERVAL);
        loop {
            match self.jobs.run(Job::Scrub, self.scrub_next(interval)).await {
                Ok(true) => {}
                Ok(false) => sleep(POLL_INTERVAL).await,
                Err(error) => {
                    warn!(
                        cause = error.causes(),
                        "could not scrub stored files; tried again later"
                    );
                    sleep(POLL_INTERVAL).await;
                }
            }
        }
    }

    async fn verify_next(&self) -> Result<bool> {
        let holder = self.reader_name();
        let reader = Reader { holder: &holder, lease: LEASE };
        let taken = verifications::take_requested(&self.catalog, reader).await?;
        let Some(blob) = taken else { return Ok(false) };
        self.verify_blob(&blob, reader, Pace::Full).await?;
        Ok(true)
    }

    async fn scrub_next(&self, interval: Duration) -> Result<bool> {
        let holder = self.reader_name();
        let reader = Reader { holder: &holder, lease: LEASE };
        let taken = verifications::take_unread(&self.catalog, interval, reader).await?;
        let Some(blob) = taken else { return Ok(false) };
        let pace = Pace::Slow(self.config.storage.scrub_bytes_per_second.bytes().max(1));
        self.verify_blob(&blob, reader, pace).await?;
        Ok(true)
    }

    fn reader_name(&self) -> String {
        format!("{}/{}", self.instance_id, uuid::Uuid::now_v7())
    }

    async fn verify_blob(&self, blob: &Blob, reader: Reader<'_>, pace: Pace) -> Result<()> {
        let Some(problem) = self.read_again(blob, reader, pace).await? else { return Ok(()) };
        let outcome = if problem.is_none() { Outcome::Ok } else { Outcome::Damaged };
        let text = problem.as_deref();
        // what was swept meanwhile is nobody's any more, and what was moved lies elsewhere
        if outcome == Outcome::Damaged && !self.still_known(blob).await? {
            return Ok(());
        }
        verifications::finish(&self.catalog, blob.id, reader.holder, outcome, text).await?;
        self.events.ring();
        self.metrics.verified(outcome.as_str());
        self.count_damaged_files().await?;
        match text {
            None => info!(store = blob.store, key = blob.key, "a stored file is what it was"),
            Some(problem) => error!(
                store = blob.store,
                key = blob.key,
                problem,
                "a stored file is damaged; /api/storage/damaged names the boxes that have it"
            ),
        }
        Ok(())
    }

    /// Reads a blob to its end. Tells what is wrong with it, if anything is; nothing at all when it was taken over.
    async fn read_again(
        &self,
        blob: &Blob,
        reader: Reader<'_>,
        pace: Pace,
    ) -> Result<Option<Option<String>>> {
        if !self.stores.is_configured(&blob.store) {
            return Ok(Some(Some(NO_STORE.to_owned())));
        }
        let store = self.stores.get(&blob.store)?;
        let mut body = match store.open_reader(&blob.key, ByteRange::FULL).await {
            Ok(body) => body,
            Err(error) => return problem_of(error).map(|problem| Some(Some(problem))),
        };
        let mut intake = Intake::start(&IntakeOptions::default()).map_err(AppError::internal)?;
        let (started, mut told) = (Instant::now(), Instant::now());
        loop {
            let chunk = match body.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(error) => return problem_of(error).map(|problem| Some(Some(problem))),
            };
            intake.push(chunk).await;
            let due = match pace {
                Pace::Full => Duration::ZERO,
                Pace::Slow(rate) => {
                    Duration::from_millis(intake.size_bytes().saturating_mul(1000) / rate)
                }
            };
            loop {
                if told.elapsed() >= PROGRESS_INTERVAL {
                    told = Instant::now();
                    let done = i64::try_from(intake.size_bytes()).map_err(AppError::internal)?;
                    if !verifications::progress(&self.catalog, blob.id, reader, done).await? {
                        return Ok(None);
                    }
                }
                let ahead = due.saturating_sub(started.elapsed());
                if ahead.is_zero() {
                    break;
                }
                sleep(ahead.min(PROGRESS_INTERVAL)).await;
            }
        }
        let report = intake.finish().await.map_err(AppError::internal)?;
        if i64::try_from(report.size_bytes).ok() != Some(blob.size_bytes) {
            let problem = format!("it has {} bytes, not {}", report.size_bytes, blob.size_bytes);
            return Ok(Some(Some(problem)));
        }
        let found = boxvault_types::digest::Digest(report.digests.sha256);
        let differs = found != blob.digest;
        Ok(Some(differs.then(|| format!("its sha256 is {found}, not {}", blob.digest))))
    }

    /// Whether a blob still lies where it was listed: it was neither swept nor moved since.
    pub(super) async fn still_known(&self, blob: &Blob) -> Result<bool> {
        let found = blobs::find(&self.catalog, blob.id).await?;
        Ok(found.is_some_and(|found| found.store == blob.store && found.key == blob.key))
    }

    fn verification_view(&self, row: &Verification, size_bytes: i64) -> VerificationView {
        let is_read = row.held_until.is_some_and(|until| until > self.catalog.now());
        let state = match (is_read, row.requested_at, row.outcome) {
            (true, ..) => VerificationState::Running,
            (false, None, Some(Outcome::Ok)) => VerificationState::Ok,
            (false, None, Some(Outcome::Damaged)) => VerificationState::Damaged,
            // asked for, or left by a server that died
            (false, ..) => VerificationState::Waiting,
        };
        VerificationView {
            state,
            done_bytes: if is_read { unsigned(row.done_bytes) } else { 0 },
            total_bytes: unsigned(size_bytes),
            checked_at: row.checked_at,
            damaged: row.outcome == Some(Outcome::Damaged),
            problem: row.problem.clone(),
        }
    }
}

/// A file that cannot be read is damaged. A store that is away says nothing about its files.
fn problem_of(error: boxvault_plugin_sdk::PluginError) -> Result<String> {
    match error.kind {
        PluginErrorKind::Unavailable | PluginErrorKind::DeadlineExceeded => Err(error.into()),
        PluginErrorKind::NotFound => Ok("it is missing".to_owned()),
        _ => Ok(format!("it cannot be read: {error}")),
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
