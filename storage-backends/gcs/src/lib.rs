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

use std::sync::Arc;

use boxvault_plugin_sdk::{Result, StorageBackend, StoragePlugin, export_storage_backend};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, from_opendal,
    http_transport, services,
};

pub use config::Config;

use upload::Bucket;
use writer::Writers;

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
        let options = HttpOptions::new(config.patience(), config.ca_file.as_ref());
        let transport = http_transport(&options)?;
        let credentials = credentials::find(&config, &transport).await?;
        let bucket = Bucket::new(&config, transport.clone(), Arc::clone(&credentials));
        let bucket = Arc::new(bucket);
        let service = services::Gcs::default()
            .bucket(&config.bucket)
            .endpoint(config.endpoint())
            .root(&config.prefix)
            .disable_config_load()
            .disable_vm_metadata()
            .credential_provider_chain(ProvideCredentialChain::new().push(credentials));
        let context = OperationContext::new().with_http_transport(transport);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let writers = Writers { bucket: Arc::clone(&bucket), chunk_bytes: config.chunk_bytes };
        let backend = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .lists_in_order()
            .at(format!("bucket {} at {}", config.bucket, config.endpoint()))
            .checked_by(bucket)
            .written_by(Arc::new(writers));
        Ok(Box::new(backend))
    }
}

export_storage_backend!(Gcs, name = "gcs");
