//! Plugins in use: what each is, what it can do, and how it is.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether a plugin can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PluginState {
    /// It can.
    Running,
    /// Its process has ended, and is being started again.
    Restarting,
    /// It could not be opened when the server started; that is tried again.
    Failed,
}

/// One entry of the configuration that uses a plugin. What is null is not known while it could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginView {
    /// The entry's key: `stores.<name>` or `auth.providers.<name>`.
    #[schema(example = "stores.main")]
    pub entry: String,
    /// `storage` or `auth`.
    #[schema(example = "storage")]
    pub kind: String,
    /// The plugin's name, as it says itself; as configured while it could not be opened.
    #[schema(example = "s3")]
    pub name: String,
    /// Its library on the server.
    #[schema(value_type = Option<String>, example = "/usr/lib/boxvault/plugins/libboxvault_storage_s3.so")]
    pub file: Option<PathBuf>,
    /// Its own version.
    #[schema(example = "0.1.0")]
    pub version: Option<String>,
    /// Its license, as an SPDX expression.
    #[schema(example = "Apache-2.0 OR MIT")]
    pub license: Option<String>,
    /// The version of the contract that it was built for.
    #[schema(example = "1.1")]
    pub contract: Option<String>,
    /// `none` (in the server's process) or `process` (in one of its own).
    #[schema(example = "none")]
    pub isolation: String,
    /// Whether the server does not start without it.
    pub required: bool,
    /// Whether it can be asked.
    pub state: PluginState,
    /// What it can do.
    pub capabilities: CapabilitiesView,
    /// What `boxvault plugin check --keep` found of this very library, on this server; null where none was kept, or
    /// where the library was replaced since.
    pub conformance: Option<ConformanceView>,
    /// The last failure that says something of the plugin itself.
    pub last_error: Option<PluginErrorView>,
    /// How often its process was started again; 0 without one of its own.
    pub restarts: u64,
    /// What it did since the server's start. Entries that share a library in the server's process share these.
    pub counters: PluginCountersView,
}

/// What a plugin can do. An auth plugin's ways to sign in are not tried out: what it declares is what works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilitiesView {
    /// What it declares.
    #[schema(example = json!(["range-read", "list"]))]
    pub declared: Vec<String>,
    /// What of that was found to be true.
    #[schema(example = json!(["range-read", "list"]))]
    pub working: Vec<String>,
    /// What was found not to be true, and was switched off.
    pub switched_off: Vec<SwitchedOffView>,
}

/// A capability that a plugin declares and does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SwitchedOffView {
    /// The capability.
    #[schema(example = "create-new")]
    pub capability: String,
    /// What was found.
    #[schema(example = "a taken key was written again")]
    pub reason: String,
}

/// Which of its promises a plugin keeps: a report of the conformance kit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConformanceView {
    /// When it was found.
    pub checked_at: DateTime<Utc>,
    /// The plugin's own version then.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Where it ran: `none`, `process`, or `both`.
    #[schema(example = "both")]
    pub isolation: String,
    /// Whether every promise holds, and everything that it declares is true.
    pub passed: bool,
    /// The suites, in the order in which they ran.
    pub suites: Vec<SuiteView>,
}

/// What one suite of the conformance kit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SuiteView {
    /// `abi`, `storage`, `auth`, `faults` or `network`; with `-isolated` where it ran again in a process of its own.
    #[schema(example = "storage")]
    pub suite: String,
    /// Its cases, in the order in which they ran.
    pub cases: Vec<CaseView>,
}

/// One promise, and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaseView {
    /// The promise, as a sentence with underscores.
    #[schema(example = "an_aborted_write_leaves_nothing")]
    pub name: String,
    /// How it ended.
    pub outcome: CaseOutcome,
    /// What was found instead, what it would have to declare, or why it cannot be tried; null where it passed.
    pub reason: Option<String>,
}

/// How one case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CaseOutcome {
    /// The promise holds.
    Passed,
    /// It does not.
    Failed,
    /// The plugin does not claim to do this.
    NotClaimed,
    /// It cannot be tried on this plugin.
    Skipped,
}

/// A failure of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginErrorView {
    /// What failed on what.
    #[schema(example = "unavailable: storage plugin \"s3\" could not reach its store")]
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What a plugin did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PluginCountersView {
    /// Calls that were started.
    pub calls: u64,
    /// Calls that ended with an error of any kind.
    pub errors: u64,
    /// Calls that ended with a caught panic.
    pub panics: u64,
    /// Calls that did not end in time.
    pub deadlines_exceeded: u64,
    /// Times that it broke the contract.
    pub violations: u64,
    /// Calls that are open now.
    pub in_flight: u64,
    /// Calls that are open now, beyond their deadline.
    pub hung: u64,
}
