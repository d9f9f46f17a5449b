//! The fs storage backend of BoxVault, as a plugin library: objects are plain files under a root.
//!
//! A file is written in a staging folder on the same file system, flushed, renamed to its place, and
//! the folders that name it are flushed. So a name never stands for half an object, and what was
//! acknowledged survives the loss of power. Reading and listing go through OpenDAL, writing does not (`object_file.rs`).
//!
//! ```text
//! <root>/
//! ├── .staging/            unfinished writes; cleaned when an instance starts (staging.rs)
//! └── blobs/0192…          an object under the key blobs/0192…
//! ```

mod config;
#[cfg(test)]
mod conformance;
mod object_file;
mod staging;

use std::path::{Path, PathBuf};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PluginError,
    PluginErrorKind, Result, StorageBackend, StoragePlugin, WriteBehind, WriteOptions, async_trait,
    export_storage_backend,
};
use boxvault_storage_opendal::{OpendalBackend, Operator, from_opendal, services};

pub use config::Config;
use object_file::{ObjectFile, Place};
use staging::Staging;

/// The plugin: makes a [`FsBackend`] of a [`Config`].
#[derive(Debug)]
pub struct Fs;

impl StoragePlugin for Fs {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        config.check()?;
        let root = absolute_root(&config.root).await?;
        let staging = Staging::open(root.join(staging::FOLDER)).await?;
        let service = services::Fs::default().root(utf8(&root)?);
        let operator = Operator::new(service).map_err(from_opendal)?;
        let backend = OpendalBackend::new(operator)
            .read_chunk_bytes(config.read_chunk_bytes)
            .reserve(staging::FOLDER);
        let write_chunk_bytes = config.write_chunk_bytes;
        Ok(Box::new(FsBackend { backend, root, staging, write_chunk_bytes }))
    }
}

export_storage_backend!(Fs, name = "fs");

/// Makes the root if it is not there, closed to other users, and resolves links: local paths are
/// absolute.
async fn absolute_root(root: &Path) -> Result<PathBuf> {
    let failed = |error: std::io::Error| {
        PluginError::from(error).context(format_args!("root {}", root.display()))
    };
    tokio::fs::DirBuilder::new().recursive(true).mode(0o750).create(root).await.map_err(failed)?;
    tokio::fs::canonicalize(root).await.map_err(failed)
}

fn utf8(path: &Path) -> Result<&str> {
    let message = || PluginError::invalid_config("root: the path is not UTF-8");
    path.to_str().ok_or_else(message)
}

/// Objects as plain files.
#[derive(Debug)]
struct FsBackend {
    /// Everything but writing.
    backend: OpendalBackend,
    root: PathBuf,
    /// Held for as long as the instance lives: others keep their hands off its staging folder.
    staging: Staging,
    write_chunk_bytes: usize,
}

impl FsBackend {
    /// Refuses to write where the root was: an unmounted file system leaves an empty folder behind, or none, and
    /// what is written there is lost when it comes back.
    async fn require_root(&self) -> Result<()> {
        match tokio::fs::symlink_metadata(self.staging.folder()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(PluginError::unavailable(format!(
                "the staging folder {} is gone ({error}): is the file system of the root mounted?",
                self.staging.folder().display()
            ))),
        }
    }

    /// Makes a file and removes it: a disk that begins to fail turns read-only. One that is full is well.
    async fn require_writable(&self) -> Result<()> {
        let probe = self.staging.new_file();
        match tokio::fs::File::create_new(&probe).await {
            Ok(_) => Ok(tokio::fs::remove_file(&probe).await?),
            Err(error) => match PluginError::from(error) {
                full if full.kind == PluginErrorKind::StorageFull => Ok(()),
                error => Err(error.context("the staging folder takes no files")),
            },
        }
    }
}

#[async_trait]
impl StorageBackend for FsBackend {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities() | Capabilities::LOCAL_PATH
    }

    async fn health(&self) -> Result<()> {
        self.require_root().await?;
        self.require_writable().await?;
        self.backend.health().await
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.backend.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.backend.open_reader(key, range).await
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.backend.check(key)?;
        self.require_root().await?;
        let staged = self.staging.new_file();
        let place = Place { root: self.root.clone(), path: self.root.join(key) };
        let file = tokio::task::spawn_blocking(move || ObjectFile::create(staged, place)).await;
        let file = file.map_err(|error| PluginError::unexpected(error.to_string()))??;
        Ok(Box::new(WriteBehind::start(file, self.write_chunk_bytes)?))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.backend.delete(key).await
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.backend.list(prefix, after, limit).await
    }

    async fn local_path(&self, key: &str) -> Result<PathBuf> {
        self.backend.check(key)?;
        let path = self.root.join(key);
        let meta = tokio::fs::symlink_metadata(&path).await?;
        if meta.is_file() {
            Ok(path)
        } else {
            Err(PluginError::not_found(format!("there is no object {key}")))
        }
    }
}
