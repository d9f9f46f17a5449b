//! The keys of the gcs backend.

use std::path::PathBuf;

use boxvault_plugin_sdk::{
    Result, Secret,
    schemars::{self, JsonSchema},
    serde::Deserialize,
};
use boxvault_storage_opendal::{
    Patience,
    keys::{self, bad, between, check_endpoint, check_folder, check_name},
};

/// Chunks are whole multiples of this.
const CHUNK_STEP: usize = 256 << 10;
const CHUNK_BYTES_MIN: usize = 1 << 20;
const CHUNK_BYTES_MAX: usize = 1 << 30;

/// The gcs backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The bucket. It must exist.
    pub bucket: String,
    /// The key of a service account, or the configuration of a workload identity: the JSON that Google gives. Not set:
    /// what Google's own tools would use (`GOOGLE_APPLICATION_CREDENTIALS`, service account of the machine).
    pub credential: Option<Secret>,
    /// Where the store is, such as an endpoint for private access. Not set: `https://storage.googleapis.com`.
    pub endpoint: Option<String>,
    /// Where clients reach the store, when they do so by another name than this server, such as
    /// `https://files.example.com`: addresses that are signed for them begin with it. Not set: as this server does.
    pub public_endpoint: Option<String>,
    /// What the names of all objects begin with, such as `boxvault`; not set: nothing. Two servers that do not share a
    /// catalog need different ones in the same bucket.
    #[serde(default)]
    pub prefix: String,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// The storage class of new objects, such as `NEARLINE`. Not set: the bucket's.
    pub storage_class: Option<String>,
    /// The key that Google's key management encrypts with,
    /// `projects/…/locations/…/keyRings/…/cryptoKeys/…`. Not set: the bucket's, or Google's own.
    pub kms_key_name: Option<String>,
    /// The size of a chunk of an upload, in bytes: 1 MiB to 1 GiB, a multiple of 256 KiB. One is on its way while the next
    /// one comes in, and both are in memory.
    #[serde(default = "chunk_bytes")]
    #[schemars(range(min = 1_048_576, max = 1_073_741_824))]
    pub chunk_bytes: usize,
    /// How often a request is sent again that failed for a reason that may pass, with growing pauses: up to 10.
    #[serde(default = "keys::retries")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: usize,
    /// How long one request that moves no file may take, in seconds: 1 to 30.
    #[serde(default = "keys::request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
    /// How long one chunk may take on its way, and the store be silent while it sends, in seconds: 5 to 600.
    #[serde(default = "keys::transfer_timeout_s")]
    #[schemars(range(min = 5, max = 600))]
    pub transfer_timeout_s: u64,
}

/// The store answers each chunk before the next one is sent: larger ones wait less. 64 uploads at once hold 2 GiB at most.
const fn chunk_bytes() -> usize {
    16 << 20
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        check_name("bucket", &self.bucket)?;
        check_endpoint("endpoint", self.endpoint.as_deref())?;
        check_endpoint("public_endpoint", self.public_endpoint.as_deref())?;
        check_folder("prefix", &self.prefix)?;
        if let Some(credential) = &self.credential
            && !credential.expose().trim_start().starts_with('{')
        {
            return bad(
                "credential",
                "it is not the JSON that Google gives for a key or an identity",
            );
        }
        if let Some(class) = &self.storage_class
            && (class.is_empty() || !class.bytes().all(|c| c.is_ascii_uppercase() || c == b'_'))
        {
            return bad("storage_class", "it is a name of Google's, such as NEARLINE");
        }
        if self.kms_key_name.as_ref().is_some_and(|name| !name.starts_with("projects/")) {
            return bad("kms_key_name", "it is a whole name, which begins with projects/");
        }
        if !self.chunk_bytes.is_multiple_of(CHUNK_STEP) {
            return bad("chunk_bytes", "it is not a multiple of 262144");
        }
        between("chunk_bytes", self.chunk_bytes, CHUNK_BYTES_MIN..=CHUNK_BYTES_MAX)?;
        self.patience().check()
    }

    /// Where the store is, without a slash at the end.
    pub(crate) fn endpoint(&self) -> &str {
        self.endpoint.as_deref().unwrap_or("https://storage.googleapis.com").trim_end_matches('/')
    }

    /// Where it is for clients, without a slash at the end.
    pub(crate) fn public_endpoint(&self) -> &str {
        self.public_endpoint.as_deref().unwrap_or(self.endpoint()).trim_end_matches('/')
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of_keys(self.retries, self.request_timeout_s, self.transfer_timeout_s)
    }
}
