//! The SFTP storage backend of BoxVault, as a plugin library: files of a server that OpenSSH's client can reach.
//!
//! OpenDAL's sftp service is not used. It writes under the final name, cannot abort, flushes nothing, and knows the
//! server by `~/.ssh/known_hosts` alone. Here `ssh` is started with the key and the known hosts of the configuration,
//! and the protocol is spoken with it.

mod config;
#[cfg(test)]
mod conformance;
mod connection;
mod files;
mod reader;
mod writer;

use std::sync::Arc;

use boxvault_plugin_sdk::{
    ByteRange, Bytes, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PluginError, PluginErrorKind, Result, StorageBackend, StoragePlugin, WriteOptions, async_trait,
    export_storage_backend,
    storage::{LIST_LIMIT_MAX, check_key},
};
use boxvault_storage_opendal::{STAGING, StagedFiles, abort_staged, list_staged, staged};

pub use config::Config;

use files::Files;
use reader::Reader;
use writer::Writer;

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Sftp;

impl StoragePlugin for Sftp {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        config.check()?;
        config.check_files()?;
        let place = format!("{}@{}:{} {}", config.user, config.host, config.port, config.root);
        Ok(Box::new(SftpBackend { files: Arc::new(Files::new(config)), place }))
    }
}

export_storage_backend!(Sftp, name = "sftp");

/// Files below a folder of a server.
#[derive(Debug)]
struct SftpBackend {
    files: Arc<Files>,
    /// What is talked to, for messages.
    place: String,
}

/// Whether an object may have this key.
fn check(key: &str) -> Result<()> {
    check_key(key)?;
    if key.split('/').next() == Some(STAGING) {
        let message = format!("bad object key {key:?}: the backend keeps this folder for itself");
        return Err(PluginError::invalid_input(message));
    }
    Ok(())
}

#[async_trait]
impl StorageBackend for SftpBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities::RANGE_READ
            | Capabilities::STREAMED_WRITE
            | Capabilities::LIST
            | Capabilities::LIST_UNFINISHED
    }

    async fn health(&self) -> Result<()> {
        self.files.check_root().await.map_err(|error| error.context(&self.place))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        check(key)?;
        self.files.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        let size = self.stat(key).await?.size;
        let end = range.length.map_or(size, |length| range.offset.saturating_add(length).min(size));
        if range.offset >= end {
            return Ok(Box::new(Nothing));
        }
        let (connection, file) = self.files.open(key).await?;
        Ok(Box::new(Reader::new(connection, file, (range.offset, end))))
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        check(key)?;
        let staged = staged(key);
        let opened = self.files.create(&staged).await?;
        Ok(Box::new(Writer::new(Arc::clone(&self.files), opened, key.to_owned(), staged)))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check(key)?;
        match self.files.remove(key).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            // a folder is no object, and the server says no more than that it failed
            Err(error) => match self.files.stat(key).await {
                Err(second) if second.kind == PluginErrorKind::NotFound => Ok(()),
                _ => Err(error),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        if prefix.starts_with(STAGING) {
            return Ok(Vec::new());
        }
        self.files.list(prefix, after.unwrap_or_default(), limit).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        list_staged(&*self.files, prefix, after.unwrap_or_default(), limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        check(key)?;
        abort_staged(&*self.files, key).await
    }
}

#[async_trait]
impl StagedFiles for Files {
    async fn list_files(&self, prefix: &str, after: &str) -> Result<Vec<ObjectEntry>> {
        self.list(prefix, after, LIST_LIMIT_MAX).await
    }

    async fn remove_file(&self, name: &str) -> Result<()> {
        match self.remove(name).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            result => result,
        }
    }
}

/// Reads nothing.
struct Nothing;

#[async_trait]
impl ObjectReader for Nothing {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        Ok(None)
    }
}
