//! What `boxvault plugin check --keep` found, in the data folder: a file for each library, named by its SHA-256. So a
//! report is of the bytes that were judged, and a library that was replaced has none.

use std::{
    io,
    path::{Path, PathBuf},
};

use boxvault_types::views::plugins::ConformanceView;

use crate::data_dir::{create_private_dir, replace_file};

/// The folder of the reports. It may not exist yet.
#[derive(Clone, Debug)]
pub(crate) struct Reports(PathBuf);

impl Reports {
    pub(crate) fn of(data_dir: &Path) -> Self {
        Self(data_dir.join("conformance"))
    }

    fn file(&self, digest: &str) -> PathBuf {
        self.0.join(format!("{digest}.json"))
    }

    /// Keeps the report of a library, in the place of an earlier one. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder cannot be written to.
    pub(crate) fn keep(&self, digest: &str, report: &ConformanceView) -> io::Result<PathBuf> {
        create_private_dir(&self.0)?;
        let file = self.file(digest);
        replace_file(&file, &serde_json::to_vec_pretty(report)?, 0o600)?;
        Ok(file)
    }

    /// Whether there may be one at all; spares hashing libraries.
    pub(super) async fn are_any(&self) -> bool {
        tokio::fs::try_exists(&self.0).await.unwrap_or(false)
    }

    /// The report of a library. One that cannot be read is none, and a warning.
    pub(super) async fn of_library(&self, digest: &str) -> Option<ConformanceView> {
        let file = self.file(digest);
        let read =
            async { Ok::<_, io::Error>(serde_json::from_slice(&tokio::fs::read(&file).await?)?) };
        match read.await {
            Ok(report) => Some(report),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "could not read a conformance report; judge the plugin anew");
                None
            }
        }
    }
}
