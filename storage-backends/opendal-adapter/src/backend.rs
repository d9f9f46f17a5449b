//! The backend itself.

use std::{sync::Arc, time::SystemTime};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PluginError, PluginErrorKind, PresignOptions, Result, StorageBackend,
    WriteOptions, async_trait,
    storage::{LIST_LIMIT_MAX, check_key},
};
use opendal::{EntryMode, Operator};

use crate::{
    error::from_opendal,
    list::Page,
    parts::Parts,
    service::{CheckStore, FindUnfinished, OpenWriter, SignAddresses},
    staged::StagedFiles,
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
    /// What is talked to, for messages.
    place: Option<String>,
    check: Option<Arc<dyn CheckStore>>,
    writer: Option<Arc<dyn OpenWriter>>,
    unfinished: Option<Arc<dyn FindUnfinished>>,
    addresses: Option<Arc<dyn SignAddresses>>,
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
            place: None,
            check: None,
            writer: None,
            unfinished: None,
            addresses: None,
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

    /// Names what is talked to, for messages.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Asks this whether the store can be used, and not the operator.
    #[must_use]
    pub fn checked_by(mut self, check: Arc<dyn CheckStore>) -> Self {
        self.check = Some(check);
        self
    }

    /// Writes in this way, and not through the operator.
    #[must_use]
    pub fn written_by(mut self, writer: Arc<dyn OpenWriter>) -> Self {
        self.writer = Some(writer);
        self
    }

    /// Finds what was begun and not ended.
    #[must_use]
    pub fn unfinished_by(mut self, unfinished: Arc<dyn FindUnfinished>) -> Self {
        self.unfinished = Some(unfinished);
        self
    }

    /// Lets clients exchange objects with the store themselves.
    #[must_use]
    pub fn signed_by(mut self, addresses: Arc<dyn SignAddresses>) -> Self {
        self.addresses = Some(addresses);
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

    fn unfinished(&self) -> Result<&dyn FindUnfinished> {
        self.unfinished
            .as_deref()
            .ok_or_else(|| PluginError::unsupported("listing unfinished objects"))
    }

    fn addresses(&self) -> Result<&dyn SignAddresses> {
        self.addresses.as_deref().ok_or_else(|| PluginError::unsupported("presigned transfer"))
    }
}

#[async_trait]
impl StorageBackend for OpendalBackend {
    fn capabilities(&self) -> Capabilities {
        let streams = self.writer.is_some() || self.operator.info().capability().write_can_multi;
        let signs = self.addresses.is_some();
        [
            (streams, Capabilities::STREAMED_WRITE),
            (self.create_new, Capabilities::CREATE_NEW),
            (self.unfinished.is_some(), Capabilities::LIST_UNFINISHED),
            (signs, Capabilities::PRESIGN_READ | Capabilities::PRESIGN_WRITE),
        ]
        .into_iter()
        .filter(|(has, _)| *has)
        .fold(Capabilities::RANGE_READ | Capabilities::LIST, |all, (_, one)| all | one)
    }

    async fn health(&self) -> Result<()> {
        let answer = match &self.check {
            Some(check) => check.check().await,
            None => self.operator.check().await.map_err(from_opendal),
        };
        answer.map_err(|error| match &self.place {
            Some(place) => error.context(place),
            None => error,
        })
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
        if let Some(writer) = &self.writer {
            return writer.open(key, options).await;
        }
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

    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        let addresses = self.addresses()?;
        self.check(key)?;
        addresses.read(key, &options).await
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        let addresses = self.addresses()?;
        self.check(key)?;
        addresses.begin(key, &options).await
    }

    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        let addresses = self.addresses()?;
        self.check(key)?;
        addresses.part(key, token, &options).await
    }

    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        let addresses = self.addresses()?;
        self.check(key)?;
        addresses.finish(self, key, token).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.unfinished()?.list(prefix, after.unwrap_or_default(), limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        let unfinished = self.unfinished()?;
        self.check(key)?;
        unfinished.abort(key).await
    }
}

/// The files of a backend that keeps no segment for itself, for one that does.
#[async_trait]
impl StagedFiles for OpendalBackend {
    async fn list_files(&self, prefix: &str, after: &str) -> Result<Vec<ObjectEntry>> {
        self.list(prefix, Some(after), LIST_LIMIT_MAX).await
    }

    async fn remove_file(&self, name: &str) -> Result<()> {
        self.delete(name).await
    }
}
