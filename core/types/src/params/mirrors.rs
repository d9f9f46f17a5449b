//! Organizations that mirror another registry.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::Secret;

/// How an organization mirrors another registry. The whole of it: what is left out is as a new mirror has it.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetMirrorParams {
    /// An organization of a registry (another BoxVault, or what speaks the Vagrant Cloud API), or the catalogue of one
    /// box, which ends with `.json`. The server's configuration says which hosts it may name.
    #[schema(max_length = 2048, example = "https://boxes.example.com/acme")]
    pub url: String,
    /// A token for a private upstream. It never shows again. Absent, the one that is there stays as long as the new
    /// address has the same scheme, host and port; an empty text takes it away.
    pub token: Option<Secret>,
    /// Whether everybody may read the boxes.
    #[serde(default)]
    pub is_public: bool,
    /// The license of the boxes of which the upstream says none.
    #[schema(max_length = 255, example = "MIT")]
    pub license: Option<String>,
    /// How often all boxes are brought over, in seconds: from 60 up; 0 is only what is asked for.
    #[serde(default)]
    #[schema(maximum = 31_536_000, example = 86_400)]
    pub sync_seconds: u32,
}
