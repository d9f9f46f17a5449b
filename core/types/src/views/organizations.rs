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
    /// Whether it serves nothing and takes nothing.
    pub suspended: bool,
    /// Why, for its admins and owners.
    pub suspended_reason: Option<String>,
    /// The registry that it mirrors, so that its boxes change there; null where it mirrors none. Of a mirror that is not
    /// for everybody it is for its members.
    #[schema(example = "https://boxes.example.com/acme")]
    pub mirror_of: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
}

/// An organization that everybody sees, as the discover page shows it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredOrganizationView {
    /// The first half of `organization/box`.
    #[schema(example = "acme")]
    pub name: String,
    /// What it is.
    pub description: String,
    /// Whether one may ask to join.
    pub access_mode: AccessMode,
    /// How many members it has.
    pub member_count: u64,
    /// How many boxes that everybody sees.
    pub public_box_count: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// An organization that was deleted and can be restored.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedOrganizationView {
    /// Never changes.
    pub id: OrganizationId,
    /// The name that it had, which is kept for it.
    #[schema(example = "acme")]
    pub name: String,
    /// When it was deleted.
    pub deleted_at: DateTime<Utc>,
    /// When it goes for good, with all that is in it.
    pub restorable_until: DateTime<Utc>,
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
