//! Uploads: begin, stream, verify, commit or abort.
//!
//! ```text
//! body ──▶ intake (count, hash, look into the archive; off the async workers)
//!      └─▶ store writer (key never used before)
//! then: compare ──▶ one transaction makes it exist ──▶ 200
//! ```
//!
//! No transaction is open while bytes stream. What fails before the commit was never there: the writer is aborted
//! and the row removed; if even that fails, the sweep finds both by the row's age.

pub(crate) mod direct;
mod unfinished;

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    artifacts::Gate,
    audit::NewEntry,
    boxes::OwnedBox,
    quotas::Room,
    uploads::{self, NewUpload},
    versions::VersionStatus,
};
use boxvault_plugin_sdk::{ObjectWriter, WriteOptions};
use boxvault_transfer::{
    ArchiveDepth, ArchiveLimits, ArchiveRefusal, BoxArchive, Coalesce, DigestAlgorithm, Digests,
    Intake, IntakeOptions,
};
use boxvault_types::{
    digest::{Checksum, ChecksumType},
    error::ErrorCode,
    ids::{BlobId, UploadId, UserId},
    views::files::UploadView,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::sync::OwnedSemaphorePermit;
use tracing::{info, warn};

use unfinished::{Unfinished, lost_race, not_a_box};

use super::{App, artifacts::Slot, stores};
use crate::{
    config::ArchiveCheck,
    error::{AppError, Result},
};

/// How much is handed to a store at once: large enough that a hop costs nothing, small enough for memory.
pub(super) const WRITE_BYTES: usize = 256 << 10;
/// How often an upload tells that it is alive.
const TOUCH_INTERVAL: Duration = Duration::from_mins(1);
/// More entries than any box has before its metadata.
const ARCHIVE_ENTRIES_MAX: u64 = 100_000;
/// What an xz or zstd decoder may allocate.
const DECODER_MEMORY_BYTES_MAX: u64 = 128 << 20;

/// What a client says of the file that it sends.
#[derive(Debug, Clone, Default)]
pub(crate) struct Declared {
    /// Bytes.
    pub(crate) length: Option<u64>,
    /// What the file must hash to.
    pub(crate) checksum: Option<Checksum>,
    /// Whether there was a file already, which the caller may replace.
    pub(crate) replace: bool,
    /// The upload that was continued until it was whole, and whose parts these bytes are.
    pub(crate) continued: Option<Continued>,
    /// Which artifacts take it.
    pub(crate) gate: Gate,
    /// What is left of the organization's quota; the beginning fills it in.
    pub(crate) room: Room,
}

/// An upload that was continued until it was whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Continued {
    /// Its id.
    pub(crate) id: UploadId,
    /// What was there when it began: a file that came since then stands.
    pub(crate) previous_blob_id: Option<BlobId>,
}

impl App {
    /// Takes a file for an architecture. `audit` becomes part of the commit.
    ///
    /// # Errors
    /// Whatever it is, the file that was there before is still there, and nothing else is.
    ///
    /// # Cancel safety
    /// Dropping it while the body comes in is an abort. Once all of it came, the upload goes on to its end without
    /// the caller: between the last byte and the commit there is nothing that a client could interrupt.
    pub(crate) async fn upload<S, E>(
        self: &Arc<Self>,
        found: &OwnedBox,
        slot: &Slot,
        mut declared: Declared,
        user: Option<UserId>,
        audit: NewEntry,
        body: S,
    ) -> Result<UploadView>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut unfinished = self.begin(found, slot, &mut declared, user).await?;
        let arrived = match unfinished.receive(slot, &declared, body).await {
            Ok(arrived) => arrived,
            Err(error) => {
                self.metrics.upload_ended("refused", 0);
                unfinished.give_up().await;
                return Err(error);
            }
        };
        let size_bytes = arrived.size_bytes;
        let finishing = tokio::spawn(unfinished.finish(arrived, declared, audit));
        let (committed, compression) = finishing.await.map_err(AppError::internal)??;
        info!(
            box.name = %found.vagrant_box.name, organization = %found.organization.name, size_bytes,
            "stored the file of {}/{} {} {} {}",
            found.organization.name, found.vagrant_box.name, slot.version, slot.provider, slot.architecture
        );
        // as it was committed: whoever replaces or deletes it now takes nothing from this answer
        let file = self.file_view(found, slot, &committed.file, committed.downloads);
        Ok(UploadView { file, compression, replaced: committed.replaced.is_some() })
    }

    /// One of the uploads that may run at once.
    pub(super) fn upload_permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.upload_permits).try_acquire_owned().map_err(|_| {
            AppError::new(
                ErrorCode::Busy,
                "too many uploads are running (limits.uploads_concurrent_max); try again in a moment",
            )
            .with_retry_after(Duration::from_secs(10))
        })
    }

    /// Refuses what can be refused before the first byte, and writes the row.
    async fn begin(
        self: &Arc<Self>,
        found: &OwnedBox,
        slot: &Slot,
        declared: &mut Declared,
        user: Option<UserId>,
    ) -> Result<Unfinished> {
        let permit = self.upload_permit()?;
        let artifact = self.architecture(found, slot).await?;
        // what was said of it before counts, unless more is said with it
        if declared.checksum.is_none() {
            declared.checksum.clone_from(&artifact.expected);
        }
        let replaced = artifact.file.as_ref().map_or(0, |file| file.stored.size_bytes);
        declared.room = self.room(found, replaced).await?;
        self.refuse_too_large(declared, declared.length.unwrap_or_default())?;
        if declared.gate == Gate::Prepared {
            self.refuse_released(found, slot).await?;
        }
        let (store_name, store) = self.store_for(&found.organization, declared.length).await?;
        let id = UploadId::new();
        let new = NewUpload {
            id,
            artifact_id: artifact.id,
            store: store_name,
            key: stores::key(id),
            declared_length: declared.length.and_then(|length| i64::try_from(length).ok()),
            checksum: declared.checksum.clone(),
            user_id: user,
            instance_id: self.instance_id.clone(),
            gate: declared.gate,
        };
        let upload = uploads::begin(&self.catalog, new).await?;
        let mut unfinished = Unfinished {
            app: Arc::clone(self),
            id,
            store: upload.store,
            key: upload.key,
            writer: None,
            is_over: false,
            _permit: permit,
            _counted: self.metrics.upload_started(),
        };
        let is_late = declared
            .continued
            .is_some_and(|continued| continued.previous_blob_id != upload.previous_blob_id);
        if is_late || (upload.previous_blob_id.is_some() && !declared.replace) {
            unfinished.give_up().await;
            return Err(lost_race());
        }
        let options = WriteOptions::with_size_hint(declared.length);
        match store.open_writer(&unfinished.key, options).await {
            Ok(writer) => {
                unfinished.writer = Some(writer);
                Ok(unfinished)
            }
            Err(error) => {
                unfinished.give_up().await;
                Err(error.into())
            }
        }
    }

    /// Moves the bytes: each chunk to the intake and to the writer, never more than a few of them in memory.
    async fn pump<S, E>(
        &self,
        id: UploadId,
        writer: &mut dyn ObjectWriter,
        declared: &Declared,
        body: &mut S,
    ) -> Result<(u64, Digests, std::result::Result<BoxArchive, ArchiveRefusal>)>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut intake = self.intake(declared.checksum.as_ref())?;
        let mut batches = Coalesce::new(WRITE_BYTES);
        let mut touched = tokio::time::Instant::now();
        let idle: Duration = self.config.limits.upload_idle_timeout.into();
        loop {
            let next = tokio::time::timeout(idle, body.next()).await.map_err(|_| {
                AppError::new(
                    ErrorCode::ClientTooSlow,
                    format!(
                        "nothing came for {} s (limits.upload_idle_timeout); send the file again",
                        idle.as_secs()
                    ),
                )
            })?;
            let Some(chunk) = next else { break };
            let chunk = chunk.map_err(|error| {
                AppError::new(
                    ErrorCode::LengthMismatch,
                    format!(
                        "the connection ended after {} bytes; send the file again",
                        intake.size_bytes()
                    ),
                )
                .with_source(error)
            })?;
            self.refuse_too_large(declared, intake.size_bytes() + chunk.len() as u64)?;
            intake.push(chunk.clone()).await;
            if let Some(refusal) = intake.refusal() {
                return Err(not_a_box(refusal));
            }
            if let Some(batch) = batches.push(chunk) {
                writer.write(batch).await?;
            }
            if touched.elapsed() > TOUCH_INTERVAL {
                touched = tokio::time::Instant::now();
                uploads::touch(&self.catalog, &[id]).await?;
            }
        }
        if let Some(rest) = batches.finish() {
            writer.write(rest).await?;
        }
        let report = intake.finish().await.map_err(AppError::internal)?;
        let archive = report.archive.unwrap_or(Err(ArchiveRefusal::NoMetadata));
        Ok((report.size_bytes, report.digests, archive))
    }

    /// What hashes a file and looks into it.
    pub(super) fn intake(&self, declared: Option<&Checksum>) -> Result<Intake> {
        let limits = &self.config.limits;
        Intake::start(&IntakeOptions {
            declared: declared.map(|checksum| algorithm(checksum.kind())),
            archive: Some(ArchiveLimits {
                decompressed_bytes_max: limits.archive_decompressed_bytes_max.bytes(),
                entries_max: ARCHIVE_ENTRIES_MAX,
                metadata_bytes_max: limits.archive_metadata_bytes_max.bytes(),
                decoder_memory_bytes_max: DECODER_MEMORY_BYTES_MAX,
                depth: depth(limits.archive_check),
            }),
        })
        .map_err(AppError::internal)
    }

    /// Removes what an upload left: a half-written object, a whole one, the row.
    async fn abort(
        &self,
        id: UploadId,
        writer: Option<Box<dyn ObjectWriter>>,
        store: &str,
        key: &str,
    ) {
        if let Some(writer) = writer
            && let Err(error) = writer.abort().await
        {
            warn!(upload = %id, %error, "could not abort a writer; the sweep will remove what it left");
        }
        if self.delete_object(store, key).await
            && let Err(error) = uploads::abort(&self.catalog, id).await
        {
            warn!(upload = %id, %error, "could not remove the row of a failed upload; the sweep will");
        }
    }

    /// Removes an object that no row refers to; tells whether it is gone.
    pub(crate) async fn delete_object(&self, store: &str, key: &str) -> bool {
        let deleted = match self.stores.get(store) {
            Ok(backend) => backend.delete(key).await.map_err(AppError::from),
            Err(error) => Err(error),
        };
        if let Err(error) = &deleted {
            warn!(
                store,
                key,
                cause = error.causes(),
                "could not delete an object; the sweep will try again"
            );
        }
        deleted.is_ok()
    }

    /// Refuses to take a file of a version that clients have or had.
    ///
    /// # Errors
    /// `VERSION_RELEASED`.
    pub(super) async fn refuse_released(&self, found: &OwnedBox, slot: &Slot) -> Result<()> {
        let located = self.locate(found, slot).await?;
        if located.is_some_and(|located| located.version_status != VersionStatus::Unreleased) {
            return Err(version_released(slot));
        }
        Ok(())
    }

    /// Refuses a file of so many bytes: over the server's limit, or over what is left of the quota.
    pub(super) fn refuse_too_large(&self, declared: &Declared, length: u64) -> Result<()> {
        let limit = self.config.limits.upload_bytes_max;
        if length > limit.bytes() {
            return Err(AppError::new(
                ErrorCode::BodyTooLarge,
                format!("the file is larger than {limit} (limits.upload_bytes_max)"),
            ));
        }
        declared.room.check(i64::try_from(length).unwrap_or(i64::MAX)).map_err(AppError::from)
    }
}

/// What somebody reads who sends a file to a version that clients may have.
pub(super) fn version_released(slot: &Slot) -> AppError {
    AppError::new(
        ErrorCode::VersionReleased,
        format!(
            "version {} has been released, so its files are immutable; create a new version",
            slot.version
        ),
    )
}

fn depth(check: ArchiveCheck) -> ArchiveDepth {
    match check {
        ArchiveCheck::Metadata => ArchiveDepth::Metadata,
        ArchiveCheck::Whole => ArchiveDepth::Whole,
    }
}

fn algorithm(kind: ChecksumType) -> DigestAlgorithm {
    match kind {
        ChecksumType::Md5 => DigestAlgorithm::Md5,
        ChecksumType::Sha1 => DigestAlgorithm::Sha1,
        ChecksumType::Sha256 => DigestAlgorithm::Sha256,
        ChecksumType::Sha384 => DigestAlgorithm::Sha384,
        ChecksumType::Sha512 => DigestAlgorithm::Sha512,
    }
}
