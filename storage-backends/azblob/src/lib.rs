//! The Azure Blob storage backend of BoxVault, as a plugin library: objects in a container.
//!
//! Objects are found, read, listed and removed through OpenDAL. They are written here, in blocks (`writer.rs`): only
//! who sends them knows when none is on its way any more, so that an abort leaves nothing (`blocks.rs`). What clients exchange with Azure themselves is in `direct.rs`.

mod blocks;
mod config;
#[cfg(test)]
mod conformance;
mod credentials;
mod direct;
mod writer;

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PluginError, PresignOptions, Result, StorageBackend, StoragePlugin, WriteOptions,
    async_trait, export_storage_backend,
};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, Parts, ProvideCredentialChain,
    from_opendal, http_transport, services,
};

pub use config::Config;

use blocks::Blocks;
use direct::Direct;
use writer::BlockWriter;

/// How long it may take to get a connection. Five attempts fit into the time that the server waits for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Azblob;

impl StoragePlugin for Azblob {
    type Config = Config;

    fn validate(config: &Config) -> Result<()> {
        config.check()
    }

    async fn create(config: Config) -> Result<Box<dyn StorageBackend>> {
        config.check()?;
        let transport = http_transport(&HttpOptions {
            connect_timeout: CONNECT_TIMEOUT,
            silence_timeout: Some(Duration::from_secs(config.transfer_timeout_s)),
            ca_file: config.ca_file.clone(),
        })?;
        let credentials = credentials::find(&config, &transport).await?;
        let blocks = Blocks::new(&config, transport.clone(), Arc::clone(&credentials));
        let chain = ProvideCredentialChain::new().push(credentials);
        let mut service = services::Azblob::default()
            .container(&config.container)
            .endpoint(&config.endpoint())
            .account_name(&config.account_name)
            .root(&config.prefix)
            .credential_provider_chain(chain);
        if let Some(key) = config.encryption_key_bytes() {
            service = service.server_side_encryption_with_customer_key(&key);
        }
        let context = OperationContext::new().with_http_transport(transport);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let backend = OpendalBackend::new(config.patience().apply(operator)).read_as_a_stream();
        let place = format!("container {} at {}", config.container, config.endpoint());
        Ok(Box::new(AzblobBackend {
            backend,
            blocks: Arc::new(blocks),
            parts: config.parts(),
            direct: Direct::new(&config),
            place,
        }))
    }
}

export_storage_backend!(Azblob, name = "azblob");

/// Objects in a container.
#[derive(Debug)]
struct AzblobBackend {
    /// Everything but writing.
    backend: OpendalBackend,
    blocks: Arc<Blocks>,
    parts: Parts,
    direct: Option<Direct>,
    /// What is talked to, for messages.
    place: String,
}

impl AzblobBackend {
    fn direct(&self, key: &str) -> Result<&Direct> {
        self.backend.check(key)?;
        self.direct.as_ref().ok_or_else(|| PluginError::unsupported("presigned transfer"))
    }
}

#[async_trait]
impl StorageBackend for AzblobBackend {
    fn capabilities(&self) -> Capabilities {
        let all = self.backend.capabilities() | Capabilities::LIST_UNFINISHED;
        match self.direct {
            Some(_) => all | Capabilities::PRESIGN_READ | Capabilities::PRESIGN_WRITE,
            None => all,
        }
    }

    async fn health(&self) -> Result<()> {
        self.blocks.check_container().await.map_err(|error| error.context(&self.place))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.backend.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.backend.open_reader(key, range).await
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.backend.check(key)?;
        let block_bytes = self.parts.bytes(options.size_hint);
        Ok(Box::new(BlockWriter::new(
            Arc::clone(&self.blocks),
            key.to_owned(),
            block_bytes,
            self.parts.object_bytes_max(block_bytes),
            self.parts.concurrent,
        )))
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

    async fn presign_read(&self, key: &str, options: PresignOptions) -> Result<String> {
        self.direct(key)?.read(&self.blocks, key, &options)
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        Ok(self.direct(key)?.begin(&options))
    }

    async fn presign_part(&self, key: &str, _token: &str, options: PartOptions) -> Result<String> {
        self.direct(key)?.part(&self.blocks, key, &options)
    }

    async fn finish_direct(&self, key: &str, _token: &str) -> Result<ObjectMeta> {
        self.direct(key)?.finish(&self.blocks, &self.backend, key).await
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.blocks.list(prefix, after.unwrap_or_default(), limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        self.backend.check(key)?;
        self.blocks.abort(key).await
    }
}
