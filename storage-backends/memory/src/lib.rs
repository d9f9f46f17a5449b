//! The memory storage backend of BoxVault, as a plugin library: for tests, gone with the process.
//!
//! Each instance has its own objects. A taken key is refused, which makes it the backend that shows
//! what `create-new` means.

mod config;
#[cfg(test)]
mod conformance;

use boxvault_plugin_sdk::{Result, StorageBackend, StoragePlugin, export_storage_backend};
use boxvault_storage_opendal::{OpendalBackend, Operator, from_opendal, services};

pub use config::Config;

/// The plugin: makes a backend of a [`Config`].
#[derive(Debug)]
pub struct Memory;

impl StoragePlugin for Memory {
    type Config = Config;

    async fn create(_: Config) -> Result<Box<dyn StorageBackend>> {
        let operator = Operator::new(services::Memory::default()).map_err(from_opendal)?;
        Ok(Box::new(OpendalBackend::new(operator).create_new()))
    }
}

export_storage_backend!(Memory, name = "memory");
