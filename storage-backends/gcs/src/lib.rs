//! The Google Cloud Storage backend of BoxVault, as a plugin library: objects in a bucket.
//!
//! Objects are found, read, listed and removed through OpenDAL. They are written here, by the store's own resumable
//! uploads (`upload.rs`): OpenDAL would use the multipart uploads of the other API, whose parts stay, billed, when a server
//! is killed. A resumable upload that nobody finishes has no object, costs nothing, and ends by itself.

mod config;
#[cfg(test)]
mod conformance;
mod credentials;
mod upload;
mod writer;

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter, Result,
    StorageBackend, StoragePlugin, WriteOptions, async_trait, export_storage_backend,
};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, from_opendal,
    http_transport, services,
};

pub use config::Config;

use upload::Bucket;
use writer::ChunkWriter;

/// How long it may take to get a connection. Five attempts fit into the time that the server waits for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Gcs;

impl StoragePlugin for Gcs {
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
        let bucket = Bucket::new(&config, transport.clone(), Arc::clone(&credentials));
        let service = services::Gcs::default()
            .bucket(&config.bucket)
            .endpoint(config.endpoint())
            .root(&config.prefix)
            .disable_config_load()
            .disable_vm_metadata()
            .credential_provider_chain(ProvideCredentialChain::new().push(credentials));
        let context = OperationContext::new().with_http_transport(transport);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let backend = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .lists_in_order();
        let place = format!("bucket {} at {}", config.bucket, config.endpoint());
        let chunk_bytes = config.chunk_bytes;
        Ok(Box::new(GcsBackend { backend, bucket: Arc::new(bucket), chunk_bytes, place }))
    }
}

export_storage_backend!(Gcs, name = "gcs");

/// Objects in a bucket.
#[derive(Debug)]
struct GcsBackend {
    /// Everything but writing.
    backend: OpendalBackend,
    bucket: Arc<Bucket>,
    chunk_bytes: usize,
    /// What is talked to, for messages.
    place: String,
}

#[async_trait]
impl StorageBackend for GcsBackend {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
    }

    async fn health(&self) -> Result<()> {
        self.bucket.check().await.map_err(|error| error.context(&self.place))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.backend.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.backend.open_reader(key, range).await
    }

    async fn open_writer(&self, key: &str, _: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.backend.check(key)?;
        let bucket = Arc::clone(&self.bucket);
        Ok(Box::new(ChunkWriter::new(bucket, key.to_owned(), self.chunk_bytes)))
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
}
