//! Invitations into organizations.

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

/// The token of an invitation.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvitationTokenParams {
    /// What stands behind `#token=` in the link.
    pub token: Secret,
}
