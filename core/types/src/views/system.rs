//! Health, version, configuration, and what runs in the background.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plugins::PluginState;

/// Whether the server can work. Holds no secrets and no addresses.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ReadyView {
    /// Whether every part is well.
    pub ready: bool,
    /// Each part: `catalog`, `policy`, `store:<name>`, `auth:<name>`.
    pub parts: BTreeMap<String, PartView>,
}

/// Whether one part can work.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct PartView {
    /// Whether it is well.
    pub ok: bool,
    /// What is wrong, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// How its plugin is, where a plugin serves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginState>,
}

/// What is running.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfoView {
    /// `BoxVault`.
    #[schema(example = "BoxVault")]
    pub name: String,
    /// The version of the program.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// Whether the first platform admin is still to be made.
    pub needs_setup: bool,
}

/// Something that this server does in the background, and how it went.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobView {
    /// Which one.
    #[schema(example = "sweep")]
    pub name: String,
    /// Whether it runs at all; the configuration may switch it off.
    pub enabled: bool,
    /// How often it is started.
    #[schema(example = 3600.0)]
    pub every_seconds: Option<f64>,
    /// Whether it is at work now.
    pub running: bool,
    /// When it was last started.
    pub started_at: Option<DateTime<Utc>>,
    /// When it last ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// When it is started next, at the latest.
    pub next_at: Option<DateTime<Utc>>,
    /// How often it ended since this server was started.
    pub runs: u64,
    /// How often it failed since then.
    pub failures: u64,
    /// When it last failed.
    pub failed_at: Option<DateTime<Utc>>,
    /// What went wrong then; the log has more.
    pub problem: Option<String>,
    /// What waits for it, where it works off something.
    pub waiting: Option<u64>,
    /// What it has given up, where somebody has to look.
    pub given_up: Option<u64>,
}

/// A key of the configuration, as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingView {
    /// With its section.
    #[schema(example = "limits.upload_bytes_max")]
    pub key: String,
    /// As it would stand in `config.toml`; absent if it is not set. Secrets are hidden.
    #[schema(example = "\"200 GiB\"")]
    pub value: Option<String>,
    /// Where it came from: `default`, `derived`, a file and line, a variable or an argument.
    #[schema(example = "config.toml:12")]
    pub origin: String,
    /// Whether somebody set it.
    pub changed: bool,
}
