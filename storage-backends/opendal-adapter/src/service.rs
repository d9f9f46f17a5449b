//! What OpenDAL has no words for: what a backend adds to its operator.
//!
//! Whoever asks has checked the keys. What is added is what the backend then declares to be capable of.

use std::fmt::Debug;

use boxvault_plugin_sdk::{
    DirectWrite, ObjectEntry, ObjectMeta, ObjectWriter, PartOptions, PresignOptions, Result,
    WriteOptions, async_trait,
};

use crate::backend::OpendalBackend;

/// Says whether a store can be used.
#[async_trait]
pub trait CheckStore: Debug + Send + Sync {
    /// Asks the store a small question.
    async fn check(&self) -> Result<()>;
}

/// Writes objects in a way of its own.
#[async_trait]
pub trait OpenWriter: Debug + Send + Sync {
    /// Begins an object.
    async fn open(&self, key: &str, options: WriteOptions) -> Result<Box<dyn ObjectWriter>>;
}

/// Finds what was begun and not ended.
#[async_trait]
pub trait FindUnfinished: Debug + Send + Sync {
    /// The keys under a prefix that something was begun for, those after `after` in their order.
    async fn list(&self, prefix: &str, after: &str, limit: u32) -> Result<Vec<ObjectEntry>>;

    /// Throws everything away that was begun for a key.
    async fn abort(&self, key: &str) -> Result<()>;
}

/// Signs what clients exchange with the store themselves.
#[async_trait]
pub trait SignAddresses: Debug + Send + Sync {
    /// An address to read from.
    async fn read(&self, key: &str, options: &PresignOptions) -> Result<String>;

    /// Begins an object that others send.
    async fn begin(&self, key: &str, options: &WriteOptions) -> Result<DirectWrite>;

    /// An address for one part.
    async fn part(&self, key: &str, token: &str, options: &PartOptions) -> Result<String>;

    /// Makes an object of the parts that came, or finds the one that was made of them before.
    async fn finish(&self, objects: &OpendalBackend, key: &str, token: &str) -> Result<ObjectMeta>;
}
