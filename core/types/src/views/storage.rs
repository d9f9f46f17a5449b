//! What files take, what they may take, and what stores hold. All sizes are bytes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a set of files takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageSumView {
    /// How many files.
    #[schema(example = 4)]
    pub files: u64,
    /// Their bytes, each file counted. This is what a quota limits.
    #[schema(example = 2_936_012_800_u64)]
    pub bytes: u64,
    /// How many files lie in stores for them: equal ones once.
    #[schema(example = 3)]
    pub stored_files: u64,
    /// The bytes of those.
    #[schema(example = 2_202_009_600_u64)]
    pub stored_bytes: u64,
}

/// What an organization takes, and what it may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Its name.
    #[schema(example = "acme")]
    pub organization: String,
    /// All together.
    #[serde(flatten)]
    pub total: UsageSumView,
    /// What it may take.
    pub quota: QuotaView,
    /// Which store holds what of it.
    pub stores: Vec<StoreUsageView>,
}

/// How much an organization may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuotaView {
    /// Bytes of all files together; null is no limit.
    #[schema(example = 107_374_182_400_u64)]
    pub bytes: Option<u64>,
    /// Bytes of one file; null is no limit but the server's for every upload.
    #[schema(example = 10_737_418_240_u64)]
    pub file_bytes: Option<u64>,
    /// Whether `bytes` is the server's default.
    pub bytes_is_default: bool,
    /// Whether `fileBytes` is the server's default.
    pub file_bytes_is_default: bool,
    /// When it was last set; null where both are the server's defaults and always were.
    pub updated_at: Option<DateTime<Utc>>,
}

/// What of an organization lies in one store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreUsageView {
    /// The store's name in the configuration.
    #[schema(example = "main")]
    pub store: String,
    /// What lies there.
    #[serde(flatten)]
    pub total: UsageSumView,
}

/// What a box takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxUsageView {
    /// Its name.
    #[serde(rename = "box")]
    #[schema(example = "debian12")]
    pub box_name: String,
    /// What it takes.
    #[serde(flatten)]
    pub total: UsageSumView,
}

/// A store, and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreView {
    /// Its name in the configuration.
    #[schema(example = "main")]
    pub name: String,
    /// The plugin that serves it; null where the configuration has no such store any more.
    #[schema(example = "fs")]
    pub plugin: Option<String>,
    /// Whether new files go there.
    pub is_default: bool,
    /// How many files lie there, equal ones once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many of them nothing refers to any more; the next sweeps remove them.
    pub unreferenced_files: u64,
    /// The bytes of those.
    pub unreferenced_bytes: u64,
}

/// A file whose stored bytes are damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DamagedFileView {
    /// Whose it is.
    #[schema(example = "acme")]
    pub organization: String,
    /// The box.
    #[serde(rename = "box")]
    #[schema(example = "debian12")]
    pub box_name: String,
    /// The version.
    #[schema(example = "1.0.0")]
    pub version: String,
    /// The provider.
    #[schema(example = "virtualbox")]
    pub provider: String,
    /// The architecture.
    #[schema(example = "amd64")]
    pub architecture: String,
    /// The store.
    #[schema(example = "main")]
    pub store: String,
    /// The key in the store.
    pub key: String,
    /// Bytes that it should have.
    pub file_size: u64,
    /// What they should hash to: SHA-256 in lower-case hexadecimal.
    pub checksum: String,
    /// When it was found.
    pub checked_at: Option<DateTime<Utc>>,
    /// What is wrong.
    #[schema(example = "it is missing")]
    pub problem: Option<String>,
}
