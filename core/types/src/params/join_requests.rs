//! Requests to join organizations.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Role;

/// A request to join an organization.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateJoinRequestParams {
    /// What to tell those who decide.
    #[serde(default)]
    #[schema(max_length = 1024, example = "I maintain the Debian images")]
    pub message: String,
}

/// How to take somebody in.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveJoinRequestParams {
    /// The role; `member` when absent. Nobody gives a role above their own. `assignedRole` is taken as well, as the
    /// original calls it.
    #[serde(alias = "assignedRole")]
    pub role: Option<Role>,
}
