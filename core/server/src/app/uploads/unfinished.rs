//! An upload that nobody sees yet: from its first byte to the commit, or to nothing.

use std::{mem, sync::Arc};

use boxvault_catalog::{
    CatalogError,
    audit::NewEntry,
    uploads::{self, Committed, Received},
};
use boxvault_plugin_sdk::ObjectWriter;
use boxvault_transfer::{ArchiveRefusal, BoxArchive, Digests};
use boxvault_types::{digest::Digest, error::ErrorCode, ids::UploadId};
use bytes::Bytes;
use futures_util::Stream;
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit};

use super::Declared;
use crate::{
    app::{App, archives, artifacts::Slot},
    error::{AppError, Result},
    metrics::InFlight,
};

/// What a defect of ours would say: the writer is there from the row to the last byte.
const NO_WRITER: &str = "an upload lost its writer";

/// What came in, before anybody sees it.
pub(super) struct Arrived {
    pub(super) size_bytes: u64,
    digest: Digest,
    pub(super) archive: BoxArchive,
}

/// An upload that nobody sees yet: what to remove if it does not come to its end.
///
/// Dropped while the body comes in (the client hung up, or reset its stream), it removes that in the background.
pub(super) struct Unfinished {
    pub(super) app: Arc<App>,
    pub(super) id: UploadId,
    pub(super) store: String,
    pub(super) key: String,
    pub(super) writer: Option<Box<dyn ObjectWriter>>,
    pub(super) is_over: bool,
    pub(super) _permit: OwnedSemaphorePermit,
    pub(super) _counted: InFlight,
}

impl Unfinished {
    /// Streams a body into the store, and checks what came.
    pub(super) async fn receive<S, E>(
        &mut self,
        slot: &Slot,
        declared: &Declared,
        mut body: S,
    ) -> Result<Arrived>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let app = Arc::clone(&self.app);
        let writer = self.writer.as_mut().ok_or_else(|| AppError::internal(NO_WRITER))?;
        let (size_bytes, digests, archive) =
            app.pump(self.id, writer.as_mut(), declared, &mut body).await?;
        check(slot, declared, size_bytes, &digests, archive)
    }

    /// Makes the bytes durable, and then visible. Tells what it is, and its compression.
    pub(super) async fn finish(
        mut self,
        arrived: Arrived,
        declared: Declared,
        audit: NewEntry,
    ) -> Result<(Committed, String)> {
        let app = Arc::clone(&self.app);
        let size_bytes = arrived.size_bytes;
        let compression = arrived.archive.compression.name().to_owned();
        let outcome = match self.store(size_bytes).await {
            Ok(()) => self.commit(arrived, declared, audit).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(committed) => {
                self.is_over = true;
                app.metrics.upload_ended("stored", size_bytes);
                app.catalogues.clear();
                app.events.ring();
                // after the commit, and only then, what became surplus goes
                if let Some(key) = &committed.surplus_key {
                    app.delete_object(&committed.file.stored.store, key).await;
                }
                Ok((committed, compression))
            }
            Err(error) => {
                app.metrics.upload_ended("refused", size_bytes);
                if !self.is_over {
                    self.give_up().await;
                }
                Err(error)
            }
        }
    }

    async fn store(&mut self, size_bytes: u64) -> Result<()> {
        let writer = self.writer.take().ok_or_else(|| AppError::internal(NO_WRITER))?;
        let stored = writer.finish().await?;
        if stored.size == size_bytes {
            return Ok(());
        }
        Err(AppError::internal(format!(
            "the store counted {} bytes where {size_bytes} were sent",
            stored.size
        )))
    }

    /// One transaction makes the file exist.
    async fn commit(
        &mut self,
        arrived: Arrived,
        declared: Declared,
        audit: NewEntry,
    ) -> Result<Committed> {
        let committed = commit(&self.app, self.id, arrived, declared, audit).await;
        committed.map_err(|error| {
            // A connection that broke may have carried the commit to its end all the same. Nothing is removed then:
            // if it did not, the sweep finds row and object by their age.
            self.is_over =
                matches!(error, CatalogError::Unavailable { .. } | CatalogError::Unexpected { .. });
            told(error)
        })
    }

    /// Removes what was written, and the row. What cannot be removed now is the sweep's.
    pub(super) async fn give_up(&mut self) {
        self.is_over = true;
        let writer = self.writer.take();
        self.app.abort(self.id, writer, &self.store, &self.key).await;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (app, id, writer) = (Arc::clone(&self.app), self.id, self.writer.take());
        let (store, key) = (mem::take(&mut self.store), mem::take(&mut self.key));
        app.metrics.upload_ended("refused", 0);
        // outside of a runtime the process is ending, and the sweep finds it
        if let Ok(runtime) = Handle::try_current() {
            drop(runtime.spawn(async move { app.abort(id, writer, &store, &key).await }));
        }
    }
}

/// One transaction makes a file exist that was received and checked.
pub(super) async fn commit(
    app: &App,
    id: UploadId,
    arrived: Arrived,
    declared: Declared,
    audit: NewEntry,
) -> std::result::Result<Committed, CatalogError> {
    let received = Received {
        size_bytes: i64::try_from(arrived.size_bytes).unwrap_or(i64::MAX),
        digest: arrived.digest,
        checksum: declared.checksum,
        archive: Some(archives::kept(arrived.archive)),
        gate: declared.gate,
        finishes: declared.continued.map(|continued| continued.id),
        default_limits: app.default_limits(),
        audit: Some(audit),
    };
    uploads::commit(&app.catalog, id, received).await
}

/// What somebody reads whose file was not committed.
pub(super) fn told(error: CatalogError) -> AppError {
    let error = AppError::from(error);
    if error.code() == ErrorCode::LostRace { lost_race() } else { error }
}

/// What whoever was slower reads.
pub(super) fn lost_race() -> AppError {
    AppError::new(
        ErrorCode::LostRace,
        "another upload for this architecture was faster; its file stands",
    )
}

/// Compares what came with what was declared, and with where it shall go.
pub(super) fn check(
    slot: &Slot,
    declared: &Declared,
    size_bytes: u64,
    digests: &Digests,
    archive: std::result::Result<BoxArchive, ArchiveRefusal>,
) -> Result<Arrived> {
    if let Some(length) = declared.length.filter(|length| *length != size_bytes) {
        return Err(AppError::new(
            ErrorCode::LengthMismatch,
            format!("{length} bytes were declared and {size_bytes} came; send the file again"),
        ));
    }
    if let Some(checksum) = &declared.checksum {
        let computed = digests.declared.as_deref().unwrap_or_default();
        if computed != checksum.hex() {
            return Err(AppError::new(
                ErrorCode::ChecksumMismatch,
                format!("the file's {} is {computed}, not {}", checksum.kind(), checksum.hex()),
            ));
        }
    }
    let archive = archive.map_err(|refusal| not_a_box(&refusal))?;
    if archive.provider != slot.provider.as_str() {
        return Err(AppError::new(
            ErrorCode::ProviderMismatch,
            format!(
                "the box is for provider {:?} (its metadata.json says so), not for {:?}",
                archive.provider,
                slot.provider.as_str()
            ),
        ));
    }
    Ok(Arrived { size_bytes, digest: Digest(digests.sha256), archive })
}

/// What somebody reads whose file is something else.
pub(super) fn not_a_box(refusal: &ArchiveRefusal) -> AppError {
    AppError::new(ErrorCode::NotABox, format!("this is not a Vagrant box: {refusal}"))
}
