//! Files.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::ChecksumType;
use crate::ids::UploadId;

/// The file of an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    /// The name to save it as.
    #[schema(example = "vagrant.box")]
    pub file_name: String,
    /// Bytes.
    #[schema(example = 734_003_200)]
    pub file_size: u64,
    /// Lower-case hexadecimal, computed by the server while the file streamed in.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub checksum: String,
    /// Always `sha256`.
    pub checksum_type: ChecksumType,
    /// Absolute.
    pub download_url: String,
    /// How often it was fetched.
    pub download_count: u64,
    /// When it was uploaded.
    pub uploaded_at: DateTime<Utc>,
    /// What its archive says of itself, in the file's info and in a version's files; absent elsewhere, and of files that
    /// came before this was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveView>,
    /// What was found when its bytes were read again, in the file's info; absent if nobody ever did, and in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationView>,
}

/// What the archive of a box says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ArchiveView {
    /// How it is compressed: `gzip`, `xz`, `zstd` or `none`.
    #[schema(example = "gzip")]
    pub compression: String,
    /// Its `metadata.json` as its publisher wrote it; empty where that is larger than 16 KiB.
    #[schema(value_type = Object, example = json!({ "provider": "libvirt", "format": "qcow2", "virtual_size": 40 }))]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// What is known of stored bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationView {
    /// Where it stands.
    pub state: VerificationState,
    /// Bytes read so far, while it runs.
    pub done_bytes: u64,
    /// Bytes that the file has.
    pub total_bytes: u64,
    /// When the bytes were last read to their end.
    pub checked_at: Option<DateTime<Utc>>,
    /// Whether they were found to be damaged then.
    pub damaged: bool,
    /// What was wrong.
    pub problem: Option<String>,
}

/// Where a verification stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerificationState {
    /// Asked for; a server will take it.
    Waiting,
    /// Being read.
    Running,
    /// The bytes are those that came.
    Ok,
    /// They are not.
    Damaged,
}

/// A finished upload.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UploadView {
    /// What is there now.
    #[serde(flatten)]
    pub file: FileView,
    /// How the archive is compressed: `gzip`, `xz`, `zstd` or `none`.
    #[schema(example = "gzip")]
    pub compression: String,
    /// Whether another file was there before.
    pub replaced: bool,
}

/// A link that downloads a file without credentials.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DownloadLinkView {
    /// Absolute. Whoever has it can fetch the file: pass it on as carefully as a password.
    pub download_url: String,
    /// When it stops to work, at the latest.
    pub expires_at: DateTime<Utc>,
    /// What the file hashes to, in lower-case hexadecimal.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub checksum: String,
    /// Always `sha256`.
    pub checksum_type: ChecksumType,
    /// Bytes.
    #[schema(example = 734_003_200)]
    pub file_size: u64,
}

/// An upload that can be continued.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResumableUploadView {
    /// The last part of its path.
    pub id: UploadId,
    /// Bytes of the whole file.
    #[schema(example = 734_003_200)]
    pub length: u64,
    /// Bytes that came, and are durable: where to continue.
    #[schema(example = 67_108_864)]
    pub offset: u64,
    /// Whether the file became visible.
    pub done: bool,
    /// Whether somebody writes to it now.
    pub locked: bool,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it is removed if nothing more comes.
    pub expires_at: DateTime<Utc>,
}

/// An upload whose parts go straight to the object store.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectUploadView {
    /// Names it in the paths below. Only whoever began it can use it.
    pub id: String,
    /// Bytes of the whole file.
    #[schema(example = 734_003_200)]
    pub file_size: u64,
    /// Bytes of each part but the last one.
    #[schema(example = 67_108_864)]
    pub part_size: u64,
    /// How many parts there are.
    #[schema(example = 11)]
    pub part_count: u32,
    /// Some of them, from the one on that was asked for; ask for the others with `from`.
    pub parts: Vec<DirectPartView>,
    /// When their addresses stop to work, at the latest; ask for new ones then.
    pub addresses_expire_at: DateTime<Utc>,
}

/// A part of a file, and where it goes.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectPartView {
    /// Counted from 1.
    #[schema(example = 1)]
    pub number: u32,
    /// Where it begins in the file.
    #[schema(example = 0)]
    pub offset: u64,
    /// Its bytes.
    #[schema(example = 67_108_864)]
    pub size: u64,
    /// Takes it by PUT, without credentials and without any header of its own. Whoever has it can send the part.
    pub url: String,
}
