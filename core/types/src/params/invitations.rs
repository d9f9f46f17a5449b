//! Invitations and requests to join.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::account::Secret;
use crate::identity::Role;

/// Whom to invite.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateInvitationParams {
    /// The address that the invitation goes to.
    #[schema(example = "carol@example.com", max_length = 254)]
    pub email: String,
    /// The role that it gives; `member` when absent. Nobody gives a role above their own.
    pub role: Option<Role>,
}

/// The token of an invitation, as it stands in its link.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationTokenParams {
    /// The token.
    pub token: Secret,
}

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
    /// The role; `member` when absent. Nobody gives a role above their own.
    pub role: Option<Role>,
}
