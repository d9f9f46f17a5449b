//! Quotas, the stores of organizations, and moves from store to store.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::names::{BoxName, OrganizationName};

/// How much an organization may have. The whole of it: what is left out returns to the default of the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetQuotaParams {
    /// Bytes of all files together, each file counted. 0: no limit. Null: the server's default.
    #[schema(example = 107_374_182_400_u64)]
    pub bytes: Option<u64>,
    /// Bytes of one file. 0: no limit. Null: the server's default.
    #[schema(example = 10_737_418_240_u64)]
    pub file_bytes: Option<u64>,
}

/// Which store takes the new files of an organization.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SetPlacementParams {
    /// The store's name in the configuration. Null: the rules of the configuration decide.
    #[schema(example = "archive")]
    pub store: Option<String>,
}

/// Which files shall lie in another store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartMoveParams {
    /// The store that they lie in.
    #[schema(example = "main")]
    pub from: String,
    /// The store that they shall lie in.
    #[schema(example = "archive")]
    pub to: String,
    /// Only those of this organization.
    #[schema(example = "acme")]
    pub organization: Option<OrganizationName>,
    /// Only those of this box of the organization.
    #[serde(rename = "box")]
    #[schema(example = "debian12")]
    pub box_name: Option<BoxName>,
    /// Only those of more bytes.
    #[schema(example = 10_737_418_240_u64)]
    pub larger_than: Option<u64>,
    /// At most so many bytes a second, all together.
    #[schema(example = 104_857_600_u64)]
    pub bytes_per_second: Option<u64>,
    /// How many at once, up to 64. 4 unless something else is asked for.
    #[schema(example = 4)]
    pub concurrency: Option<u32>,
}
