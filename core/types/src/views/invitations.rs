//! Invitations into organizations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Role;
use crate::ids::InvitationId;

/// An open invitation, as the organization sees it. Its token is only in the message that was sent.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct InvitationView {
    /// Its id.
    pub id: InvitationId,
    /// The address that it was sent to.
    #[schema(example = "carol@example.com")]
    pub email: String,
    /// The role that it gives.
    pub role: Role,
    /// Who sent it.
    pub invited_by: Option<String>,
    /// Whether its time is over; it can be sent again.
    pub expired: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last sent.
    pub sent_at: DateTime<Utc>,
    /// When its time is over.
    pub expires_at: DateTime<Utc>,
}

/// An invitation, as whoever holds its token sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenedInvitationView {
    /// Into which organization.
    #[schema(example = "acme")]
    pub organization: String,
    /// The address that it was sent to.
    pub email: String,
    /// The role that it gives.
    pub role: Role,
    /// Who sent it.
    pub invited_by: Option<String>,
    /// When its time is over.
    pub expires_at: DateTime<Utc>,
}

/// A place in an organization that somebody was given.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinedView {
    /// The organization.
    #[schema(example = "acme")]
    pub organization: String,
    /// The role there.
    pub role: Role,
}
