//! Service accounts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::action::Action;
use crate::identity::Role;
use crate::names::{BoxName, ServiceAccountName};
use crate::scope::BoxPattern;

/// A new service account.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateServiceAccountParams {
    /// Its name in the organization; policies know it as `service:<organization>/<name>`.
    pub name: ServiceAccountName,
    /// What it is for.
    #[serde(default)]
    #[schema(max_length = 255, example = "publishes from the build server")]
    pub description: String,
    /// `member` or `admin`; `member` when absent. It never has more than whoever makes it has.
    pub role: Option<Role>,
    /// The actions that it is limited to; all, when absent.
    pub actions: Option<Vec<Action>>,
    /// The one box that it is limited to; short for the pattern `box/<name>/**`.
    #[serde(rename = "box")]
    pub box_name: Option<BoxName>,
    /// The boxes, or parts of boxes, that it is limited to; everything, when absent.
    pub pattern: Option<BoxPattern>,
    /// After how many days its secret ends; 365, when absent.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// What to change of a service account.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateServiceAccountParams {
    /// What it is for.
    #[schema(max_length = 255)]
    pub description: Option<String>,
    /// `member` or `admin`.
    pub role: Option<Role>,
    /// Whether its secret is refused.
    pub suspended: Option<bool>,
}

/// A new secret.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotateSecretParams {
    /// After how many days it ends; 365, when absent.
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}
