//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{AuditId, UserId};

/// One thing that was done, or refused.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    /// Its id.
    pub id: AuditId,
    /// When.
    pub at: DateTime<Utc>,
    /// Who: the name at that time. Nobody, when absent.
    #[schema(example = "alice")]
    pub actor: Option<String>,
    /// Who: the account.
    pub actor_id: Option<UserId>,
    /// What was presented: `none`, `session`, `token`, or `invalid`. `server` and `command` where no request was made:
    /// by the server itself, or at its command line.
    #[schema(example = "token")]
    pub credential: String,
    /// What was to be done.
    #[schema(example = "release")]
    pub action: String,
    /// In which organization: its name at that time, in lower case.
    #[schema(example = "acme")]
    pub organization: Option<String>,
    /// To what.
    #[schema(example = "box/debian12/version/1.0.0")]
    pub object: String,
    /// Whether it was allowed.
    #[schema(example = true)]
    pub allowed: bool,
    /// The status of the answer.
    #[schema(example = 200, minimum = 0)]
    pub status: Option<u16>,
    /// From where.
    #[schema(example = "192.0.2.7")]
    pub address: Option<String>,
    /// Finds the request in the server's log.
    pub request_id: Option<String>,
    /// The policy that decided.
    pub policy_digest: Option<String>,
    /// What else is known, such as the fields that a change named.
    #[schema(value_type = Option<Object>)]
    pub detail: Option<serde_json::Value>,
}
