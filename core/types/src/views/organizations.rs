//! Organizations and their members.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Role;
use crate::ids::{OrganizationId, UserId};
use crate::params::organizations::AccessMode;

/// An organization.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationView {
    /// Never changes.
    pub id: OrganizationId,
    /// The first half of `organization/box`.
    #[schema(example = "acme")]
    pub name: String,
    /// What it is.
    pub description: String,
    /// Where to reach it.
    pub email: Option<String>,
    /// Who may see it and ask to join.
    pub access_mode: AccessMode,
    /// The caller's role, if there is one.
    pub role: Option<Role>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// Somebody's place in an organization.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// Who.
    pub user_id: UserId,
    /// The name to sign in with.
    #[schema(example = "alice")]
    pub username: String,
    /// The name to show.
    pub name: Option<String>,
    /// The role.
    pub role: Role,
    /// Since when.
    pub joined_at: DateTime<Utc>,
}
