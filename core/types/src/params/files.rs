//! Files.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::digest::ChecksumType;

/// A file that goes straight to the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BeginDirectUploadParams {
    /// Bytes of the whole file.
    #[schema(example = 734_003_200, minimum = 1)]
    pub file_size: u64,
    /// What it must hash to, in hexadecimal. Absent: what was said of it before, if anything was.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub checksum: Option<String>,
    /// The type of `checksum`; `sha256` when absent.
    pub checksum_type: Option<ChecksumType>,
}
