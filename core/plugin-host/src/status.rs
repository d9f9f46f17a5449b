//! What can be said of a plugin that is in use, wherever it runs.

use std::{fmt, time::Duration};

use crate::{
    counters::{LastError, PluginCounters},
    library::PluginInfo,
};

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Isolation {
    /// In the server's own process: fastest, and what it breaks is the server.
    #[default]
    None,
    /// In a process of its own, which is started again when it ends or hangs.
    Process,
}

impl Isolation {
    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Process => "process",
        }
    }
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a plugin can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PluginState {
    /// It can.
    Running,
    /// Its process has ended, and another one is started after a wait.
    Restarting {
        /// How long until then, as it was when the process ended.
        wait: Duration,
    },
}

/// What can be said of a plugin now.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PluginStatus {
    /// What it says of itself.
    pub info: PluginInfo,
    /// Where it runs.
    pub isolation: Isolation,
    /// Whether it can be asked.
    pub state: PluginState,
    /// What it has done since the server's start. All that one library does in one process counts together.
    pub counters: PluginCounters,
    /// The last failure that says something of the plugin.
    pub last_error: Option<LastError>,
    /// How often its process was started again.
    pub restarts: u64,
    /// Its process, where it has one of its own and that runs.
    pub pid: Option<u32>,
}
