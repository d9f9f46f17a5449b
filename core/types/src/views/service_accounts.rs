//! Service accounts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::identity::Role;
use crate::ids::ServiceAccountId;
use crate::scope::TokenScope;

/// A service account. Its secret shows once, when it is made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountView {
    /// Never changes.
    pub id: ServiceAccountId,
    /// Its name in the organization.
    #[schema(example = "ci")]
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its role, as long as its sponsor has no lower one.
    pub role: Role,
    /// What it is limited to beside that.
    pub scope: TokenScope,
    /// Who made it or last gave it a secret. It may do nothing that they may not do now; without one, nothing at all.
    #[schema(example = "alice")]
    pub sponsor: Option<String>,
    /// Whether its secret is refused.
    pub suspended: bool,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last changed.
    pub updated_at: DateTime<Utc>,
    /// When its secret ends.
    pub expires_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A service account with a new secret.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewServiceAccountView {
    /// The account.
    #[serde(flatten)]
    pub info: ServiceAccountView,
    /// The secret: send it as an API token. It cannot be shown again.
    #[schema(example = "bvc_…")]
    pub token: String,
}
