//! `PluginEntry`: the plugin that a store or an auth provider uses, and the plugin's own table.
//!
//! The table is free-form here. The plugin's JSON Schema judges it when the plugin is created, so
//! that a new plugin needs no change in the server.

use std::fmt;

use boxvault_plugin_host::{CallLimits, EntryLimits, Isolation};
use boxvault_types::byte_count::ByteCount;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};

use super::{
    HumanDuration,
    secret::{REDACTED, is_secret_name, redact_url},
};

/// Of an entry that has `calls_open_max`: a burst of as many sign-ins as people have at nine o'clock.
const CALLS_WAITING_MAX: usize = 64;

/// How clients exchange files with a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transfer {
    /// Through this server.
    #[default]
    Proxy,
    /// With the store itself where they can, by presigned addresses; else through this server.
    Auto,
    /// With the store itself, whoever asks.
    Redirect,
}

/// One `[stores.<name>]` or `[auth.providers.<name>]`.
#[derive(Clone, PartialEq, Deserialize)]
pub struct PluginEntry {
    /// The plugin's name, such as `fs`, or the path of its library.
    pub plugin: String,
    /// Where it runs: in the server's process (`none`, the default) or in one of its own (`process`).
    #[serde(default)]
    pub isolation: Isolation,
    /// Whether the server does not start without it. Default true.
    #[serde(default = "yes")]
    pub required: bool,
    /// Of a store: how clients exchange files with it; the plugin does not see it. Default `proxy`.
    #[serde(default)]
    pub transfer: Transfer,
    /// Calls of this entry that may be with its plugin at once, hung ones included. Default: no limit of its own.
    pub calls_open_max: Option<usize>,
    /// Calls of this entry that may wait to begin something while as many are open; more are refused. Default 64.
    pub calls_waiting_max: Option<usize>,
    /// How long this entry's plugin may take for a small question, for signing somebody in, or to start; also how long
    /// a call waits for its turn. Default: `plugins.call_timeout`.
    pub call_timeout: Option<HumanDuration>,
    /// The most memory for data that its process may take; zero is no limit. Default: `plugins.process_memory_max`.
    pub process_memory_max: Option<ByteCount>,
    /// Every other key of the table, as the plugin gets it. May hold secrets.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

const fn yes() -> bool {
    true
}

impl PluginEntry {
    /// An entry without options.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self {
            plugin: plugin.into(),
            isolation: Isolation::default(),
            required: yes(),
            transfer: Transfer::default(),
            calls_open_max: None,
            calls_waiting_max: None,
            call_timeout: None,
            process_memory_max: None,
            options: Map::new(),
        }
    }

    /// Adds one option.
    #[must_use]
    pub fn with_option(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.options.insert(key.to_owned(), value.into());
        self
    }

    /// The same for the room that loads plugins.
    pub fn limits(&self) -> EntryLimits {
        let waiting_max = self.calls_waiting_max.unwrap_or(CALLS_WAITING_MAX);
        EntryLimits {
            calls: self.calls_open_max.map(|open_max| CallLimits { open_max, waiting_max }),
            call_timeout: self.call_timeout.map(HumanDuration::get),
            process_memory_bytes_max: self.process_memory_max.map(ByteCount::bytes),
        }
    }

    /// The options as the JSON object that the plugin gets. May hold secrets: never log it.
    pub fn options_value(&self) -> Value {
        Value::Object(self.options.clone())
    }
}

impl fmt::Debug for PluginEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginEntry")
            .field("plugin", &self.plugin)
            .field("isolation", &self.isolation)
            .field("required", &self.required)
            .field("transfer", &self.transfer)
            .field("calls_open_max", &self.calls_open_max)
            .field("calls_waiting_max", &self.calls_waiting_max)
            .field("call_timeout", &self.call_timeout)
            .field("process_memory_max", &self.process_memory_max)
            .field("options", &redact_options(&self.options))
            .finish()
    }
}

/// Serializes with every secret replaced, because what is serialized is going to be seen.
impl Serialize for PluginEntry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("plugin", &self.plugin)?;
        if self.isolation != Isolation::default() {
            map.serialize_entry("isolation", &self.isolation)?;
        }
        if !self.required {
            map.serialize_entry("required", &self.required)?;
        }
        if self.transfer != Transfer::default() {
            map.serialize_entry("transfer", &self.transfer)?;
        }
        let (open, waiting) = (self.calls_open_max, self.calls_waiting_max);
        for (key, number) in [("calls_open_max", open), ("calls_waiting_max", waiting)] {
            if let Some(number) = number {
                map.serialize_entry(key, &number)?;
            }
        }
        if let Some(time) = self.call_timeout {
            map.serialize_entry("call_timeout", &time)?;
        }
        if let Some(bytes) = self.process_memory_max {
            map.serialize_entry("process_memory_max", &bytes)?;
        }
        for (key, value) in redact_options(&self.options) {
            map.serialize_entry(&key, &value)?;
        }
        map.end()
    }
}

/// The options with every secret replaced, also in nested tables.
fn redact_options(options: &Map<String, Value>) -> Map<String, Value> {
    options.iter().map(|(key, value)| (key.clone(), redact(key, value))).collect()
}

fn redact(key: &str, value: &Value) -> Value {
    match value {
        _ if is_secret_name(key) => REDACTED.into(),
        Value::Object(table) => Value::Object(redact_options(table)),
        Value::Array(list) => list.iter().map(|item| redact(key, item)).collect(),
        Value::String(text) => redact_url(text).into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_hides_secrets_at_every_depth() {
        let entry = PluginEntry::new("s3")
            .with_option("bucket", "boxes")
            .with_option("secret_access_key", "canary-1")
            .with_option("proxy", serde_json::json!({"url": "http://u:canary-2@proxy"}))
            .with_option("tokens", serde_json::json!(["canary-3"]));
        let shown = format!("{entry:?}");
        assert!(shown.contains("boxes") && shown.contains("http://u:<redacted>@proxy"), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        assert!(!serde_json::to_string(&entry).unwrap().contains("canary"));
        assert!(entry.options_value().to_string().contains("canary-1"));
    }
}
