//! Changes of the policy.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::views::policies::PolicyFileView;

/// Files to look at, as if they were to come into force.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckPolicyParams {
    /// All files. Without `model.conf` it is the one that comes with BoxVault, which is the only one that is taken.
    pub files: Vec<PolicyFileView>,
}

/// The whole policy. A file that is left out is taken out of force.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutPolicyParams {
    /// All files. Without `model.conf` it is the one that comes with BoxVault, which is the only one that is taken.
    pub files: Vec<PolicyFileView>,
    /// Why, for the history.
    #[schema(min_length = 1, max_length = 500, example = "let the release managers release")]
    pub message: String,
}

/// Rules of an organization's own to look at, as if they were to come into force.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CheckOrganizationPolicyParams {
    /// All of them, as a policy file writes rules.
    #[schema(example = "p, role:member, acme, box/golden/**, delete, deny\n")]
    pub text: String,
}

/// All rules of an organization's own.
#[derive(Debug, Clone, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PutOrganizationPolicyParams {
    /// All of them, as a policy file writes rules; an empty text is none.
    #[schema(example = "p, role:member, acme, box/golden/**, delete, deny\n")]
    pub text: String,
    /// Why, for the history.
    #[schema(min_length = 1, max_length = 500, example = "nobody deletes golden images")]
    pub message: String,
}

/// Why a version is brought back.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RollBackPolicyParams {
    /// Why, for the history.
    #[schema(min_length = 1, max_length = 500, example = "the new rules locked the builders out")]
    pub message: String,
}

/// A question to the policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PolicyQuestion {
    /// Who: `role:member`, `user:local:bob`, `group:ldap:builders`, `service:acme/ci`, `anonymous`. Several of one caller
    /// are separated by commas. Whoever is not anonymous is signed in.
    #[param(example = "role:member", max_length = 4096)]
    pub subject: String,
    /// What they want to do.
    #[param(example = "delete", max_length = 64)]
    pub action: String,
    /// What it is about, as rules write it.
    #[param(example = "box/debian12", max_length = 1024)]
    pub object: String,
    /// The organization that it is in; without one it is about the whole server.
    #[param(example = "acme", max_length = 128)]
    pub organization: Option<String>,
}
