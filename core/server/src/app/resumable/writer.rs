//! The one who holds the lease of an upload: receives, completes, removes, and lets go.

use std::{
    future::Future,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use boxvault_catalog::{
    audit::NewEntry,
    resumable::{self, Lease, ResumableUpload},
};
use boxvault_types::{
    error::{ErrorCode, ErrorKind},
    ids::UploadId,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::{
    BoxedError, Chunk, Destination, LEASE, PARTS_MAX, beyond_the_end, locked,
    parts::{Parts, read_parts},
    step,
};
use crate::{
    app::{
        App,
        uploads::{Continued, Declared},
    },
    error::{AppError, Result},
};

/// How often a writer says that it is there.
const RENEW_INTERVAL: Duration = Duration::from_secs(4);

/// The one who holds the lease of an upload.
pub(super) struct Writer {
    pub(super) app: Arc<App>,
    pub(super) id: UploadId,
    pub(super) holder: String,
}

impl Writer {
    pub(super) async fn append<S, E>(
        self,
        upload: ResumableUpload,
        to: Destination,
        chunk: Chunk,
        body: S,
    ) -> Result<ResumableUpload>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin + Send,
        E: Into<BoxedError>,
    {
        if upload.is_done {
            self.release().await;
            return Ok(upload);
        }
        let outcome = match self.receive(&upload, &to, chunk, body).await {
            Ok(received) => Ok(ResumableUpload { received, ..upload }),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(upload) if upload.received == upload.length && !upload.is_piece => {
                Box::pin(self.complete(upload, to)).await
            }
            outcome => {
                self.release().await;
                outcome
            }
        }
    }

    /// Takes a body into parts. Tells how far the upload has come.
    async fn receive<S, E>(
        &self,
        upload: &ResumableUpload,
        to: &Destination,
        chunk: Chunk,
        mut body: S,
    ) -> Result<i64>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin + Send,
        E: Into<BoxedError>,
    {
        let app = &self.app;
        let _permit = app.upload_permit()?;
        let _counted = app.metrics.upload_started();
        if i64::try_from(chunk.offset).ok() != Some(upload.received) {
            return Err(AppError::new(
                ErrorCode::OffsetMismatch,
                format!(
                    "the upload stands at {}, and the chunk begins at {}; ask for Upload-Offset, and \
                     continue there",
                    upload.received, chunk.offset
                ),
            ));
        }
        let length = upload.length.cast_unsigned();
        if chunk.length.is_some_and(|more| more > length.saturating_sub(chunk.offset)) {
            return Err(beyond_the_end(length));
        }
        if resumable::count_parts(&app.catalog, self.id).await? >= PARTS_MAX {
            return Err(AppError::new(
                ErrorCode::BodyTooLarge,
                format!(
                    "the upload has {PARTS_MAX} parts, which is as many as one may have; begin a new one, with larger chunks"
                ),
            ));
        }
        // what a writer that died left, or a chunk that was not what it should be
        let dust = resumable::unconfirmed_parts(&app.catalog, self.id).await?;
        app.remove_parts(dust).await?;
        let mut parts = Parts::new(self, upload, &to.found.organization, chunk.checksum).await?;
        match self.pump(&mut parts, &mut body).await {
            // a whole chunk, or as much of one as came
            Ok(()) => parts.finish().await,
            Err(error) => {
                if let Err(other) = parts.keep_what_came().await {
                    warn!(upload = %self.id, cause = other.causes(), "could not keep what came of a chunk");
                }
                Err(error)
            }
        }
    }

    async fn pump<S, E>(&self, parts: &mut Parts<'_>, body: &mut S) -> Result<()>
    where
        S: Stream<Item = std::result::Result<Bytes, E>> + Unpin + Send,
        E: Into<BoxedError>,
    {
        let idle: Duration = self.app.config.limits.upload_idle_timeout.into();
        let (mut last, mut renewed) = (Instant::now(), Instant::now());
        loop {
            let next = timeout(RENEW_INTERVAL.min(idle), body.next()).await;
            if renewed.elapsed() >= RENEW_INTERVAL {
                self.renew().await?;
                renewed = Instant::now();
            }
            match next {
                Ok(None) => return Ok(()),
                Ok(Some(Ok(bytes))) => parts.take(bytes).await?,
                Ok(Some(Err(error))) => {
                    return Err(AppError::new(
                        ErrorCode::LengthMismatch,
                        "the connection ended before the chunk did; ask for Upload-Offset, and \
                         continue there",
                    )
                    .with_source(error));
                }
                Err(_) if last.elapsed() < idle => continue,
                Err(_) => {
                    return Err(AppError::new(
                        ErrorCode::ClientTooSlow,
                        format!(
                            "nothing came for {} s (limits.upload_idle_timeout); ask for \
                             Upload-Offset, and continue there",
                            idle.as_secs()
                        ),
                    ));
                }
            }
            last = Instant::now();
        }
    }

    /// Joins the parts through the same checks and the same commit as a single request.
    pub(super) async fn complete(
        self,
        upload: ResumableUpload,
        to: Destination,
    ) -> Result<ResumableUpload> {
        let failed = Arc::new(Mutex::new(None));
        let joined = self.while_held(self.join(&upload, &to, Arc::clone(&failed))).await;
        let read = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        let error = match (joined, read) {
            (Ok(()), _) => {
                self.remove_all_parts().await;
                self.release().await;
                return Ok(ResumableUpload { is_done: true, ..upload });
            }
            // a store that cannot be read says nothing about the bytes
            (Err(_), Some(read)) => read,
            (Err(error), None) => error,
        };
        // another server may have been faster with the very same parts
        let present = resumable::find(&self.app.catalog, self.id).await?;
        if let Some(done) = present.filter(|present| present.is_done) {
            self.release().await;
            return Ok(done);
        }
        if is_passing(&error) {
            self.release().await;
            return Err(error);
        }
        info!(upload = %self.id, code = error.code().as_str(), "refused an upload that was whole");
        self.remove(None).await?;
        Err(error)
    }

    async fn join(
        &self,
        upload: &ResumableUpload,
        to: &Destination,
        failed: Arc<Mutex<Option<AppError>>>,
    ) -> Result<()> {
        let app = Arc::clone(&self.app);
        let parts = resumable::parts(&app.catalog, self.id).await?;
        let continued = Continued { id: self.id, previous_blob_id: upload.previous_blob_id };
        let declared = Declared {
            length: Some(upload.length.cast_unsigned()),
            checksum: upload.checksum.clone(),
            replace: to.replace,
            continued: Some(continued),
            ..Declared::default()
        };
        let body = Box::pin(read_parts(Arc::clone(&app), parts, failed));
        let audit = step(&to.audit, "finished", self.id, 204);
        app.upload(&to.found, &to.slot, declared, to.user, audit, body).await?;
        Ok(())
    }

    /// Keeps the lease while something else goes on. One that is lost ends nothing: whoever has it now finds out.
    async fn while_held<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(RENEW_INTERVAL) => {
                    if let Err(error) = self.renew().await {
                        warn!(upload = %self.id, cause = error.causes(), "could not renew the lease of an upload");
                    }
                }
            }
        }
    }

    async fn renew(&self) -> Result<()> {
        let lease = Lease { holder: &self.holder, time: LEASE };
        if resumable::renew(&self.app.catalog, self.id, lease).await? {
            return Ok(());
        }
        Err(locked())
    }

    async fn release(&self) {
        if let Err(error) = resumable::release(&self.app.catalog, self.id, &self.holder).await {
            warn!(upload = %self.id, %error, "could not release an upload; its lease ends by itself");
        }
    }

    /// Removes what was joined. What cannot be removed now goes when the upload expires.
    async fn remove_all_parts(&self) {
        let removed = async {
            let parts = resumable::parts(&self.app.catalog, self.id).await?;
            self.app.remove_parts(parts).await
        };
        if let Err(error) = removed.await {
            warn!(upload = %self.id, cause = error.causes(), "could not remove parts; the sweep will");
        }
    }

    /// Removes the upload with all that came of it, the row last; `audit` tells who wanted that.
    pub(super) async fn remove(&self, audit: Option<NewEntry>) -> Result<()> {
        let app = &self.app;
        for parts in [
            resumable::unconfirmed_parts(&app.catalog, self.id).await?,
            resumable::parts(&app.catalog, self.id).await?,
        ] {
            app.remove_parts(parts).await?;
        }
        resumable::remove(&app.catalog, self.id, audit).await?;
        Ok(())
    }
}

/// Whether the same parts may be taken later.
fn is_passing(error: &AppError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::StorageFull | ErrorKind::Internal | ErrorKind::Locked
    )
}
