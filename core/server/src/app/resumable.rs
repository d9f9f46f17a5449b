//! Uploads that can be continued: begin, append, join, commit; what tus calls creation, core and termination.
//!
//! What comes is kept as parts: objects in the store that the file will go to, each at most
//! `limits.upload_part_bytes_max`, finished and then confirmed in the catalog. So the offset that is told is what is
//! durable, and any server on the same catalog and store can go on, whatever the store is. When the last byte is
//! confirmed, the parts are read in their order through the same checks and the same commit as a single request
//! ([`App::upload`]), and go. That reads and writes every byte a second time; a hash state survives no restart, and no
//! store that a plugin serves has to be able to append.
//!
//! Whoever writes holds a lease in the catalog. Everything between taking and releasing it happens in a task of its
//! own: a client that hangs up ends the body, not the bookkeeping.

mod parts;
mod writer;

use std::{sync::Arc, time::Duration};

use boxvault_catalog::{
    audit::NewEntry,
    boxes::OwnedBox,
    resumable::{self, Lease, NewResumable, Part},
    versions::VersionStatus,
};
use boxvault_transfer::DigestAlgorithm;
use boxvault_types::{
    digest::Checksum,
    error::ErrorCode,
    ids::{UploadId, UserId},
};
use bytes::Bytes;
use futures_util::Stream;
use tracing::warn;

pub(crate) use boxvault_catalog::resumable::ResumableUpload;

use self::writer::Writer;
use super::{App, artifacts::Slot, uploads::Declared};
use crate::error::{AppError, Result};

/// How long a writer that says nothing more holds an upload: the time that a client waits after its server died.
const LEASE: Duration = Duration::from_secs(15);
/// More parts than any sensible client makes: 200 GiB in pieces of 10 MiB are 20 000.
const PARTS_MAX: u64 = 50_000;

/// Anything that can go wrong with a body.
type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// What a client asks for when it begins.
#[derive(Debug, Clone)]
pub(crate) struct NewUpload {
    /// Bytes.
    pub(crate) length: u64,
    /// What the whole must hash to.
    pub(crate) checksum: Option<Checksum>,
    /// What it wants to hear again.
    pub(crate) metadata: String,
    /// Whether it is a piece of another upload.
    pub(crate) is_piece: bool,
}

/// Where a file is going, and who sends it.
#[derive(Debug, Clone)]
pub(crate) struct Destination {
    pub(crate) found: Arc<OwnedBox>,
    pub(crate) slot: Slot,
    pub(crate) user: Option<UserId>,
    /// Whether the caller may replace the file that is there.
    pub(crate) replace: bool,
    /// The row of the audit log, but for what is done.
    pub(crate) audit: NewEntry,
}

/// A piece of an upload.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    /// Where the client thinks that it begins.
    pub(crate) offset: u64,
    /// How many bytes it has, where that is known.
    pub(crate) length: Option<u64>,
    /// What it must hash to.
    pub(crate) checksum: Option<(DigestAlgorithm, String)>,
}

impl App {
    /// Begins an upload.
    ///
    /// # Errors
    /// What a single request would be refused for before its first byte; `TOO_MANY_UPLOADS`.
    pub(crate) async fn begin_upload(
        &self,
        to: &Destination,
        new: NewUpload,
    ) -> Result<ResumableUpload> {
        let artifact = self.architecture(&to.found, &to.slot).await?;
        let replaced = artifact.file.as_ref().map_or(0, |file| file.stored.size_bytes);
        let room = self.room(&to.found, replaced).await?;
        let declared = Declared { room, ..Declared::default() };
        self.refuse_too_large(&declared, new.length)?;
        let located = self.locate(&to.found, &to.slot).await?;
        if located.is_some_and(|located| located.version_status != VersionStatus::Unreleased) {
            return Err(super::uploads::version_released(&to.slot));
        }
        let id = UploadId::new();
        let new = NewResumable {
            id,
            artifact_id: artifact.id,
            user_id: to.user,
            length: i64::try_from(new.length).map_err(AppError::internal)?,
            checksum: new.checksum,
            metadata: new.metadata,
            is_piece: new.is_piece,
            audit: Some(step(&to.audit, "begun", id, 201)),
        };
        let open_max = self.config.limits.uploads_open_per_user_max;
        resumable::create(&self.catalog, new, open_max).await.map_err(|error| {
            let error = AppError::from(error);
            if error.code() != ErrorCode::TooManyUploads {
                return error;
            }
            AppError::new(
                ErrorCode::TooManyUploads,
                format!(
                    "you have {open_max} unfinished uploads (limits.uploads_open_per_user_max); finish \
                     or delete one, or wait until it expires"
                ),
            )
            .with_retry_after(Duration::from_mins(1))
        })
    }

    /// Finds an upload of this user for this architecture. What is older than `limits.uploads_abandoned_after` is gone.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`.
    pub(crate) async fn find_upload(
        &self,
        to: &Destination,
        id: UploadId,
    ) -> Result<ResumableUpload> {
        let artifact = self.architecture(&to.found, &to.slot).await?;
        let upload = resumable::find(&self.catalog, id).await?;
        upload
            .filter(|upload| upload.artifact_id == artifact.id && upload.user_id == to.user)
            .filter(|upload| self.expires_at(upload) > self.catalog.now())
            .ok_or_else(no_upload)
    }

    /// Whether somebody writes to an upload now.
    pub(crate) fn is_locked(&self, upload: &ResumableUpload) -> bool {
        upload.held_until.is_some_and(|until| until > self.catalog.now())
    }

    /// When an upload to which nothing more comes is swept.
    pub(crate) fn expires_at(&self, upload: &ResumableUpload) -> chrono::DateTime<chrono::Utc> {
        let age: Duration = self.config.limits.uploads_abandoned_after.into();
        upload.touched_at + chrono::TimeDelta::from_std(age).unwrap_or(chrono::TimeDelta::days(1))
    }

    /// Where an upload stands. One of which everything came and that is not visible yet is joined in the background,
    /// and locked until that has an outcome: its client must not take it for done.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`; `UPLOAD_LOCKED`.
    pub(crate) async fn look_at_upload(
        self: &Arc<Self>,
        to: Destination,
        id: UploadId,
    ) -> Result<ResumableUpload> {
        let upload = self.find_upload(&to, id).await?;
        if upload.is_piece || upload.is_done || upload.received < upload.length {
            return Ok(upload);
        }
        if let Some((upload, writer)) = self.take_upload(id).await? {
            tokio::spawn(writer.complete(upload, to));
        }
        Err(locked())
    }

    /// Takes the next piece of an upload, and commits the file with the last one. Tells where it stands then.
    ///
    /// # Errors
    /// `UPLOAD_LOCKED`, `OFFSET_MISMATCH`, `CHUNK_MISMATCH`; with the last piece, what a single request is refused for.
    ///
    /// # Cancel safety
    /// Dropping it ends nothing: what the body still brings is kept, and what is whole is committed.
    pub(crate) async fn append<S, E>(
        self: &Arc<Self>,
        to: Destination,
        id: UploadId,
        chunk: Chunk,
        body: S,
    ) -> Result<ResumableUpload>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin + Send + 'static,
        E: Into<BoxedError> + Send + 'static,
    {
        self.find_upload(&to, id).await?;
        let (upload, writer) = self.take_upload(id).await?.ok_or_else(locked)?;
        tokio::spawn(writer.append(upload, to, chunk, body)).await.map_err(AppError::internal)?
    }

    /// Joins pieces into one upload, and commits the file.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND` for what is no whole piece for this architecture; what a single request is refused for.
    pub(crate) async fn join_pieces(
        self: &Arc<Self>,
        to: Destination,
        new: NewUpload,
        pieces: Vec<UploadId>,
    ) -> Result<ResumableUpload> {
        let begun = self.begin_upload(&to, new).await?;
        let (_, writer) = self.take_upload(begun.id).await?.ok_or_else(locked)?;
        tokio::spawn(async move {
            let joined =
                resumable::join(&writer.app.catalog, writer.id, &writer.holder, &pieces).await;
            match joined {
                Ok(joined) => Box::pin(writer.complete(joined, to)).await,
                Err(error) => {
                    resumable::remove(&writer.app.catalog, writer.id, None).await?;
                    Err(error.into())
                }
            }
        })
        .await
        .map_err(AppError::internal)?
    }

    /// Ends an upload; what came of it goes.
    ///
    /// # Errors
    /// `UPLOAD_NOT_FOUND`; `UPLOAD_LOCKED` while somebody writes to it.
    pub(crate) async fn end_upload(self: &Arc<Self>, to: &Destination, id: UploadId) -> Result<()> {
        self.find_upload(to, id).await?;
        let (_, writer) = self.take_upload(id).await?.ok_or_else(locked)?;
        let audit = step(&to.audit, "aborted", id, 204);
        tokio::spawn(async move { writer.remove(Some(audit)).await })
            .await
            .map_err(AppError::internal)?
    }

    /// Removes uploads to which nothing came for so long; tells how many.
    pub(super) async fn sweep_resumable(self: &Arc<Self>, age: Duration) -> Result<u64> {
        let mut count = 0;
        loop {
            let before = count;
            for upload in resumable::list_untouched(&self.catalog, age).await? {
                let Some((_, writer)) = self.take_upload(upload.id).await? else { continue };
                match writer.remove(None).await {
                    Ok(()) => count += 1,
                    Err(error) => warn!(
                        upload = %upload.id, cause = error.causes(),
                        "could not remove an abandoned upload; the next sweep will try again"
                    ),
                }
            }
            // a list is not all of them; but those that cannot be removed now come first again
            if count == before {
                return Ok(count);
            }
        }
    }

    /// Takes the lease of an upload; nothing when somebody else has it.
    async fn take_upload(
        self: &Arc<Self>,
        id: UploadId,
    ) -> Result<Option<(ResumableUpload, Writer)>> {
        let holder = format!("{}/{}", self.instance_id, UploadId::new());
        let lease = Lease { holder: &holder, time: LEASE };
        let taken = resumable::take(&self.catalog, id, lease).await?;
        Ok(taken.map(|upload| (upload, Writer { app: Arc::clone(self), id, holder })))
    }

    /// Removes objects of parts and their rows, the rows last.
    async fn remove_parts(&self, parts: Vec<Part>) -> Result<()> {
        let mut gone = Vec::new();
        let all = parts.len();
        for part in parts {
            if self.delete_object(&part.store, &part.key).await {
                gone.push(part.id);
            }
        }
        resumable::forget_parts(&self.catalog, &gone).await?;
        if gone.len() < all {
            return Err(AppError::new(
                ErrorCode::StoreUnavailable,
                "what an earlier attempt left cannot be removed for the moment; try again",
            )
            .with_retry_after(Duration::from_secs(5)));
        }
        Ok(())
    }
}

/// The row of the audit log for a step of an upload. A chunk is none: what it brought is told by the end.
fn step(entry: &NewEntry, step: &str, id: UploadId, status: u16) -> NewEntry {
    let entry = NewEntry { status: Some(status), ..entry.clone() };
    entry.with_detail("upload", id.to_string()).with_detail("step", step)
}

fn locked() -> AppError {
    AppError::new(
        ErrorCode::UploadLocked,
        "somebody else writes to this upload, or it is being completed; try again in a moment",
    )
    .with_retry_after(Duration::from_secs(1))
}

fn no_upload() -> AppError {
    AppError::new(
        ErrorCode::UploadNotFound,
        "there is no such upload of yours for this architecture: it was finished or given up, it expired \
         (Upload-Expires tells when), a sweep removed what was left of it, or its id is wrong; begin a new one",
    )
}

fn beyond_the_end(length: u64) -> AppError {
    AppError::new(
        ErrorCode::BodyTooLarge,
        format!(
            "the chunk goes beyond the {length} bytes that the upload was begun with; send what is missing and no more, \
             or begin a new one with the right Upload-Length"
        ),
    )
}
