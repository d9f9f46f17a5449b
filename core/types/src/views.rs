//! Response bodies, one module per noun. JSON names are camelCase, times are RFC 3339 UTC, sizes are bytes.
//!
//! Every answer of the API is an [`Envelope`]; every failure an [`ErrorEnvelope`].

pub mod account;
pub mod audit;
pub mod boxes;
pub mod cloud;
pub mod events;
pub mod files;
pub mod hcp;
pub mod invitations;
pub mod join_requests;
pub mod mirrors;
pub mod organizations;
pub mod permissions;
pub mod plugins;
pub mod policies;
pub mod service_accounts;
pub mod storage;
pub mod system;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::policies::PolicyRuleView;

/// What every successful answer is wrapped in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Envelope<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// What was done, for people.
    pub message: String,
    /// What was asked for.
    pub data: T,
}

/// What every list is wrapped in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ListEnvelope<T> {
    /// Always true.
    #[schema(example = true)]
    pub success: bool,
    /// What was done, for people.
    pub message: String,
    /// The items of this page.
    pub data: Vec<T>,
    /// Where this page lies.
    pub page: PageView,
}

/// An answer that carries nothing but its message. `data` is null.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Nothing;

/// Where a page lies in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageView {
    /// Counted from 1.
    #[schema(example = 1)]
    pub number: u64,
    /// How many items a page has at most.
    #[schema(example = 30)]
    pub size: u64,
    /// How many items the whole list has. Long lists of boxes are not counted to their end: there it is the least that
    /// there are, and more than what this page and those before it have for as long as there is another page.
    #[schema(example = 1)]
    pub total: u64,
}

/// A failure, as stock Vagrant and Packer read it.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct VagrantErrorEnvelope {
    /// Always false.
    #[schema(example = false)]
    pub success: bool,
    /// What went wrong, and what to do.
    #[schema(example = json!(["there is no box \"debian12\" in \"acme\""]))]
    pub errors: Vec<String>,
}

/// What every failure is wrapped in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorEnvelope {
    /// Always false.
    #[schema(example = false)]
    pub success: bool,
    /// What went wrong and what to do, for people.
    #[schema(example = "there is no box \"debian12\" in \"acme\"")]
    pub message: String,
    /// What went wrong, for programs.
    pub error: ErrorView,
}

/// What went wrong, for programs.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ErrorView {
    /// A stable code.
    #[schema(example = "BOX_NOT_FOUND")]
    pub code: String,
    /// The fields that were refused, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Which rule refused it, for callers who may read the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<RefusalView>,
    /// Finds the request in the server's log.
    pub request_id: String,
}

/// Why the policy said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefusalView {
    /// `denied` by a rule; `no_rule` allows it; `token_scope` of the token does not reach so far; `failed` to evaluate.
    #[schema(example = "denied")]
    pub reason: String,
    /// The rule that denies it; null where none speaks of it.
    pub rule: Option<PolicyRuleView>,
}
