//! Organizations that mirror another registry, and the boxes that they have of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How an organization mirrors another registry.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MirrorView {
    /// The upstream; null where the organization is no mirror.
    #[schema(example = "https://boxes.example.com/acme")]
    pub url: Option<String>,
    /// Whether there is a token for it.
    pub has_token: bool,
    /// Whether everybody may read the boxes.
    pub is_public: bool,
    /// The license of the boxes of which the upstream says none.
    #[schema(example = "MIT")]
    pub license: Option<String>,
    /// How often all boxes are brought over, in seconds; 0 is only what is asked for.
    #[schema(example = 86_400)]
    pub sync_seconds: u64,
    /// When all boxes were last brought over, or that was last tried.
    pub synced_at: Option<DateTime<Utc>>,
    /// What was wrong then.
    pub problem: Option<String>,
    /// When it was last set.
    pub updated_at: Option<DateTime<Utc>>,
}

/// Where a mirrored box comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BoxOriginView {
    /// Its catalogue at the upstream.
    #[schema(example = "https://boxes.example.com/api/v2/vagrant/acme/debian12")]
    pub url: String,
    /// Its license, as the upstream says it, or as the mirror was told; null where nobody said.
    #[schema(example = "MIT")]
    pub license: Option<String>,
    /// When the upstream last said that this is how it is.
    pub checked_at: DateTime<Utc>,
}
