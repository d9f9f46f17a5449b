//! Compares the catalog with the stores: is every file there, is it as long, and, when asked, is it the same?

use boxvault_catalog::blobs::{self, Blob};
use boxvault_plugin_sdk::{ByteRange, Capabilities, PluginError, PluginErrorKind, StorageBackend};
use boxvault_types::digest::Digest;
use sha2::{Digest as _, Sha256};
use tokio::task::block_in_place;

use super::{App, stores::KEY_PREFIXES, verify::NO_STORE};
use crate::error::{AppError, Result};

/// How many objects one question to a store brings.
const LIST_SIZE: u32 = 1000;

/// How much to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Is it there, and as long?
    Length,
    /// And does it hash to what was computed when it came?
    Digest,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The store.
    pub store: String,
    /// The key.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FsckReport {
    /// How many files were looked at.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// Files that are missing or damaged: data is lost.
    pub damaged: Vec<Finding>,
    /// Objects that no row knows: `boxvault sweep` removes them.
    pub leftovers: Vec<Finding>,
}

impl App {
    /// Checks every file of the catalog, and every object of the stores. `progress` hears of each file.
    pub async fn fsck(
        &self,
        depth: Depth,
        progress: impl Fn(&Blob) + Send + Sync,
    ) -> Result<FsckReport> {
        let mut report = FsckReport::default();
        let mut after = None;
        loop {
            let page = blobs::list_after(&self.catalog, after).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for blob in &page {
                progress(blob);
                report.files += 1;
                report.bytes += u64::try_from(blob.size_bytes).unwrap_or_default();
                if let Some(problem) = self.check_blob(blob, depth).await? {
                    report.damaged.push(Finding {
                        store: blob.store.clone(),
                        key: blob.key.clone(),
                        problem,
                    });
                }
            }
        }
        for (name, store) in self.stores.iter() {
            if store.capabilities().contains(Capabilities::LIST) {
                for prefix in KEY_PREFIXES {
                    self.find_leftovers((name, store.as_ref()), prefix, &mut report).await?;
                }
            }
        }
        Ok(report)
    }

    async fn check_blob(&self, blob: &Blob, depth: Depth) -> Result<Option<String>> {
        if !self.stores.is_configured(&blob.store) {
            return Ok(Some(NO_STORE.to_owned()));
        }
        let store = self.stores.get(&blob.store)?;
        let meta = match store.stat(&blob.key).await {
            Ok(meta) => meta,
            Err(error) if error.kind == PluginErrorKind::NotFound => {
                return Ok(self.still_known(blob).await?.then(|| "it is missing".to_owned()));
            }
            Err(error) => return unreadable(error),
        };
        let expected = u64::try_from(blob.size_bytes).map_err(AppError::internal)?;
        if meta.size != expected {
            return Ok(Some(format!("it has {} bytes, not {expected}", meta.size)));
        }
        if depth == Depth::Length {
            return Ok(None);
        }
        let found = match hash(store.as_ref(), &blob.key).await {
            Ok(found) => found,
            Err(_) if !self.still_known(blob).await? => return Ok(None),
            Err(error) => return unreadable(error),
        };
        Ok((found != blob.digest).then(|| format!("its sha256 is {found}, not {}", blob.digest)))
    }

    async fn find_leftovers(
        &self,
        (name, store): (&str, &dyn StorageBackend),
        prefix: &str,
        report: &mut FsckReport,
    ) -> Result<()> {
        let mut after = None::<String>;
        loop {
            let page = store.list(prefix, after.as_deref(), LIST_SIZE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.key.clone());
            let keys: Vec<String> = page.iter().map(|entry| entry.key.clone()).collect();
            let known = blobs::known_keys(&self.catalog, name, &keys).await?;
            for key in keys.into_iter().filter(|key| !known.contains(key)) {
                let problem = "no row knows it".to_owned();
                report.leftovers.push(Finding { store: name.to_owned(), key, problem });
            }
        }
    }
}

/// One file that cannot be read is a finding. A store that is away is not: it says nothing about its files.
fn unreadable(error: PluginError) -> Result<Option<String>> {
    match error.kind {
        PluginErrorKind::Unavailable | PluginErrorKind::DeadlineExceeded => Err(error.into()),
        _ => Ok(Some(format!("it cannot be read: {error}"))),
    }
}

async fn hash(store: &dyn StorageBackend, key: &str) -> std::result::Result<Digest, PluginError> {
    let mut reader = store.open_reader(key, ByteRange::FULL).await?;
    let mut hasher = Sha256::new();
    while let Some(chunk) = reader.next().await? {
        block_in_place(|| hasher.update(&chunk));
    }
    Ok(Digest(hasher.finalize().into()))
}
