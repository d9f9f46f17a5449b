//! Quotas.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
