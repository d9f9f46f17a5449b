//! The keys of the azblob backend.

use std::path::PathBuf;

use boxvault_plugin_sdk::{
    Result, Secret,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use boxvault_storage_opendal::{
    Parts, Patience,
    keys::{self, bad, between, check_endpoint, check_folder, check_name},
};
use data_encoding::BASE64;

const BLOCK_BYTES_MIN: usize = 1 << 20;
/// Azure takes blocks of up to 4000 MiB; a quarter of that is more than anybody wants in memory.
const BLOCK_BYTES_MAX: usize = 1 << 30;
/// Azure takes no more blocks for one blob.
const BLOCKS_MAX: u64 = 50_000;
/// Keys of AES-256.
const ENCRYPTION_KEY_BYTES: usize = 32;

/// The azblob backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The container. It must exist.
    pub container: String,
    /// The storage account.
    pub account_name: String,
    /// The account's key, Base64. Not set, and no `sas_token` either: what Azure's own tools would use (environment,
    /// workload identity, managed identity of the machine).
    pub account_key: Option<Secret>,
    /// A shared access signature, instead of the key: for the container, with the rights to read, add, create, write,
    /// delete and list.
    pub sas_token: Option<Secret>,
    /// Where the account is, such as `https://boxes.blob.core.chinacloudapi.cn`. Not set: at
    /// `blob.core.windows.net`.
    pub endpoint: Option<String>,
    /// Where clients reach the store, when they do so by another name than this server, such as
    /// `https://files.example.com`: addresses that are signed for them begin with it. Not set: as this server does.
    pub public_endpoint: Option<String>,
    /// What the names of all blobs begin with, such as `boxvault`; not set: nothing. Two servers that do not share a
    /// catalog need different ones in the same container.
    #[serde(default)]
    pub prefix: String,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// A key of your own that Azure encrypts with, 32 bytes as Base64, and does not keep: without it nothing can be
    /// read again. Not set: Azure encrypts with the account's key.
    pub encryption_key: Option<Secret>,
    /// The size of a block of an upload, in bytes: 1 MiB to 1 GiB. Long objects get larger blocks, since there may be
    /// 50000 of them.
    #[serde(default = "block_bytes")]
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub block_bytes: usize,
    /// How many blocks of one upload are sent at once: 1 to 16. As many are in memory, and one more.
    #[serde(default = "blocks_concurrent")]
    #[schemars(range(min = 1, max = 16))]
    pub blocks_concurrent: usize,
    /// How often a request is sent again that failed for a reason that may pass, with growing pauses: up to 10.
    #[serde(default = "keys::retries")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: usize,
    /// How long one request that moves no file may take, in seconds: 1 to 30.
    #[serde(default = "keys::request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
    /// How long one block may take on its way, and the store be silent while it sends, in seconds: 5 to 600.
    #[serde(default = "keys::transfer_timeout_s")]
    #[schemars(range(min = 5, max = 600))]
    pub transfer_timeout_s: u64,
}

/// With two blocks on their way, 64 uploads at once then hold 1.5 GiB at most.
const fn block_bytes() -> usize {
    8 << 20
}

const fn blocks_concurrent() -> usize {
    2
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        check_name("container", &self.container)?;
        if self.account_name.is_empty() {
            return bad("account_name", "it is the name of a storage account");
        }
        check_endpoint("endpoint", self.endpoint.as_deref())?;
        check_endpoint("public_endpoint", self.public_endpoint.as_deref())?;
        check_folder("prefix", &self.prefix)?;
        if let Some(key) = &self.account_key {
            if self.sas_token.is_some() {
                return bad("sas_token", "set it or account_key, not both");
            }
            if BASE64.decode(key.expose().as_bytes()).is_err() {
                return bad("account_key", "it is not Base64; copy it as the portal shows it");
            }
        }
        if self.encryption_key.is_some() && self.encryption_key_bytes().is_none() {
            return bad(
                "encryption_key",
                "it is not 32 bytes as Base64: `openssl rand -base64 32` makes one",
            );
        }
        between("block_bytes", self.block_bytes, BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX)?;
        between("blocks_concurrent", self.blocks_concurrent, 1..=16)?;
        self.patience().check()
    }

    /// Where the account is, without a slash at the end.
    pub(crate) fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://{}.blob.core.windows.net", self.account_name),
        }
    }

    /// Where it is for clients, without a slash at the end.
    pub(crate) fn public_endpoint(&self) -> String {
        match &self.public_endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => self.endpoint(),
        }
    }

    /// The key for encryption, when there is a good one.
    pub(crate) fn encryption_key_bytes(&self) -> Option<Vec<u8>> {
        let key = BASE64.decode(self.encryption_key.as_ref()?.expose().as_bytes()).ok()?;
        (key.len() == ENCRYPTION_KEY_BYTES).then_some(key)
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts { bytes: self.block_bytes, count_max: BLOCKS_MAX, concurrent: self.blocks_concurrent }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of_keys(self.retries, self.request_timeout_s, self.transfer_timeout_s)
    }
}
