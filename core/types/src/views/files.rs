//! Files.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::ChecksumType;

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
