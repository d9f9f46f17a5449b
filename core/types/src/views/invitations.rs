//! Invitations and requests to join.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Role;
use crate::ids::{InvitationId, JoinRequestId};

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

/// An open request to join, as the organization sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequestView {
    /// Its id.
    pub id: JoinRequestId,
    /// Who asks.
    #[schema(example = "carol")]
    pub username: String,
    /// The name to show.
    pub name: Option<String>,
    /// What they say.
    pub message: String,
    /// When they asked.
    pub created_at: DateTime<Utc>,
}

/// A request to join, as whoever made it sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnJoinRequestView {
    /// Its id.
    pub id: JoinRequestId,
    /// The organization.
    #[schema(example = "acme")]
    pub organization: String,
    /// What was said.
    pub message: String,
    /// What became of it.
    pub status: JoinRequestStatus,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was decided or withdrawn.
    pub ended_at: Option<DateTime<Utc>>,
}

/// What became of a request to join.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JoinRequestStatus {
    /// Nobody has decided yet.
    Pending,
    /// They are in.
    Approved,
    /// They are not.
    Denied,
    /// They took it back.
    Withdrawn,
}

impl JoinRequestStatus {
    const ALL: &'static [Self] = &[Self::Pending, Self::Approved, Self::Denied, Self::Withdrawn];

    /// The word in the catalog and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Parses the word in the catalog and the API.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text)
    }
}

impl fmt::Display for JoinRequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
