//! What files take, what they may take, and what stores hold. All sizes are bytes.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::StoreMoveId;

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

/// Which store takes the new files of an organization. Those that are there stay where they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlacementView {
    /// The store that a platform admin chose for all of them; null where the rules of the configuration decide.
    #[schema(example = "archive")]
    pub store: Option<String>,
    /// When it was chosen.
    pub chosen_at: Option<DateTime<Utc>>,
    /// What that comes to, by size, smallest first.
    pub takes: Vec<TakingStoreView>,
}

/// A store that takes new files of some sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TakingStoreView {
    /// Files with more bytes than this, up to the next one's; null from the smallest on.
    #[schema(example = 10_737_418_240_u64)]
    pub larger_than: Option<u64>,
    /// The store's name in the configuration.
    #[schema(example = "main")]
    pub store: String,
}

/// How many files, and how much.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AmountView {
    /// How many files.
    #[schema(example = 200)]
    pub files: u64,
    /// Their bytes.
    #[schema(example = 146_800_640_000_u64)]
    pub bytes: u64,
}

/// Where a move stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreMoveState {
    /// No server has taken it yet.
    Waiting,
    /// A server works on it.
    Running,
    /// All that was asked for lies in the other store.
    Done,
    /// It ended with files left that could not be moved.
    Failed,
    /// Somebody ended it.
    Canceled,
}

/// A move of files from store to store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreMoveView {
    /// Its id.
    pub id: StoreMoveId,
    /// The store that the files lie in.
    #[schema(example = "main")]
    pub from: String,
    /// The store that they shall lie in.
    #[schema(example = "archive")]
    pub to: String,
    /// The organization whose files it is about, by the name that it had; null is all.
    #[schema(example = "acme")]
    pub organization: Option<String>,
    /// The box whose files it is about, by the name that it had; null is all.
    #[serde(rename = "box")]
    #[schema(example = "debian12")]
    pub box_name: Option<String>,
    /// Only files of more bytes; null is all.
    #[schema(example = 10_737_418_240_u64)]
    pub larger_than: Option<u64>,
    /// At most so many bytes a second; null is as fast as it goes.
    #[schema(example = 104_857_600_u64)]
    pub bytes_per_second: Option<u64>,
    /// How many files go at once.
    #[schema(example = 4)]
    pub concurrency: u32,
    /// Where it stands.
    pub state: StoreMoveState,
    /// What there was to move when it began.
    pub total: AmountView,
    /// What lies in the other store by now.
    pub moved: AmountView,
    /// Bytes that were copied, those of files in the middle included.
    pub copied_bytes: u64,
    /// Files that could not be copied. They stay where they are.
    #[schema(example = 0)]
    pub failed_files: u64,
    /// Files whose stored bytes are damaged. They stay where they are; the list of damaged files names them.
    #[schema(example = 0)]
    pub damaged_files: u64,
    /// How fast it was, from its begin until now or its end.
    pub speed_bytes_per_second: u64,
    /// How long it will take at that speed; null where it does not run.
    pub seconds_left: Option<u64>,
    /// What went wrong last.
    pub problem: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When a server began it.
    pub started_at: Option<DateTime<Utc>>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
}
