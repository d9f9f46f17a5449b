//! What the server tells the host: where plugins lie, how long they may take, how much at once.

use std::{path::PathBuf, time::Duration};

use crate::isolated::IsolationOptions;

/// How the host finds and holds plugins.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// Folders to look in first, in this order. Nothing in them runs unless it is named.
    pub search_paths: Vec<PathBuf>,
    /// How long calls may take.
    pub deadlines: Deadlines,
    /// The most calls of one plugin that may be open at once, hung ones included; more are refused
    /// with `Unavailable`.
    pub calls_in_flight_max: usize,
    /// How many calls of one opened store or provider may be open, hung ones included, and wait. `None` is no limit of
    /// its own.
    pub calls: Option<CallLimits>,
    /// How plugins are held that run in processes of their own.
    pub isolation: IsolationOptions,
}

/// How many calls of one opened store or provider may be with its plugin, and wait for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// The most that are open at once, hung ones included; at least one.
    pub open_max: usize,
    /// The most that wait to begin something; more are refused with `Unavailable`. What goes on with something that was
    /// begun, such as a chunk, waits without being counted.
    pub waiting_max: usize,
}

/// What one entry of the configuration wants otherwise than [`HostOptions`] say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EntryLimits {
    /// [`HostOptions::calls`].
    pub calls: Option<CallLimits>,
    /// [`Deadlines::create`], [`Deadlines::question`] and [`Deadlines::authenticate`].
    pub call_timeout: Option<Duration>,
    /// [`IsolationOptions::memory_bytes_max`].
    pub process_memory_bytes_max: Option<u64>,
}

impl Default for HostOptions {
    fn default() -> Self {
        // A thousand slow downloads and 64 uploads are one open call each at most.
        Self {
            search_paths: Vec::new(),
            deadlines: Deadlines::default(),
            calls_in_flight_max: 4096,
            calls: None,
            isolation: IsolationOptions::default(),
        }
    }
}

impl HostOptions {
    /// The same for one entry.
    pub(crate) fn with(&self, limits: EntryLimits) -> Self {
        let mut options = self.clone();
        options.calls = limits.calls.or(options.calls);
        if let Some(timeout) = limits.call_timeout {
            let Deadlines { create, question, authenticate, .. } = &mut options.deadlines;
            for deadline in [create, question, authenticate] {
                *deadline = timeout;
            }
        }
        if let Some(bytes) = limits.process_memory_bytes_max {
            options.isolation.memory_bytes_max = bytes;
        }
        options
    }
}

/// How long a plugin may take for one call, by what the call does. A call that takes longer ends
/// with `DeadlineExceeded`; whatever it still answers is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Making an instance, and checking its configuration.
    pub create: Duration,
    /// Small questions: health, stat, delete, list, local path, presign, opening.
    pub question: Duration,
    /// The next chunk of a reader.
    pub read: Duration,
    /// Taking one chunk into a writer.
    pub write: Duration,
    /// Making an object durable: the flush of a big file, the completion of a multipart upload.
    pub finish: Duration,
    /// Everything that an auth provider does.
    pub authenticate: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            create: Duration::from_secs(30),
            question: Duration::from_secs(30),
            read: Duration::from_mins(1),
            write: Duration::from_mins(2),
            // A slow disk flushes some 50 MB/s; 30 GB of dirty pages take ten minutes.
            finish: Duration::from_mins(15),
            authenticate: Duration::from_secs(30),
        }
    }
}

/// Which plugin to open: its name or path, and perhaps the digest it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginSource {
    /// A name such as `fs`, or a path (anything with a slash).
    pub plugin: String,
    /// The SHA-256 that the file must have, in hexadecimal.
    pub sha256: Option<String>,
}

impl PluginSource {
    /// A plugin by name or path.
    pub fn new(plugin: impl Into<String>) -> Self {
        Self { plugin: plugin.into(), sha256: None }
    }

    /// The same, if its file has this digest.
    #[must_use]
    pub fn pinned(mut self, sha256: Option<String>) -> Self {
        self.sha256 = sha256;
        self
    }
}

impl From<&str> for PluginSource {
    fn from(plugin: &str) -> Self {
        Self::new(plugin)
    }
}
