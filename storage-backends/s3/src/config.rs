//! The keys of the s3 backend.

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

/// S3 takes no smaller parts, but for the last one.
const PART_BYTES_MIN: usize = 5 << 20;
const PART_BYTES_MAX: usize = 1 << 30;
/// S3 takes no more parts for one object.
const PARTS_MAX: u64 = 10_000;

/// The s3 backend's table in the configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde", deny_unknown_fields)]
pub struct Config {
    /// The bucket. It must exist.
    pub bucket: String,
    /// The region that requests are signed for.
    #[serde(default = "region")]
    pub region: String,
    /// Where the store is, such as `https://s3.example.com`. Not set: AWS.
    pub endpoint: Option<String>,
    /// Where clients reach the store, when they do so by another name than this server, such as
    /// `https://files.example.com`: addresses that are signed for them begin with it. Not set: as this server does.
    pub public_endpoint: Option<String>,
    /// What the keys of all objects begin with, such as `boxvault`; not set: nothing. Two servers that do not share a
    /// catalog need different ones in the same bucket.
    #[serde(default)]
    pub prefix: String,
    /// The access key. Not set: what AWS's own tools would use (environment, profile, role of the machine).
    pub access_key_id: Option<Secret>,
    /// Its secret.
    pub secret_access_key: Option<Secret>,
    /// The session token that belongs to temporary keys.
    pub session_token: Option<Secret>,
    /// Whether the bucket is named in the path of the URL and not in its host. Not set: in the path, except at AWS.
    pub path_style: Option<bool>,
    /// Certificates, PEM, that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// How the store shall encrypt what it keeps. Not set: as the bucket says.
    pub server_side_encryption: Option<Encryption>,
    /// The key for `aws:kms`. Not set: the account's own.
    pub kms_key_id: Option<String>,
    /// The storage class of new objects. Not set: the store's default.
    pub storage_class: Option<String>,
    /// The size of a part of an upload, in bytes: 5 MiB to 1 GiB. Long objects get larger parts, since there may be
    /// 10000 of them.
    #[serde(default = "part_bytes")]
    #[schemars(range(min = 5_242_880, max = 1_073_741_824))]
    pub part_bytes: usize,
    /// How many parts of one upload are sent at once: 1 to 16. As many are in memory, and two more.
    #[serde(default = "parts_concurrent")]
    #[schemars(range(min = 1, max = 16))]
    pub parts_concurrent: usize,
    /// How often a request is sent again that failed for a reason that may pass, with growing pauses: up to 10.
    #[serde(default = "keys::retries")]
    #[schemars(range(min = 0, max = 10))]
    pub retries: usize,
    /// How long one request that moves no file may take, in seconds: 1 to 30.
    #[serde(default = "keys::request_timeout_s")]
    #[schemars(range(min = 1, max = 30))]
    pub request_timeout_s: u64,
    /// How long one part may take on its way, and the store be silent while it sends, in seconds: 5 to 600.
    #[serde(default = "keys::transfer_timeout_s")]
    #[schemars(range(min = 5, max = 600))]
    pub transfer_timeout_s: u64,
}

/// Encryption by the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "boxvault_plugin_sdk::serde")]
pub enum Encryption {
    /// With keys of the store.
    #[serde(rename = "AES256")]
    Aes256,
    /// With a key of the key management service.
    #[serde(rename = "aws:kms")]
    AwsKms,
}

fn region() -> String {
    "us-east-1".to_owned()
}

/// With two parts on their way, 64 uploads at once then hold 2 GiB at most.
const fn part_bytes() -> usize {
    8 << 20
}

const fn parts_concurrent() -> usize {
    2
}

impl Config {
    /// Checks what the types do not.
    pub(crate) fn check(&self) -> Result<()> {
        check_name("bucket", &self.bucket)?;
        if self.bucket.ends_with("--x-s3") {
            return bad("bucket", "directory buckets are not supported: they list without order");
        }
        check_endpoint("endpoint", self.endpoint.as_deref())?;
        check_endpoint("public_endpoint", self.public_endpoint.as_deref())?;
        check_folder("prefix", &self.prefix)?;
        if self.access_key_id.is_some() != self.secret_access_key.is_some() {
            return bad("access_key_id", "set it together with secret_access_key, or neither");
        }
        if self.session_token.is_some() && self.access_key_id.is_none() {
            return bad("session_token", "it belongs to an access_key_id, which is not set");
        }
        if self.kms_key_id.is_some() && self.server_side_encryption != Some(Encryption::AwsKms) {
            return bad("kms_key_id", "it needs server_side_encryption = \"aws:kms\"");
        }
        between("part_bytes", self.part_bytes, PART_BYTES_MIN..=PART_BYTES_MAX)?;
        between("parts_concurrent", self.parts_concurrent, 1..=16)?;
        self.patience().check()
    }

    /// Where the store is, without a slash at the end.
    pub(crate) fn endpoint(&self) -> String {
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://s3.{}.amazonaws.com", self.region),
        }
    }

    /// Where it is for clients, without a slash at the end.
    pub(crate) fn public_endpoint(&self) -> String {
        match &self.public_endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => self.endpoint(),
        }
    }

    /// Whether the bucket is named in the host.
    pub(crate) fn virtual_host_style(&self) -> bool {
        !self.path_style.unwrap_or(self.endpoint.is_some())
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts { bytes: self.part_bytes, count_max: PARTS_MAX, concurrent: self.parts_concurrent }
    }

    pub(crate) fn patience(&self) -> Patience {
        Patience::of_keys(self.retries, self.request_timeout_s, self.transfer_timeout_s)
    }
}
