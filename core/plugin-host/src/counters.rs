//! What the host counts for each plugin, for the server's metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What one plugin has done since the start. All its instances count together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PluginCounters {
    /// Calls that were started.
    pub calls: u64,
    /// Calls that ended with an error of any kind, panics and deadlines included.
    pub errors: u64,
    /// Calls that ended with a caught panic.
    pub panics: u64,
    /// Calls that did not end in time.
    pub deadlines_exceeded: u64,
    /// Times that the plugin broke the contract: answered twice, or nonsense.
    pub violations: u64,
    /// Calls that are open now, hung ones included.
    pub in_flight: u64,
}

/// The live numbers behind [`PluginCounters`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) deadlines_exceeded: AtomicU64,
    pub(crate) violations: AtomicU64,
}

impl Tally {
    pub(crate) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, in_flight: usize) -> PluginCounters {
        PluginCounters {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            panics: self.panics.load(Ordering::Relaxed),
            deadlines_exceeded: self.deadlines_exceeded.load(Ordering::Relaxed),
            violations: self.violations.load(Ordering::Relaxed),
            in_flight: u64::try_from(in_flight).unwrap_or(u64::MAX),
        }
    }
}
