//! What the host counts for each plugin, for the server's metrics.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use boxvault_plugin_sdk::{PluginError, PluginErrorKind};

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
    /// Calls that are open now, and whose deadline is over.
    pub hung: u64,
}

/// The live numbers behind [`PluginCounters`].
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) calls: AtomicU64,
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    pub(crate) deadlines_exceeded: AtomicU64,
    pub(crate) violations: AtomicU64,
    pub(crate) hung: AtomicU64,
    last_error: Mutex<Option<LastError>>,
}

/// The last failure that says something about a plugin, and not about what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What failed on what.
    pub message: String,
    /// When.
    pub at: SystemTime,
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
            hung: self.hung.load(Ordering::Relaxed),
        }
    }

    /// Counts a call that failed, by what the failure says of the plugin.
    pub(crate) fn failed(&self, error: &PluginError) {
        Self::add(&self.errors);
        match error.kind {
            PluginErrorKind::Panicked => Self::add(&self.panics),
            PluginErrorKind::ContractViolation => Self::add(&self.violations),
            PluginErrorKind::DeadlineExceeded => Self::add(&self.deadlines_exceeded),
            // what was asked for is not there, or may not be: the plugin is well
            PluginErrorKind::NotFound
            | PluginErrorKind::AlreadyExists
            | PluginErrorKind::InvalidInput
            | PluginErrorKind::Unsupported
            | PluginErrorKind::Cancelled
            | PluginErrorKind::BadCredentials
            | PluginErrorKind::AccountDisabled
            | PluginErrorKind::TooManyRequests => return,
            _ => {}
        }
        self.note(error.to_string());
    }

    /// Keeps a failure as the last one.
    pub(crate) fn note(&self, message: String) {
        *self.last() = Some(LastError { message, at: SystemTime::now() });
    }

    pub(crate) fn last_error(&self) -> Option<LastError> {
        self.last().clone()
    }

    fn last(&self) -> MutexGuard<'_, Option<LastError>> {
        // Nothing panics while holding the lock.
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
