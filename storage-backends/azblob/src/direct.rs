//! What clients exchange with Azure themselves: addresses with a shared access signature of their own.
//!
//! A signature gives rights to one blob, for a while; which request is made with them it cannot say. Who may send a
//! block may replace the whole blob as well. So clients send to a blob beside the object, and what they sent is copied
//! when it is finished (`blocks.rs`).
//!
//! The account's key signs. A configured signature is not handed out: it has more rights than anybody else may have.
//! An identity would need a key of its own from Azure each time, which no emulator gives.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use boxvault_plugin_sdk::{
    DirectWrite, ObjectMeta, PartOptions, PluginError, PluginErrorKind, PresignOptions, Result,
    Secret, StorageBackend as _, WriteOptions, async_trait,
};
use boxvault_storage_opendal::{OpendalBackend, Parts, SignAddresses, base64_hmac_sha256, query};
use chrono::{DateTime, SecondsFormat, Utc};
use data_encoding::BASE64;

use crate::{
    Config,
    blocks::{Blocks, VERSION},
};

/// Clients send larger blocks than we do, since they ask for an address for each.
const BLOCK_BYTES: usize = 64 << 20;

/// Who signs addresses, and for what.
#[derive(Debug)]
pub(crate) struct Direct {
    blocks: Arc<Blocks>,
    account: String,
    container: String,
    /// The account's, and a secret.
    key: Secret,
    parts: Parts,
}

/// What an address gives the right to.
struct Grant<'a> {
    /// The blob.
    name: String,
    /// `r` to read, `w` to write.
    permissions: &'static str,
    expires_in: Duration,
    content_disposition: &'a str,
    content_type: &'a str,
}

impl Direct {
    /// Nothing where addresses cannot be signed, or would be of no use: a key to encrypt with has to come in headers.
    pub(crate) fn new(config: &Config, blocks: Arc<Blocks>) -> Option<Self> {
        if config.encryption_key.is_some() {
            return None;
        }
        let parts = config.parts();
        Some(Self {
            blocks,
            account: config.account_name.clone(),
            container: config.container.clone(),
            key: config.account_key.clone()?,
            parts: Parts { bytes: parts.bytes.max(BLOCK_BYTES), ..parts },
        })
    }

    /// The query that gives rights. Source: "Create a service SAS", versions from 2020-12-06 on.
    fn signed(&self, grant: &Grant<'_>) -> Result<String> {
        let end = DateTime::<Utc>::from(SystemTime::now() + grant.expires_in);
        let end = end.to_rfc3339_opts(SecondsFormat::Secs, true);
        let resource = format!("/blob/{}/{}/{}", self.account, self.container, grant.name);
        let text = [
            grant.permissions,
            "",
            &end,
            &resource,
            "",
            "",
            "",
            VERSION,
            "b",
            "",
            "",
            "",
            grant.content_disposition,
            "",
            "",
            grant.content_type,
        ]
        .join("\n");
        let key = BASE64.decode(self.key.expose().as_bytes());
        let key = key.map_err(|_| PluginError::invalid_config("account_key: it is not Base64"))?;
        let signature = base64_hmac_sha256(&key, text.as_bytes());
        let pairs = [
            ("sv", VERSION),
            ("sr", "b"),
            ("sp", grant.permissions),
            ("se", &end),
            ("rscd", grant.content_disposition),
            ("rsct", grant.content_type),
            ("sig", &signature),
        ];
        let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        Ok(query(&pairs))
    }
}

#[async_trait]
impl SignAddresses for Direct {
    async fn read(&self, key: &str, options: &PresignOptions) -> Result<String> {
        let grant = Grant {
            name: self.blocks.name(key),
            permissions: "r",
            expires_in: options.expires_in,
            content_disposition: options.content_disposition.as_deref().unwrap_or_default(),
            content_type: options.content_type.as_deref().unwrap_or_default(),
        };
        Ok(format!("{}?{}", self.blocks.public_url(key), self.signed(&grant)?))
    }

    /// There is nothing to tell Azure.
    async fn begin(&self, _key: &str, options: &WriteOptions) -> Result<DirectWrite> {
        let part_bytes = self.parts.bytes(options.size_hint) as u64;
        Ok(DirectWrite { token: "blocks".to_owned(), part_bytes })
    }

    async fn part(&self, key: &str, _token: &str, options: &PartOptions) -> Result<String> {
        if u64::from(options.number) > self.parts.count_max {
            let message = format!("Azure takes {} blocks and no more", self.parts.count_max);
            return Err(PluginError::invalid_input(message));
        }
        let grant = Grant {
            name: self.blocks.sent_name(key),
            permissions: "w",
            expires_in: options.expires_in,
            content_disposition: "",
            content_type: "",
        };
        // all of one length, and in the order of their numbers
        let id = BASE64.encode(format!("{:06}", options.number).as_bytes());
        Ok(format!("{}&{}", self.blocks.sent_url(key, &id), self.signed(&grant)?))
    }

    async fn finish(
        &self,
        objects: &OpendalBackend,
        key: &str,
        _token: &str,
    ) -> Result<ObjectMeta> {
        match objects.stat(key).await {
            Err(error) if error.kind == PluginErrorKind::NotFound => {}
            // finished before: what came since then is nothing of it
            found => return found,
        }
        self.blocks.commit_sent(key).await?;
        objects.stat(key).await
    }
}
