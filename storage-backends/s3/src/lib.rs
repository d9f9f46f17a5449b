//! The S3 storage backend of BoxVault, as a plugin library: objects in a bucket of AWS or of anything that speaks S3.
//!
//! Objects come and go through OpenDAL. What it has no words for is here: unfinished multipart uploads, which S3 keeps
//! (and bills) until somebody aborts them (`uploads.rs`), and what clients exchange with it themselves (`direct.rs`).
//!
//! Keys are written once, so nothing is written on condition that the key is free: several servers that speak S3 accept
//! the condition and ignore it, and where it holds, an attempt whose answer was lost would make the next one fail.

mod config;
#[cfg(test)]
mod conformance;
mod credentials;
mod direct;
mod uploads;

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PluginErrorKind, PresignOptions, Result, StorageBackend, StoragePlugin,
    WriteOptions, async_trait, export_storage_backend,
};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, from_opendal,
    http_transport, services,
};

pub use config::{Config, Encryption};
use direct::Direct;
use uploads::Uploads;

/// How long it may take to get a connection. Five attempts fit into the time that the server waits for an answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct S3;

impl StoragePlugin for S3 {
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
        let uploads = Uploads::new(&config, transport.clone(), Arc::clone(&credentials));
        let chain = ProvideCredentialChain::new().push(credentials);
        let service = service(&config).credential_provider_chain(chain);
        let context = OperationContext::new().with_http_transport(transport);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let backend = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .write_in_parts(config.parts())
            .lists_in_order();
        let place = format!("bucket {} at {}", config.bucket, config.endpoint());
        Ok(Box::new(S3Backend { backend, uploads, direct: Direct::new(&config), place }))
    }
}

export_storage_backend!(S3, name = "s3");

fn service(config: &Config) -> services::S3 {
    let mut service = services::S3::default()
        .bucket(&config.bucket)
        .region(&config.region)
        .endpoint(&config.endpoint())
        .root(&config.prefix)
        .disable_config_load();
    if config.virtual_host_style() {
        service = service.enable_virtual_host_style();
    }
    if let Some(class) = &config.storage_class {
        service = service.default_storage_class(class);
    }
    match (config.server_side_encryption, &config.kms_key_id) {
        (None, _) => service,
        (Some(Encryption::Aes256), _) => service.server_side_encryption_with_s3_key(),
        (Some(Encryption::AwsKms), None) => {
            service.server_side_encryption_with_aws_managed_kms_key()
        }
        (Some(Encryption::AwsKms), Some(key)) => {
            service.server_side_encryption_with_customer_managed_kms_key(key)
        }
    }
}

/// Objects in a bucket.
#[derive(Debug)]
struct S3Backend {
    /// Everything but unfinished uploads.
    backend: OpendalBackend,
    uploads: Uploads,
    direct: Direct,
    /// What is talked to, for messages.
    place: String,
}

#[async_trait]
impl StorageBackend for S3Backend {
    fn capabilities(&self) -> Capabilities {
        self.backend.capabilities()
            | Capabilities::LIST_UNFINISHED
            | Capabilities::PRESIGN_READ
            | Capabilities::PRESIGN_WRITE
    }

    async fn health(&self) -> Result<()> {
        self.backend.health().await.map_err(|error| error.context(&self.place))
    }

    async fn stat(&self, key: &str) -> Result<ObjectMeta> {
        self.backend.stat(key).await
    }

    async fn open_reader(&self, key: &str, range: ByteRange) -> Result<Box<dyn ObjectReader>> {
        self.backend.open_reader(key, range).await
    }

    async fn open_writer(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>> {
        self.backend.open_writer(key, options).await
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
        self.backend.check(key)?;
        self.direct.read(&self.uploads, key, &options).await
    }

    async fn begin_direct(&self, key: &str, options: WriteOptions) -> Result<DirectWrite> {
        self.backend.check(key)?;
        self.direct.begin(&self.uploads, key, &options).await
    }

    async fn presign_part(&self, key: &str, token: &str, options: PartOptions) -> Result<String> {
        self.backend.check(key)?;
        self.direct.part(&self.uploads, key, token, &options).await
    }

    async fn finish_direct(&self, key: &str, token: &str) -> Result<ObjectMeta> {
        self.backend.check(key)?;
        let completed = self.direct.complete(&self.uploads, key, token).await?;
        match self.backend.stat(key).await {
            // what was completed is there
            Err(error) if completed.is_some() && error.kind == PluginErrorKind::NotFound => {
                Err(error.with_retry(true))
            }
            found => found,
        }
    }

    async fn list_unfinished(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ObjectEntry>> {
        self.uploads.list(prefix, after.unwrap_or_default(), limit).await
    }

    async fn abort_unfinished(&self, key: &str) -> Result<()> {
        self.backend.check(key)?;
        self.uploads.abort(key).await
    }
}
