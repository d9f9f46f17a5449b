//! The Google Cloud Storage backend of BoxVault, as a plugin library: objects in a bucket.
//!
//! Objects are found, read, listed and removed through OpenDAL. They are written here, by the store's own resumable
//! uploads (`upload.rs`): OpenDAL would use the multipart uploads of the other API, whose parts stay, billed, when a server
//! is killed. A resumable upload that nobody finishes has no object, costs nothing, and ends by itself; where it goes on is
//! noted, so that it need not be waited for (`unfinished.rs`). What clients exchange with Google themselves is in `direct.rs`.

mod account;
mod config;
#[cfg(test)]
mod conformance;
mod credentials;
mod direct;
mod signature;
mod unfinished;
mod upload;
mod writer;

use std::sync::Arc;

use boxvault_plugin_sdk::{Result, StorageBackend, StoragePlugin, export_storage_backend};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, STAGING,
    from_opendal, http_transport, services,
};

pub use config::Config;

use account::Account;
use direct::Direct;
use unfinished::Unfinished;
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
        let account = config.credential.as_ref().map(Account::of).transpose()?.flatten();
        let account = account.map(Arc::new);
        let credentials = credentials::find(&config, account.as_ref(), &transport).await?;
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
        let files = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .lists_in_order();
        let unfinished = Unfinished { bucket: Arc::clone(&bucket), files: files.clone() };
        let backend = files
            .clone()
            .reserve(STAGING)
            .at(format!("bucket {} at {}", config.bucket, config.endpoint()))
            .checked_by(Arc::clone(&bucket) as _)
            .written_by(Arc::new(writers))
            .unfinished_by(Arc::new(unfinished));
        Ok(Box::new(match account {
            Some(account) => {
                backend.signed_by(Arc::new(Direct::new(&config, account, bucket, files)))
            }
            None => backend,
        }))
    }
}

export_storage_backend!(Gcs, name = "gcs");
