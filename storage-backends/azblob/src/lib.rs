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

use std::sync::Arc;

use boxvault_plugin_sdk::{Result, StorageBackend, StoragePlugin, export_storage_backend};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, from_opendal,
    http_transport, services,
};

pub use config::Config;

use blocks::Blocks;
use direct::Direct;
use writer::Writers;

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
        let options = HttpOptions::new(config.patience(), config.ca_file.as_ref());
        let transport = http_transport(&options)?;
        let credentials = credentials::find(&config, &transport).await?;
        let blocks = Blocks::new(&config, transport.clone(), Arc::clone(&credentials));
        let blocks = Arc::new(blocks);
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
        let direct = Direct::new(&config, Arc::clone(&blocks));
        let writers = Writers { blocks: Arc::clone(&blocks), parts: config.parts() };
        let backend = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .at(format!("container {} at {}", config.container, config.endpoint()))
            .checked_by(Arc::clone(&blocks) as _)
            .written_by(Arc::new(writers))
            .unfinished_by(blocks);
        Ok(Box::new(match direct {
            Some(direct) => backend.signed_by(Arc::new(direct)),
            None => backend,
        }))
    }
}

export_storage_backend!(Azblob, name = "azblob");
