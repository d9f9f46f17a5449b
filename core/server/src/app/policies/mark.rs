//! Which version of the policy a server's folder holds: `policy.json` in its data folder.
//!
//! It tells an edit that was made while the server was stopped from files that are only older than what other servers
//! have accepted meanwhile. Without it both look alike, and then the texts themselves tell: a text that never was in
//! force is an edit.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use boxvault_catalog::policies::Mark;
use serde::{Deserialize, Serialize};
use tokio::fs;
use tracing::warn;

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HeldVersion {
    /// The version's number.
    pub(super) version: i64,
    /// Its texts' digest.
    pub(super) digest: String,
}

/// The mark, in memory and in its file.
#[derive(Debug)]
pub(crate) struct FolderMark {
    path: PathBuf,
    held: Mutex<Option<HeldVersion>>,
    /// The version that this program could not work by, if it met one.
    refused: AtomicI64,
    /// What the catalog's mark was when this server last did as it says.
    followed: Mutex<Option<Mark>>,
}

impl FolderMark {
    /// Reads the mark. One that is absent or damaged is none.
    pub(crate) async fn open(data_dir: &Path) -> Self {
        let path = data_dir.join("policy.json");
        let bytes = fs::read(&path).await.ok();
        let held = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            path,
            held: Mutex::new(held),
            refused: AtomicI64::default(),
            followed: Mutex::default(),
        }
    }

    /// What the folder held when somebody last looked.
    pub(super) fn get(&self) -> Option<HeldVersion> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The version that was last refused; 0 if none was.
    pub(super) fn refused(&self) -> i64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Says that this program cannot work by a version.
    pub(super) fn refuse(&self, version: i64) {
        self.refused.store(version, Ordering::Relaxed);
    }

    /// Whether this server has done as the catalog says at a mark.
    pub(super) fn has_followed(&self, mark: &Mark) -> bool {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.as_ref() == Some(mark)
    }

    /// Says that it has.
    pub(super) fn follow(&self, mark: Mark) {
        *self.followed.lock().unwrap_or_else(PoisonError::into_inner) = Some(mark);
    }

    /// Says what the folder holds now. That it could not be written is told and survived. The caller has waited for
    /// everybody else who changes the policy.
    pub(super) async fn set(&self, version: i64, digest: &str) {
        let held = HeldVersion { version, digest: digest.to_owned() };
        if self.get().as_ref() == Some(&held) {
            return;
        }
        if let Err(error) = self.write(&held).await {
            warn!(path = %self.path.display(), %error, "could not note which policy the folder holds");
        }
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
    }

    async fn write(&self, held: &HeldVersion) -> io::Result<()> {
        let beside = self.path.with_extension("json.new");
        fs::write(&beside, serde_json::to_vec(held)?).await?;
        fs::rename(beside, &self.path).await
    }
}
