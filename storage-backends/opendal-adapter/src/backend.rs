//! The backend itself.

use std::time::SystemTime;

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, PluginError,
    PluginErrorKind, Result, StorageBackend, WriteOptions, async_trait, storage::check_key,
};
use opendal::{EntryMode, Operator};

use crate::{
    error::from_opendal,
    list::Page,
    stream::{Nothing, ObjectSink, Reader},
};

/// An OpenDAL operator as a storage backend.
#[derive(Clone, Debug)]
pub struct OpendalBackend {
    operator: Operator,
    read_chunk_bytes: usize,
    create_new: bool,
    /// A first segment of keys that is not ours to give: the staging folder.
    reserved: Option<String>,
}

impl OpendalBackend {
    /// A backend over an operator, without anything special.
    pub fn new(operator: Operator) -> Self {
        Self { operator, read_chunk_bytes: 1 << 20, create_new: false, reserved: None }
    }

    /// Reads in chunks of this size.
    #[must_use]
    pub fn read_chunk_bytes(mut self, bytes: usize) -> Self {
        self.read_chunk_bytes = bytes;
        self
    }

    /// Refuses taken keys. Only for a service that does so in one step.
    #[must_use]
    pub fn create_new(mut self) -> Self {
        self.create_new = true;
        self
    }

    /// Keeps a first segment of keys for the backend itself.
    #[must_use]
    pub fn reserve(mut self, segment: impl Into<String>) -> Self {
        self.reserved = Some(segment.into());
        self
    }

    /// Whether an object may have this key.
    ///
    /// # Errors
    /// `InvalidInput`, with the reason.
    pub fn check(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let first = key.split('/').next();
        if first == self.reserved.as_deref() {
            let message =
                format!("bad object key {key:?}: the backend keeps this folder for itself");
            return Err(PluginError::invalid_input(message));
        }
        Ok(())
    }
}

#[async_trait]
impl StorageBackend for OpendalBackend {
    fn capabilities(&self) -> Capabilities {
        let mut all = Capabilities::RANGE_READ | Capabilities::LIST;
        if self.operator.info().capability().write_can_multi {
            all = all | Capabilities::STREAMED_WRITE;
        }
        if self.create_new {
            all = all | Capabilities::CREATE_NEW;
        }
        all
    }

    async fn health(&self) -> Result<()> {
        self.operator.check().await.map_err(from_opendal)
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.check(key)?;
        let meta = self.operator.stat(key).await.map_err(from_opendal)?;
        if meta.mode() != EntryMode::FILE {
            return Err(PluginError::not_found(format!("there is no object {key}")));
        }
        Ok(ObjectMeta::of_size(meta.content_length())
            .modified(meta.last_modified().map(SystemTime::from))
            .etag(meta.etag().map(ToOwned::to_owned)))
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        let size = self.stat(key).await?.size;
        let end = match range.length {
            Some(length) => range.offset.saturating_add(length).min(size),
            None => size,
        };
        if range.offset >= end {
            return Ok(Box::new(Nothing));
        }
        let reader = self.operator.reader_with(key).chunk(self.read_chunk_bytes);
        let reader = reader.await.map_err(from_opendal)?;
        let stream = reader.into_bytes_stream(range.offset..end).await.map_err(from_opendal)?;
        Ok(Box::new(Reader { stream, remaining: end - range.offset }))
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.check(key)?;
        let writer = self.operator.writer_with(key).if_not_exists(self.create_new);
        let writer = writer.await.map_err(from_opendal)?;
        Ok(Box::new(ObjectSink { writer, written: 0 }))
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.check(key)?;
        match self.operator.delete(key).await.map_err(from_opendal) {
            Err(error) if error.kind == PluginErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    async fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        let after = after.unwrap_or_default();
        let page = Page { prefix, after, limit, hidden: self.reserved.as_deref() };
        page.read(&self.operator).await
    }
}
