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
    parts::Parts,
    stream::{Nothing, ObjectSink, Reader},
};

/// An OpenDAL operator as a storage backend.
#[derive(Clone, Debug)]
pub struct OpendalBackend {
    operator: Operator,
    /// In chunks of this size, or in one request whose answer is taken as it comes.
    read_chunk_bytes: Option<usize>,
    parts: Option<Parts>,
    create_new: bool,
    lists_in_order: bool,
    /// A first segment of keys that is not ours to give: the staging folder.
    reserved: Option<String>,
}

impl OpendalBackend {
    /// A backend over an operator, without anything special.
    pub fn new(operator: Operator) -> Self {
        Self {
            operator,
            read_chunk_bytes: Some(1 << 20),
            parts: None,
            create_new: false,
            lists_in_order: false,
            reserved: None,
        }
    }

    /// Reads in chunks of this size.
    #[must_use]
    pub fn read_chunk_bytes(mut self, bytes: usize) -> Self {
        self.read_chunk_bytes = Some(bytes);
        self
    }

    /// Reads a range by one request, whose answer is taken as it comes: only for a service that is read over a
    /// connection, where what was not asked for yet waits at the other end.
    #[must_use]
    pub fn read_as_a_stream(mut self) -> Self {
        self.read_chunk_bytes = None;
        self
    }

    /// Writes in parts.
    #[must_use]
    pub fn write_in_parts(mut self, parts: Parts) -> Self {
        self.parts = Some(parts);
        self
    }

    /// Lists all keys below a prefix in one go. Only for a service that does so, in the order of their bytes, and from
    /// any key on.
    #[must_use]
    pub fn lists_in_order(mut self) -> Self {
        self.lists_in_order = true;
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
        let reader = match self.read_chunk_bytes {
            Some(bytes) => self.operator.reader_with(key).chunk(bytes).await,
            None => self.operator.reader(key).await,
        };
        let reader = reader.map_err(from_opendal)?;
        let stream = reader.into_bytes_stream(range.offset..end).await.map_err(from_opendal)?;
        Ok(Box::new(Reader { stream, remaining: end - range.offset }))
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.check(key)?;
        let mut writer = self.operator.writer_with(key).if_not_exists(self.create_new);
        let mut bytes_max = u64::MAX;
        if let Some(parts) = &self.parts {
            let part_bytes = parts.bytes(options.size_hint);
            bytes_max = parts.object_bytes_max(part_bytes);
            writer = writer.chunk(part_bytes).concurrent(parts.concurrent);
        }
        let writer = writer.await.map_err(from_opendal)?;
        Ok(Box::new(ObjectSink::new(self.operator.clone(), key.to_owned(), writer, bytes_max)))
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
        if self.lists_in_order {
            page.read_in_order(&self.operator).await
        } else {
            page.read(&self.operator).await
        }
    }
}
