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

use std::sync::Arc;

use boxvault_plugin_sdk::{Result, StorageBackend, StoragePlugin, export_storage_backend};
use boxvault_storage_opendal::{
    HttpOptions, OpendalBackend, OperationContext, Operator, ProvideCredentialChain, from_opendal,
    http_transport, services,
};

pub use config::{Config, Encryption};
use direct::Direct;
use uploads::Uploads;

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
        let options = HttpOptions::new(config.patience(), config.ca_file.as_ref());
        let transport = http_transport(&options)?;
        let credentials = credentials::find(&config, &transport).await?;
        let uploads = Uploads::new(&config, transport.clone(), Arc::clone(&credentials));
        let uploads = Arc::new(uploads);
        let chain = ProvideCredentialChain::new().push(credentials);
        let service = service(&config).credential_provider_chain(chain);
        let context = OperationContext::new().with_http_transport(transport);
        let operator = Operator::new(service).map_err(from_opendal)?.with_context(context);
        let direct = Direct::new(&config, Arc::clone(&uploads));
        let backend = OpendalBackend::new(config.patience().apply(operator))
            .read_as_a_stream()
            .write_in_parts(config.parts())
            .lists_in_order()
            .at(format!("bucket {} at {}", config.bucket, config.endpoint()))
            .unfinished_by(uploads)
            .signed_by(Arc::new(direct));
        Ok(Box::new(backend))
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
