//! Bytes on their way from one store to another: read once, hashed as they pass, and durable only if they are what came
//! once.

use std::{
    error::Error,
    sync::atomic::{AtomicI64, Ordering},
};

use boxvault_plugin_sdk::{
    ByteRange, ObjectReader, ObjectWriter, PluginError, PluginErrorKind, StorageBackend,
    WriteOptions,
};
use boxvault_transfer::{Coalesce, Intake, IntakeOptions};
use boxvault_types::digest::Digest;
use tracing::warn;

use super::{pace::Pace, uploads::WRITE_BYTES};
use crate::error::AppError;

/// Why a file is not copied.
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

/// One file, and where it shall lie: a key that was never used.
pub(super) struct Copy<'a> {
    pub(super) from: (&'a dyn StorageBackend, &'a str),
    pub(super) to: (&'a dyn StorageBackend, &'a str),
    pub(super) size_bytes: u64,
    pub(super) digest: Digest,
}

impl Copy<'_> {
    /// Copies the bytes and compares them before they become durable. `copied_bytes` grows as they pass.
    pub(super) async fn run(&self, pace: &Pace, copied_bytes: &AtomicI64) -> Result<(), Fault> {
        let ((from, from_key), (to, to_key)) = (self.from, self.to);
        let mut reader = from.open_reader(from_key, ByteRange::FULL).await.map_err(source_fault)?;
        let options = WriteOptions::with_size_hint(Some(self.size_bytes));
        let mut writer = to.open_writer(to_key, options).await.map_err(target_fault)?;
        let pumped = self.pump(reader.as_mut(), Some(writer.as_mut()), pace, copied_bytes).await;
        if let Err(fault) = pumped {
            if let Err(error) = writer.abort().await {
                warn!(key = to_key, %error, "could not abort a copy; the sweep removes what is left");
            }
            return Err(fault);
        }
        let stored = writer.finish().await.map_err(target_fault)?;
        if stored.size == self.size_bytes {
            return Ok(());
        }
        Err(Fault::Store(AppError::internal(format!(
            "the store counted {} bytes where {} were written",
            stored.size, self.size_bytes
        ))))
    }

    /// Reads the copy that is there, and compares it. `read_bytes` grows as they pass.
    pub(super) async fn check(&self, pace: &Pace, read_bytes: &AtomicI64) -> Result<(), Fault> {
        let (to, to_key) = self.to;
        let mut reader = to.open_reader(to_key, ByteRange::FULL).await.map_err(source_fault)?;
        self.pump(reader.as_mut(), None, pace, read_bytes).await
    }

    /// Reads to the end and compares, and writes what was read, if it is to go anywhere.
    async fn pump(
        &self,
        reader: &mut dyn ObjectReader,
        mut writer: Option<&mut dyn ObjectWriter>,
        pace: &Pace,
        copied_bytes: &AtomicI64,
    ) -> Result<(), Fault> {
        let mut intake = Intake::start(&IntakeOptions::default()).map_err(internal)?;
        let mut batches = Coalesce::new(WRITE_BYTES);
        while let Some(chunk) = reader.next().await.map_err(source_fault)? {
            let length = chunk.len();
            intake.push(chunk.clone()).await;
            if intake.size_bytes() > self.size_bytes {
                return Err(Fault::Damaged(format!("it has more than {} bytes", self.size_bytes)));
            }
            pace.let_through(length).await;
            if let Some(writer) = &mut writer
                && let Some(batch) = batches.push(chunk)
            {
                writer.write(batch).await.map_err(target_fault)?;
            }
            copied_bytes.fetch_add(i64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
        }
        if let Some(writer) = writer
            && let Some(rest) = batches.finish()
        {
            writer.write(rest).await.map_err(target_fault)?;
        }
        let report = intake.finish().await.map_err(internal)?;
        if report.size_bytes != self.size_bytes {
            let problem = format!("it has {} bytes, not {}", report.size_bytes, self.size_bytes);
            return Err(Fault::Damaged(problem));
        }
        let found = Digest(report.digests.sha256);
        if found != self.digest {
            return Err(Fault::Damaged(format!("its sha256 is {found}, not {}", self.digest)));
        }
        Ok(())
    }
}

pub(super) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Fault {
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
