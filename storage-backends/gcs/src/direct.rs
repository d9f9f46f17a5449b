//! What clients exchange with the store themselves: addresses that the key of a service account signs.
//!
//! An address to write gives the right to replace the whole object until it ends. So each part that clients send is an
//! object of its own, in the staging folder, under a name that nothing reads; when all are there, Google puts them together
//! under the object's name, and no byte comes here. Resumable uploads would do with one address, but take their parts in
//! order only, and stay invisible; multipart uploads of the other API need rights of their own.
//!
//! Without a key, Google would have to be asked for each signature, and no emulator answers that.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{
    DirectWrite, ObjectMeta, PartOptions, PluginError, PluginErrorKind, PresignOptions, Result,
    StorageBackend as _, WriteOptions, async_trait, storage::LIST_LIMIT_MAX,
};
use boxvault_storage_opendal::{OpendalBackend, Parts, SignAddresses, in_path};
use chrono::Utc;

use crate::{
    Config,
    account::Account,
    signature::Grant,
    unfinished::{TOKEN_DIGITS, new_token, part_name},
    upload::Bucket,
};

/// Google puts no more objects together at once. Parts are as large as that asks for; one may have 5 TiB.
const PARTS_MAX: u64 = 32;
/// Clients send no smaller parts, since they ask for an address for each.
const PART_BYTES: usize = 64 << 20;

/// The addresses of one store.
#[derive(Debug)]
pub(crate) struct Direct {
    account: Arc<Account>,
    bucket: Arc<Bucket>,
    /// All files, the staged ones too.
    files: OpendalBackend,
    endpoint: String,
    parts: Parts,
}

impl Direct {
    pub(crate) fn new(
        config: &Config,
        account: Arc<Account>,
        bucket: Arc<Bucket>,
        files: OpendalBackend,
    ) -> Self {
        let parts = Parts { bytes: PART_BYTES, count_max: PARTS_MAX, concurrent: 1 };
        Self { account, bucket, files, endpoint: config.public_endpoint().to_owned(), parts }
    }

    fn address(
        &self,
        method: &str,
        name: &str,
        query: &[(&str, &str)],
        expires_in: Duration,
    ) -> Result<String> {
        let path = format!("/{}/{}", self.bucket.name(), in_path(&self.bucket.object(name)));
        let grant = Grant { method, endpoint: &self.endpoint, path: &path, query, expires_in };
        grant.signed_by(&self.account, Utc::now())
    }

    /// The parts that came, in their order.
    async fn arrived(&self, key: &str, token: &str) -> Result<Vec<String>> {
        let prefix = part_name(key, token, "");
        let found = self.files.list(&prefix, None, LIST_LIMIT_MAX).await?;
        Ok(found.into_iter().map(|file| file.key).collect())
    }
}

#[async_trait]
impl SignAddresses for Direct {
    async fn read(&self, key: &str, options: &PresignOptions) -> Result<String> {
        let mut query = Vec::new();
        if let Some(disposition) = &options.content_disposition {
            query.push(("response-content-disposition", disposition.as_str()));
        }
        if let Some(kind) = &options.content_type {
            query.push(("response-content-type", kind.as_str()));
        }
        self.address("GET", key, &query, options.expires_in)
    }

    /// There is nothing to tell Google.
    async fn begin(&self, _key: &str, options: &WriteOptions) -> Result<DirectWrite> {
        let part_bytes = self.parts.bytes(options.size_hint) as u64;
        Ok(DirectWrite { token: new_token(), part_bytes })
    }

    async fn part(&self, key: &str, token: &str, options: &PartOptions) -> Result<String> {
        if !(1..=self.parts.count_max).contains(&u64::from(options.number)) {
            let message = format!("Google puts {PARTS_MAX} parts together and no more");
            return Err(PluginError::invalid_input(message));
        }
        if token.len() != TOKEN_DIGITS || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(PluginError::invalid_input("this is no token of an upload"));
        }
        let name = part_name(key, token, &format!("{:06}", options.number));
        self.address("PUT", &name, &[], options.expires_in)
    }

    async fn finish(&self, objects: &OpendalBackend, key: &str, token: &str) -> Result<ObjectMeta> {
        match objects.stat(key).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => {}
            // finished before: what came since then is nothing of it
            found => return found,
        }
        let parts = self.arrived(key, token).await?;
        if parts.is_empty() {
            return Err(PluginError::not_found("no part of the object came"));
        }
        match self.bucket.compose(key, &parts).await {
            // somebody else finished it meanwhile
            Err(error) if error.kind == PluginErrorKind::AlreadyExists => {}
            made => made?,
        }
        for part in &parts {
            self.files.delete(part).await?;
        }
        objects.stat(key).await
    }
}
