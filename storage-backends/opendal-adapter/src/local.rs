//! Objects that are plain files under a root: their paths, and what makes them durable.
//!
//! OpenDAL flushes a file before it renames it, and not the folders that name it: after a loss of
//! power the file could be there under no name. So every folder from the file's up to the root is
//! flushed after the rename; one that did not change costs nothing.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use boxvault_plugin_sdk::{PluginError, Result};

/// The folder that holds the objects.
#[derive(Clone, Debug)]
pub struct LocalFiles {
    root: PathBuf,
}

impl LocalFiles {
    /// Objects under this folder, which is absolute.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Where an object lies; the key has been checked.
    pub(crate) fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// Flushes the folders that name an object.
    pub(crate) async fn flush_folders(&self, key: &str) -> Result<()> {
        let (root, path) = (self.root.clone(), self.path(key));
        let flushed = tokio::task::spawn_blocking(move || flush(&root, &path)).await;
        match flushed {
            Ok(result) => Ok(result?),
            Err(error) => Err(PluginError::unexpected(error.to_string())),
        }
    }
}

fn flush(root: &Path, path: &Path) -> io::Result<()> {
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
