//! Downloads: from a path to bytes by the shortest way, counted later.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use boxvault_catalog::{artifacts::Located, blobs::StoredFile, downloads, versions::VersionStatus};
use boxvault_plugin_sdk::{Capabilities, PluginErrorKind, StorageBackend};
use boxvault_transfer::LocalFile;
use boxvault_types::{error::ErrorCode, ids::ArtifactId};
use tracing::error;

pub(crate) use boxvault_catalog::artifacts::ArtifactPath as Path;

use super::{App, download_links::LinkGrant};
use crate::error::{AppError, Result};

/// How many artifacts can have counts waiting; a further one's count is dropped, never the download.
const PENDING_MAX: usize = 100_000;

/// Downloads since the last flush.
#[derive(Debug, Default)]
pub(crate) struct DownloadCounter(Mutex<HashMap<ArtifactId, u32>>);

impl DownloadCounter {
    /// Counts one.
    pub(crate) fn note(&self, artifact: ArtifactId) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if pending.len() < PENDING_MAX || pending.contains_key(&artifact) {
            let count = pending.entry(artifact).or_default();
            *count = count.saturating_add(1);
        }
    }

    fn take(&self) -> Vec<(ArtifactId, u32)> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }

    fn put_back(&self, counts: Vec<(ArtifactId, u32)>) {
        let mut pending = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (artifact, count) in counts {
            let sum = pending.entry(artifact).or_default();
            *sum = sum.saturating_add(count);
        }
    }
}

/// Where the bytes come from.
pub(crate) enum Source {
    /// A plain file that we may open ourselves.
    Local(LocalFile),
    /// A store, by key.
    Store(Arc<dyn StorageBackend>, String),
}

/// A file that somebody may have.
pub(crate) struct Download {
    pub(crate) artifact: ArtifactId,
    pub(crate) stored: StoredFile,
    pub(crate) size_bytes: u64,
    pub(crate) source: Source,
}

impl App {
    /// Finds a file and opens its source.
    ///
    /// `audience`: stock clients see what was released, others also what is still being prepared. Whoever comes by a
    /// link gets the bytes that it was made for, or nothing.
    ///
    /// # Errors
    /// `FILE_NOT_FOUND`; `LINK_INVALID`.
    pub(crate) async fn open_download(
        &self,
        path: Path<'_>,
        audience: Audience,
        link: Option<&LinkGrant>,
    ) -> Result<Download> {
        if let Some(known) = self.known_location(&path) {
            match self.open_located(&known, path, audience, link).await {
                Ok(download) => return Ok(download),
                // to ask the catalog again helps nobody whose store does not answer
                Err(Fault::Store(cause)) => return Err(cause),
                Err(Fault::Damaged { .. } | Fault::Refused(_)) => {}
            }
        }
        let located = self.location(path).await?.ok_or_else(|| missing(path))?;
        self.open_located(&located, path, audience, link).await.map_err(Fault::into_error)
    }

    async fn open_located(
        &self,
        located: &Located,
        path: Path<'_>,
        audience: Audience,
        link: Option<&LinkGrant>,
    ) -> std::result::Result<Download, Fault> {
        if audience == Audience::Clients && located.version_status != VersionStatus::Released {
            return Err(missing(path).into());
        }
        let file = located.artifact.file.as_ref().ok_or_else(|| missing(path))?;
        if let Some(link) = link {
            link.require(located, &file.stored.digest)?;
        }
        let store = self.stores.get(&file.stored.store)?;
        let size_bytes = u64::try_from(file.stored.size_bytes).map_err(AppError::internal)?;
        let source = self.open_source(store, &file.stored, size_bytes).await?;
        let (artifact, stored) = (located.artifact.id, file.stored.clone());
        Ok(Download { artifact, stored, size_bytes, source })
    }

    async fn open_source(
        &self,
        store: &Arc<dyn StorageBackend>,
        stored: &StoredFile,
        size_bytes: u64,
    ) -> std::result::Result<Source, Fault> {
        if !store.capabilities().contains(Capabilities::LOCAL_PATH) {
            return Ok(Source::Store(Arc::clone(store), stored.key.clone()));
        }
        let damaged = |cause: AppError| Fault::Damaged { stored: Box::new(stored.clone()), cause };
        let path = store.local_path(&stored.key).await.map_err(|cause| match cause.kind {
            PluginErrorKind::NotFound => damaged(AppError::from(cause)),
            _ => Fault::Store(AppError::from(cause)),
        })?;
        let file = self.local_files.open(&path).await.map_err(AppError::internal)?;
        if file.size_bytes() != size_bytes {
            return Err(damaged(AppError::internal(format!(
                "the file has {} bytes where the catalog knows {size_bytes}",
                file.size_bytes()
            ))));
        }
        Ok(Source::Local(file))
    }

    /// Tells the catalog how often what was fetched.
    pub(crate) async fn flush_downloads(&self) -> Result<()> {
        let counts = self.downloads.take();
        if counts.is_empty() {
            return Ok(());
        }
        if let Err(cause) = downloads::add(&self.catalog, &counts).await {
            self.downloads.put_back(counts);
            return Err(cause.into());
        }
        Ok(())
    }
}

fn missing(path: Path<'_>) -> AppError {
    AppError::new(
        ErrorCode::FileNotFound,
        format!("there is no file for {} {} here", path.version, path.provider),
    )
}

/// Why a file cannot be opened.
enum Fault {
    /// The store has no such file, or another one; not so if the catalog has changed since it was asked.
    Damaged { stored: Box<StoredFile>, cause: AppError },
    /// The store does not answer.
    Store(AppError),
    /// By what is known of the file; not so if the catalog has changed since it was asked.
    Refused(AppError),
}

impl Fault {
    /// To be called when the catalog has just been asked.
    fn into_error(self) -> AppError {
        match self {
            Self::Damaged { stored, cause } => {
                error!(
                    store = stored.store,
                    key = stored.key,
                    "a file is missing in its store, or has another length; run `boxvault fsck`"
                );
                cause
            }
            Self::Store(cause) | Self::Refused(cause) => cause,
        }
    }
}

impl From<AppError> for Fault {
    fn from(cause: AppError) -> Self {
        Self::Refused(cause)
    }
}

/// Who downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Stock clients: what was released.
    Clients,
    /// Those who prepare a version: also what was not.
    Publishers,
}
