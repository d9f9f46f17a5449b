//! Loads plugin libraries and hands back safe traits. The only host-side unsafe code for plugins.
//!
//! [`PluginHost`] finds a library, checks who could have changed it, compares its handshake field by
//! field, checks the configuration against its schema, and makes an instance. What comes back,
//! [`LoadedStorage`] or [`LoadedAuthProvider`], implements the same trait that the author wrote.
//! Deadlines, the limit of open calls and the counters live here, alike for all plugins.
//!
//! A library is never unloaded: its runtime's threads live on. Replacing a plugin is a restart.

mod auth;
mod bridge;
mod config;
mod counters;
mod error;
mod gate;
mod host;
mod isolated;
mod library;
mod log;
mod options;
mod probe;
mod search;
mod status;
mod storage;
mod trust;
mod wherever;

pub use auth::LoadedAuthProvider;
pub use counters::{LastError, PluginCounters};
pub use error::{ConfigProblem, LoadError};
pub use host::PluginHost;
pub use isolated::{IsolatedAuthProvider, IsolatedStorage, IsolationOptions, serve};
pub use library::{PluginInfo, PluginKind};
pub use options::{CallLimits, Deadlines, EntryLimits, HostOptions, PluginSource};
pub use probe::{PROBE_PREFIX, ProbeReport};
pub use status::{Isolation, PluginState, PluginStatus};
pub use storage::LoadedStorage;
pub use wherever::{Provider, Store};
