//! The policy in force, its versions, and what is wrong with one that is not.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A policy file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyFileView {
    /// Its name, without a folder.
    #[schema(max_length = 104, example = "site.csv")]
    pub name: String,
    /// Its text.
    #[schema(example = "p, role:release-manager, acme, box/*/version/*, release, allow\n")]
    pub text: String,
}

/// Something that is wrong with a policy file, or that looks like a mistake in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyProblemView {
    /// The file's name.
    #[schema(example = "site.csv")]
    pub file: String,
    /// Counted from 1; 0 when it concerns the whole file, or all of them.
    #[schema(example = 3)]
    pub line: u32,
    /// In characters, counted from 1; 0 when it concerns the whole line.
    #[schema(example = 31)]
    pub column: u32,
    /// What is wrong.
    #[schema(example = "unknown object \"boxs\"")]
    pub message: String,
    /// What to do.
    #[schema(example = "did you mean \"box\"?")]
    pub hint: Option<String>,
}

/// The policy in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// The number of its version.
    #[schema(example = 12)]
    pub version: i64,
    /// SHA-256 over the names and texts of all files, in hexadecimal; the audit log shows it for each decision.
    #[schema(example = "0c5f5b7b6c1d5a3f9a4d8b2e7c60d1f3a5948372615f4e3d2c1b0a9f8e7d6c5b")]
    pub digest: String,
    /// Where it came from: `files`, `api` or `command`.
    #[schema(example = "api")]
    pub origin: String,
    /// Who it is from; null where nobody signed in for it.
    #[schema(example = "alice")]
    pub author: Option<String>,
    /// Why.
    #[schema(example = "let the release managers release")]
    pub message: String,
    /// When it was accepted.
    pub updated_at: DateTime<Utc>,
    /// All files, the model first.
    pub files: Vec<PolicyFileView>,
    /// How many `p` lines there are.
    #[schema(example = 60)]
    pub rules: u64,
    /// How many `g` lines there are.
    #[schema(example = 4)]
    pub bindings: u64,
    /// What looks like a mistake in it, but does no harm.
    pub warnings: Vec<PolicyProblemView>,
    /// Why the files in the folder of the server that answers are not what is in force; empty where they are.
    pub problems: Vec<PolicyProblemView>,
}

/// The rules of an organization's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPolicyView {
    /// The organization.
    #[schema(example = "acme")]
    pub organization: String,
    /// The number of their version; 0 where nobody has written any.
    #[schema(example = 13)]
    pub version: i64,
    /// All of them, about the organization by its present name.
    #[schema(example = "p, role:member, acme, box/golden/**, delete, deny\n")]
    pub text: String,
    /// Whether they are in force. Where they cannot be read, only platform admins get at what the organization has.
    pub in_force: bool,
    /// Who they are from; null where nobody signed in for it, or nobody has written any.
    #[schema(example = "alice")]
    pub author: Option<String>,
    /// Why; empty where nobody has written any.
    #[schema(example = "nobody deletes golden images")]
    pub message: String,
    /// When they were accepted; null where nobody has written any.
    pub updated_at: Option<DateTime<Utc>>,
    /// How many `p` lines there are.
    #[schema(example = 4)]
    pub rules: u64,
    /// How many `g` lines there are.
    #[schema(example = 2)]
    pub bindings: u64,
    /// What looks like a mistake in them, but does no harm.
    pub warnings: Vec<PolicyProblemView>,
    /// Why they cannot be read; empty while they are in force.
    pub problems: Vec<PolicyProblemView>,
}

/// A version of the rules of an organization's own, with its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationPolicyVersionView {
    /// What is known of it.
    #[serde(flatten)]
    pub version: PolicyVersionView,
    /// All rules, about the organization by its present name.
    #[schema(example = "p, role:member, acme, box/golden/**, delete, deny\n")]
    pub text: String,
}

/// A version of the policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVersionView {
    /// Its number. Later versions have higher ones.
    #[schema(example = 12)]
    pub version: i64,
    /// SHA-256 over the names and texts of all files, in hexadecimal.
    #[schema(example = "0c5f5b7b6c1d5a3f9a4d8b2e7c60d1f3a5948372615f4e3d2c1b0a9f8e7d6c5b")]
    pub digest: String,
    /// Where it came from: `files`, `api` or `command`.
    #[schema(example = "api")]
    pub origin: String,
    /// Who it is from; null where nobody signed in for it.
    #[schema(example = "alice")]
    pub author: Option<String>,
    /// Why.
    #[schema(example = "let the release managers release")]
    pub message: String,
    /// The version that it brought back.
    pub restores: Option<i64>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
}

/// A version of the policy with its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyVersionTextView {
    /// What is known of it.
    #[serde(flatten)]
    pub version: PolicyVersionView,
    /// All files, the model first.
    pub files: Vec<PolicyFileView>,
}

/// What would come of files if they were put into force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyCheckView {
    /// Whether they would be taken.
    pub valid: bool,
    /// Everything that is wrong with them.
    pub problems: Vec<PolicyProblemView>,
    /// What looks like a mistake, but does no harm.
    pub warnings: Vec<PolicyProblemView>,
    /// Which decisions they would change: over the access matrix, and over whoever and whatever either side names.
    pub changes: Vec<DecisionChangeView>,
    /// Whether everything was asked that either side names; false where that would have been too much.
    pub changes_complete: bool,
}

/// A decision that another policy would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionChangeView {
    /// Who asks.
    #[schema(example = "role:release-manager")]
    pub who: String,
    /// An organization, `-` for the system, or `*` for one that no rule names.
    #[schema(example = "acme")]
    pub domain: String,
    /// The object; `*` in it is a name that no rule mentions.
    #[schema(example = "box/*/version/*")]
    pub object: String,
    /// What they want to do.
    #[schema(example = "release")]
    pub action: String,
    /// Whether they may now.
    pub before: bool,
    /// Whether they would.
    pub after: bool,
    /// The rule that decides afterwards, or else before; null where none does.
    pub rule: Option<PolicyRuleView>,
}

/// A rule, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyRuleView {
    /// The file's name.
    #[schema(example = "site.csv")]
    pub file: String,
    /// Counted from 1.
    #[schema(example = 3)]
    pub line: u32,
    /// The line itself.
    #[schema(example = "p, role:release-manager, acme, box/*/version/*, release, allow")]
    pub text: String,
}

/// A decision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplanationView {
    /// Whether they may.
    pub allowed: bool,
    /// Why: `allowed`, `denied` or `no_rule`.
    #[schema(example = "no_rule")]
    pub reason: String,
    /// The subjects that the caller is, before `g` lines are followed.
    pub subjects: Vec<String>,
    /// The organization, or `-`.
    #[schema(example = "acme")]
    pub domain: String,
    /// What it is about.
    #[schema(example = "box/debian12")]
    pub object: String,
    /// What they want to do.
    #[schema(example = "delete")]
    pub action: String,
    /// The rule that decided; null when none did.
    pub rule: Option<CauseView>,
    /// Other rules that fit, in the order of reading.
    pub others: Vec<CauseView>,
    /// When no rule fits: those that nearly do, the nearest first.
    pub near: Vec<NearRuleView>,
    /// When no rule fits: lines that would change that, each for itself.
    #[schema(example = json!(["p, role:member, acme, box/debian12, delete, allow"]))]
    pub remedies: Vec<String>,
}

/// A rule that fits, and how the caller comes to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CauseView {
    /// The rule.
    pub rule: PolicyRuleView,
    /// Whether it allows or denies.
    pub allows: bool,
    /// The subject that it is for.
    #[schema(example = "role:member")]
    pub subject: String,
    /// The `g` lines that lead from the caller to that subject; none when the caller is it.
    pub through: Vec<PolicyRuleView>,
}

/// A rule that would allow it if it were another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NearRuleView {
    /// The rule.
    pub rule: PolicyRuleView,
    /// In what it differs from the question.
    pub differs: Vec<String>,
}
