//! What happened, for who has a page open.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What kind of thing happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventKind {
    /// A box, or something in it, was changed: released, uploaded, verified, …
    Box,
    /// An organization, or something that belongs to it, was changed.
    Organization,
    /// The caller's own account, sessions or tokens were changed.
    Account,
    /// The server as a whole: accounts, stores, the policy.
    System,
    /// What the caller may do has changed.
    Rights,
    /// The credentials are good no more: the stream ends.
    End,
    /// Something may have been missed: read anew what is shown.
    Reset,
}

impl EventKind {
    /// The word in the stream.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Box => "box",
            Self::Organization => "organization",
            Self::Account => "account",
            Self::System => "system",
            Self::Rights => "rights",
            Self::End => "end",
            Self::Reset => "reset",
        }
    }
}

/// Something that happened. Says what to read anew, and nothing that reading would not show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// Where to go on from, as `Last-Event-ID`; the same on every server of one catalog.
    pub id: String,
    /// What kind of thing happened.
    pub kind: EventKind,
    /// What was done, as a policy calls it: `release`, `upload`, `verify`, …
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "release")]
    pub action: Option<String>,
    /// In which organization, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "acme")]
    pub organization: Option<String>,
    /// To what, as a policy calls it, in lower case.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "box/debian12/version/1.0.0")]
    pub object: Option<String>,
}

/// What happened since an event, for clients that ask from time to time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventsView {
    /// The first first.
    pub events: Vec<EventView>,
    /// What to send as `Last-Event-ID` with the next question.
    pub last_event_id: String,
}
