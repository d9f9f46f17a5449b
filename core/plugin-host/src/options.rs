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
    /// How plugins are held that run in processes of their own.
    pub isolation: IsolationOptions,
}

impl Default for HostOptions {
    fn default() -> Self {
        // A thousand slow downloads and 64 uploads are one open call each at most.
        Self {
            search_paths: Vec::new(),
            deadlines: Deadlines::default(),
            calls_in_flight_max: 4096,
            isolation: IsolationOptions::default(),
        }
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
