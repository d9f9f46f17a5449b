//! One file on its way to another store: copied, compared, switched.

use std::{future::Future, pin::pin, sync::atomic::Ordering, time::Duration};

use boxvault_catalog::{
    blobs::Blob,
    moves::{self, Begun, Copying, Place},
};
use boxvault_plugin_sdk::{
    ByteRange, ObjectReader, ObjectWriter, PluginError, PluginErrorKind, WriteOptions,
};
use boxvault_transfer::{Coalesce, Intake, IntakeOptions};
use boxvault_types::{digest::Digest, ids::UploadId};
use tokio::time::sleep;
use tracing::warn;

use super::{Moving, Outcome};
use crate::{
    app::{stores, uploads::WRITE_BYTES},
    error::AppError,
};

/// How often a copy says that somebody makes it.
const RENEW_INTERVAL: Duration = Duration::from_secs(4);

/// Why a file is not moved.
pub(super) enum Fault {
    /// Its bytes are not what came once.
    Damaged(String),
    /// The new store has no room for it.
    Full(AppError),
    /// One of the stores does not answer, or not well.
    Store(AppError),
    /// The catalog does not answer.
    Catalog(AppError),
}

impl Moving {
    /// Copies a file and makes the copy its place.
    pub(super) async fn attempt(&self, blob: &Blob) -> Result<Outcome, Fault> {
        let catalog = &self.app.catalog;
        let to = Place { store: self.wish.to.clone(), key: stores::key(UploadId::new()) };
        match moves::begin(catalog, blob, &to, self.mover()).await.map_err(catalog_fault)? {
            Begun::Yours { left: None } => {}
            // if it cannot be removed now, the sweep finds an object that no row knows
            Begun::Yours { left: Some(left) } => {
                self.app.delete_object(&left.store, &left.key).await;
            }
            Begun::Busy => return Ok(Outcome::Busy),
            Begun::Gone => return Ok(Outcome::Gone),
        }
        if let Err(fault) = self.while_held(blob, self.copy(blob, &to)).await {
            self.throw_away(blob, to).await;
            return Err(fault);
        }
        match moves::switch(catalog, blob, &to, &self.holder).await {
            Ok(true) => Ok(Outcome::Moved),
            Ok(false) => {
                self.throw_away(blob, to).await;
                Ok(Outcome::Gone)
            }
            // It may have been switched all the same, so nothing is removed: if it was not, the row's lease ends, and
            // whoever comes next begins anew.
            Err(error) => {
                warn!(key = blob.key, %error, "could not tell the catalog of a copy; trying again");
                Ok(Outcome::Busy)
            }
        }
    }

    /// Copies the bytes, which are read once, and compares them before they become durable.
    async fn copy(&self, blob: &Blob, to: &Place) -> Result<(), Fault> {
        let size_bytes = u64::try_from(blob.size_bytes).map_err(internal)?;
        let opened = self.from.open_reader(&blob.key, ByteRange::FULL).await;
        let mut reader = opened.map_err(source_fault)?;
        let options = WriteOptions::with_size_hint(Some(size_bytes));
        let mut writer = self.to.open_writer(&to.key, options).await.map_err(target_fault)?;
        let compared = self.pump(blob, reader.as_mut(), writer.as_mut()).await;
        if let Err(fault) = compared {
            if let Err(error) = writer.abort().await {
                warn!(store = to.store, key = to.key, %error, "could not abort a copy; the sweep removes what is left");
            }
            return Err(fault);
        }
        let stored = writer.finish().await.map_err(target_fault)?;
        if stored.size == size_bytes {
            return Ok(());
        }
        Err(Fault::Store(AppError::internal(format!(
            "the store counted {} bytes where {size_bytes} were written",
            stored.size
        ))))
    }

    async fn pump(
        &self,
        blob: &Blob,
        reader: &mut dyn ObjectReader,
        writer: &mut dyn ObjectWriter,
    ) -> Result<(), Fault> {
        let mut intake = Intake::start(&IntakeOptions::default()).map_err(internal)?;
        let mut batches = Coalesce::new(WRITE_BYTES);
        let too_long = |bytes: u64| i64::try_from(bytes).is_ok_and(|bytes| bytes > blob.size_bytes);
        while let Some(chunk) = reader.next().await.map_err(source_fault)? {
            let length = chunk.len();
            intake.push(chunk.clone()).await;
            if too_long(intake.size_bytes()) {
                let problem = format!("it has more than {} bytes", blob.size_bytes);
                return Err(Fault::Damaged(problem));
            }
            self.pace.let_through(length).await;
            if let Some(batch) = batches.push(chunk) {
                writer.write(batch).await.map_err(target_fault)?;
            }
            let more = i64::try_from(length).unwrap_or_default();
            self.meter.copied_bytes.fetch_add(more, Ordering::Relaxed);
        }
        if let Some(rest) = batches.finish() {
            writer.write(rest).await.map_err(target_fault)?;
        }
        let report = intake.finish().await.map_err(internal)?;
        if i64::try_from(report.size_bytes).ok() != Some(blob.size_bytes) {
            let problem = format!("it has {} bytes, not {}", report.size_bytes, blob.size_bytes);
            return Err(Fault::Damaged(problem));
        }
        let found = Digest(report.digests.sha256);
        if found != blob.digest {
            return Err(Fault::Damaged(format!("its sha256 is {found}, not {}", blob.digest)));
        }
        Ok(())
    }

    /// Keeps the lease while something goes on. One that is lost ends nothing: the switch will say so.
    async fn while_held<T>(&self, blob: &Blob, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = sleep(RENEW_INTERVAL) => {
                    if let Err(error) = moves::renew(&self.app.catalog, blob.id, self.mover()).await {
                        warn!(key = blob.key, %error, "could not renew the lease of a copy");
                    }
                }
            }
        }
    }

    /// Removes a copy that is not needed. What cannot be removed now is the sweep's.
    async fn throw_away(&self, blob: &Blob, to: Place) {
        let copying = Copying { blob_id: blob.id, to };
        if self.app.delete_object(&copying.to.store, &copying.to.key).await
            && let Err(error) = moves::forget(&self.app.catalog, &copying).await
        {
            warn!(key = blob.key, %error, "could not forget a copy; the sweep will");
        }
    }
}

fn catalog_fault(error: boxvault_catalog::CatalogError) -> Fault {
    Fault::Catalog(error.into())
}

fn internal(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::Catalog(AppError::internal(error))
}

/// A store that is away says nothing about its files; one that answers and cannot give the bytes has lost them.
fn source_fault(error: PluginError) -> Fault {
    match error.kind {
        PluginErrorKind::Unavailable
        | PluginErrorKind::DeadlineExceeded
        | PluginErrorKind::PermissionDenied => Fault::Store(error.into()),
        PluginErrorKind::NotFound => Fault::Damaged("it is missing".to_owned()),
        _ => Fault::Damaged(format!("it cannot be read: {error}")),
    }
}

fn target_fault(error: PluginError) -> Fault {
    match error.kind {
        PluginErrorKind::StorageFull => Fault::Full(error.into()),
        _ => Fault::Store(error.into()),
    }
}
