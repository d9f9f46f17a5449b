//! The audit log.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which rows of the audit log to show. What is absent does not limit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Who: the name of a user.
    #[param(example = "alice", max_length = 128)]
    pub actor: Option<String>,
    /// What was to be done, such as `delete`.
    #[param(example = "delete", max_length = 64)]
    pub action: Option<String>,
    /// To what, and to everything in it: `box/web` finds `box/web/version/1.0.0` as well.
    #[param(example = "box/debian12", max_length = 1024)]
    pub object: Option<String>,
    /// Whether it was allowed.
    pub allowed: Option<bool>,
    /// From when on.
    #[param(example = "2026-01-01T00:00:00Z")]
    pub since: Option<DateTime<Utc>>,
    /// Until before when.
    #[param(example = "2027-01-01T00:00:00Z")]
    pub until: Option<DateTime<Utc>>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ExportFormat {
    /// One JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values, the names of the columns first.
    Csv,
}

/// The form of an export, as a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ExportQuery {
    /// The form: `ndjson` when absent.
    #[param(inline)]
    pub format: Option<ExportFormat>,
}
