//! What a BoxVault plugin is written against: safe traits over a C table.
//!
//! An author implements [`StorageBackend`] or [`AuthProvider`], exports it with one macro, and
//! builds a `cdylib`; the host hands back an object that implements the same trait. What crosses in
//! between is plain C (`abi`, `include/boxvault_plugin.h`), so that a plugin outlives compilers.
//! The contract has its own version and knows nothing of the server's nouns.

pub mod abi;
pub mod auth;
pub mod config;
pub mod crossing;
mod error;
pub mod export;
#[cfg(test)]
mod header;
mod log;
mod runtime;
mod secret;
pub mod storage;
mod write_behind;

pub use async_trait::async_trait;
pub use auth::{
    AuthFacets, AuthPlugin, AuthProvider, Claims, Credentials, LogoutNotice, RedirectFinish,
    RedirectRequest, RedirectStart,
};
pub use bytes::Bytes;
pub use error::{PluginError, PluginErrorKind, Result};
pub use schemars;
pub use secret::Secret;
pub use serde;
pub use storage::{
    ByteRange, Capabilities, DirectWrite, ObjectEntry, ObjectMeta, ObjectReader, ObjectWriter,
    PartOptions, PresignOptions, StorageBackend, StoragePlugin, WriteOptions,
};
pub use write_behind::{BlockingWriter, WriteBehind};
