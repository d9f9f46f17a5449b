//! `[mirror]`: what organizations that mirror another registry may reach, and how long that may take.

use std::path::PathBuf;

use boxvault_types::byte_count::ByteCount;
use serde::{Deserialize, Serialize};

use super::duration::HumanDuration;

/// Requests to other registries.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MirrorConfig {
    /// Hosts that a mirror may fetch from, those included that files lie on and redirects lead to: names,
    /// `*.example.com` for all below one, `*` for every one. Default: none, so that nothing is mirrored.
    pub upstream_hosts: Vec<String>,
    /// Whether such a host may be at an address of this machine or of a private network. Default false.
    pub private_addresses_allowed: bool,
    /// Certificates, PEM, that are trusted besides those of the system. Default: none.
    pub ca_file: Option<PathBuf>,
    /// How long what an upstream says of a box is used before it is asked again. Default 10 min.
    pub catalogue_ttl: HumanDuration,
    /// How long an upstream is left alone that did not answer. Default 30 s.
    pub retry_after: HumanDuration,
    /// How long an upstream may take to take a connection. Default 10 s.
    pub connect_timeout: HumanDuration,
    /// How long it may take until an answer begins, and for a catalogue altogether. Default 20 s.
    pub answer_timeout: HumanDuration,
    /// The longest pause between two pieces of a file. Default 60 s.
    pub idle_timeout: HumanDuration,
    /// How many files may come at once, of all mirrors. Each takes its size in the data folder, and is one of the
    /// uploads of `limits.uploads_concurrent_max`. Default 8.
    pub fetches_max: usize,
    /// Redirects that are followed in a row. Default 5.
    pub redirects_max: usize,
    /// The longest catalogue, or list of boxes. Default 16 MiB.
    pub catalogue_bytes_max: ByteCount,
}

impl Default for MirrorConfig {
    fn default() -> Self {
        Self {
            upstream_hosts: Vec::new(),
            private_addresses_allowed: false,
            ca_file: None,
            catalogue_ttl: HumanDuration::from_mins(10),
            retry_after: HumanDuration::from_secs(30),
            connect_timeout: HumanDuration::from_secs(10),
            answer_timeout: HumanDuration::from_secs(20),
            idle_timeout: HumanDuration::from_mins(1),
            fetches_max: 8,
            redirects_max: 5,
            catalogue_bytes_max: ByteCount(16 << 20),
        }
    }
}
