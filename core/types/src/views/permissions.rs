//! What the caller may do: for pages that offer nothing that would be refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::action::{Action, ResourceKind};

/// What the caller may do with a thing and with what belongs to it. The server decides each request anew: this is what it
/// would say now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PermissionsView {
    /// The allowed actions by the kind of thing; kinds with none are left out. Where things of a kind are told apart by
    /// rules, it is what holds for one that no rule names.
    #[schema(value_type = BTreeMap<String, Vec<Action>>, example = json!({ "box": ["create", "restore"], "member": ["read"] }))]
    pub allowed: BTreeMap<ResourceKind, Vec<Action>>,
    /// The parts of the server that the caller may read, where the server as a whole is asked about: `configuration`,
    /// `jobs`, `plugins`. Left out where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["configuration", "jobs", "plugins"]))]
    pub system: Vec<String>,
}
