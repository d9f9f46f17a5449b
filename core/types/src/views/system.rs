//! Health and version.

use std::collections::BTreeMap;

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
