//! Requests to join organizations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{JoinRequestId, UserId};

/// A request that waits for a decision, as the organization sees it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JoinRequestView {
    /// Its id.
    pub id: JoinRequestId,
    /// Who asks.
    pub user_id: UserId,
    /// Their name.
    #[schema(example = "carol")]
    pub username: String,
    /// The name to show.
    pub name: Option<String>,
    /// Their e-mail address, if it is proven to be theirs.
    #[schema(example = "carol@example.com")]
    pub email: Option<String>,
    /// Whether the account is suspended; then it can only be denied.
    pub suspended: bool,
    /// What they say.
    pub message: String,
    /// When they asked.
    pub created_at: DateTime<Utc>,
}

/// A request, as whoever made it sees it.
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
    /// They were taken in.
    Approved,
    /// They were not.
    Denied,
    /// They took it back.
    Withdrawn,
}

impl JoinRequestStatus {
    /// Every status.
    pub const ALL: &'static [Self] =
        &[Self::Pending, Self::Approved, Self::Denied, Self::Withdrawn];

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
