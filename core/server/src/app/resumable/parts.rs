//! The parts of an upload: how a chunk becomes some, and how they are read as one file.

use std::sync::{Arc, Mutex, PoisonError};

use boxvault_catalog::{
    organizations::Organization,
    resumable::{self, Part, ResumableUpload},
};
use boxvault_plugin_sdk::{ByteRange, ObjectWriter, StorageBackend, WriteOptions};
use boxvault_transfer::{Coalesce, DigestAlgorithm, Intake, IntakeOptions};
use boxvault_types::{error::ErrorCode, ids::UploadId};
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{BoxedError, beyond_the_end, writer::Writer};
use crate::{
    app::{App, stores, uploads::WRITE_BYTES},
    error::{AppError, Result},
};

/// The parts that one chunk becomes.
pub(super) struct Parts<'a> {
    writer: &'a Writer,
    store_name: String,
    store: Arc<dyn StorageBackend>,
    /// Where the chunk begins.
    from: i64,
    /// Where the present part begins.
    start: i64,
    /// The end of the upload.
    length: i64,
    open: Option<OpenPart>,
    checksum: Option<(Intake, String)>,
}

struct OpenPart {
    id: UploadId,
    writer: Box<dyn ObjectWriter>,
    batches: Coalesce,
    size_bytes: i64,
}

impl<'a> Parts<'a> {
    pub(super) async fn new(
        writer: &'a Writer,
        upload: &ResumableUpload,
        to: &Organization,
        checksum: Option<(DigestAlgorithm, String)>,
    ) -> Result<Self> {
        let length = u64::try_from(upload.length).ok();
        let (store_name, store) = writer.app.store_for(to, length).await?;
        let checksum = match checksum {
            Some((algorithm, expected)) => {
                let options = IntakeOptions { declared: Some(algorithm), archive: None };
                Some((Intake::start(&options).map_err(AppError::internal)?, expected))
            }
            None => None,
        };
        Ok(Self {
            writer,
            store_name,
            store,
            from: upload.received,
            start: upload.received,
            length: upload.length,
            open: None,
            checksum,
        })
    }

    fn end(&self) -> i64 {
        self.start + self.open.as_ref().map_or(0, |open| open.size_bytes)
    }

    pub(super) async fn take(&mut self, bytes: Bytes) -> Result<()> {
        let more = i64::try_from(bytes.len()).map_err(AppError::internal)?;
        if more > self.length - self.end() {
            return Err(beyond_the_end(self.length.cast_unsigned()));
        }
        if let Some((intake, _)) = &mut self.checksum {
            intake.push(bytes.clone()).await;
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin().await?,
        };
        // one that a write failed on is dropped here, and with it what it had
        if let Some(batch) = open.batches.push(bytes) {
            open.writer.write(batch).await?;
        }
        open.size_bytes += more;
        let is_full = open.size_bytes.cast_unsigned()
            >= self.writer.app.config.limits.upload_part_bytes_max.bytes();
        self.open = Some(open);
        if is_full { self.end_part().await } else { Ok(()) }
    }

    async fn begin(&mut self) -> Result<OpenPart> {
        let (app, id) = (&self.writer.app, UploadId::new());
        let part = Part {
            id,
            upload_id: self.writer.id,
            start: self.start,
            size_bytes: 0,
            store: self.store_name.clone(),
            key: stores::key(id),
        };
        let key = part.key.clone();
        resumable::begin_part(&app.catalog, part, &self.writer.holder).await?;
        let writer = self.store.open_writer(&key, WriteOptions::default()).await?;
        Ok(OpenPart { id, writer, batches: Coalesce::new(WRITE_BYTES), size_bytes: 0 })
    }

    /// Makes the present part durable; without a checksum to wait for, it counts at once.
    async fn end_part(&mut self) -> Result<()> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let (app, size_bytes) = (&self.writer.app, open.size_bytes);
        if let Some(rest) = open.batches.finish() {
            open.writer.write(rest).await?;
        }
        let stored = open.writer.finish().await?;
        if stored.size != size_bytes.cast_unsigned() {
            return Err(AppError::internal(format!(
                "the store counted {} bytes where {size_bytes} were sent",
                stored.size
            )));
        }
        resumable::end_part(&app.catalog, open.id, size_bytes).await?;
        self.start += size_bytes;
        if self.checksum.is_none() { self.confirm().await } else { Ok(()) }
    }

    async fn confirm(&mut self) -> Result<()> {
        if self.start > self.from {
            let Writer { app, id, holder } = self.writer;
            resumable::confirm(&app.catalog, *id, holder, self.from, self.start).await?;
            self.from = self.start;
        }
        Ok(())
    }

    /// The body ended well.
    pub(super) async fn finish(mut self) -> Result<i64> {
        self.end_part().await?;
        if let Some((intake, expected)) = self.checksum.take() {
            let report = intake.finish().await.map_err(AppError::internal)?;
            let computed = report.digests.declared.unwrap_or_default();
            if computed != expected {
                let dust =
                    resumable::unconfirmed_parts(&self.writer.app.catalog, self.writer.id).await?;
                self.writer.app.remove_parts(dust).await?;
                return Err(AppError::new(
                    ErrorCode::ChunkMismatch,
                    format!(
                        "the chunk hashes to {computed}, not to {expected}, and was thrown away; send it \
                         again"
                    ),
                ));
            }
        }
        self.confirm().await?;
        Ok(self.start)
    }

    /// The body ended in the middle. Without a checksum that it would have had to fit, what came counts.
    pub(super) async fn keep_what_came(mut self) -> Result<()> {
        if self.checksum.is_none() {
            return self.end_part().await;
        }
        if let Some(open) = self.open.take() {
            open.writer.abort().await?;
        }
        let dust = resumable::unconfirmed_parts(&self.writer.app.catalog, self.writer.id).await?;
        self.writer.app.remove_parts(dust).await
    }
}

/// The bytes of parts, one after the other. A failure to read is put aside, since who takes the stream only sees that
/// it ended.
pub(super) fn read_parts(
    app: Arc<App>,
    parts: Vec<Part>,
    failed: Arc<Mutex<Option<AppError>>>,
) -> impl Stream<Item = std::result::Result<Bytes, BoxedError>> + Send {
    let note = move |error: AppError| -> BoxedError {
        let text = error.to_string();
        *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        text.into()
    };
    stream::try_unfold((parts.into_iter(), None), move |(mut parts, mut reader)| {
        let (app, note) = (Arc::clone(&app), note.clone());
        async move {
            loop {
                let mut open = if let Some(open) = reader.take() {
                    open
                } else {
                    let Some(part) = parts.next() else { return Ok(None) };
                    let store = app.stores.get(&part.store).map_err(&note)?;
                    let opened = store.open_reader(&part.key, ByteRange::FULL).await;
                    opened.map_err(|error| note(error.into()))?
                };
                if let Some(bytes) = open.next().await.map_err(|error| note(error.into()))? {
                    return Ok(Some((bytes, (parts, Some(open)))));
                }
            }
        }
    })
}
