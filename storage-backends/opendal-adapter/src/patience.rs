//! How long to wait for a service, and how often to ask again.

use std::{future::Future, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result};
use opendal::{
    Operator,
    layers::{RetryLayer, TimeoutLayer},
};
use tokio::time::sleep;

use crate::keys::between;

/// The pause after the first failure; each is twice as long as the one before, give or take.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// How often in a row something has failed.
#[derive(Debug, Default)]
pub struct Failures {
    count: usize,
}

impl Failures {
    /// Waits before the next attempt; or tells that there is none.
    pub async fn another(&mut self, patience: Patience, error: &PluginError) -> bool {
        if !error.retry || self.count >= patience.retries {
            return false;
        }
        let doubled =
            u32::try_from(self.count).ok().and_then(|count| PAUSE.checked_mul(1 << count.min(16)));
        self.count += 1;
        sleep(doubled.unwrap_or(PAUSE_MAX).min(PAUSE_MAX)).await;
        true
    }
}

/// Waiting and asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long an attempt at a small question may take.
    pub question: Duration,
    /// How long an attempt to move bytes may take, a part of an object at most.
    pub transfer: Duration,
    /// How often to ask again after a failure that may pass.
    pub retries: usize,
}

impl Patience {
    /// Of the keys `retries`, `request_timeout_s` and `transfer_timeout_s`, which every backend beyond this machine has.
    pub fn of_keys(retries: usize, request_timeout_s: u64, transfer_timeout_s: u64) -> Self {
        Self {
            question: Duration::from_secs(request_timeout_s),
            transfer: Duration::from_secs(transfer_timeout_s),
            retries,
        }
    }

    /// Checks these keys.
    ///
    /// # Errors
    /// `InvalidConfig`, naming the first one that is out of its range.
    pub fn check(self) -> Result<()> {
        let seconds = |time: Duration| usize::try_from(time.as_secs()).unwrap_or(usize::MAX);
        between("retries", self.retries, 0..=10)?;
        between("request_timeout_s", seconds(self.question), 1..=30)?;
        between("transfer_timeout_s", seconds(self.transfer), 5..=600)
    }

    /// The same operator, with this patience.
    pub fn apply(self, operator: Operator) -> Operator {
        // a deadline is one of an attempt, so the layer of deadlines is the inner one
        let deadlines =
            TimeoutLayer::new().with_timeout(self.question).with_io_timeout(self.transfer);
        let retries = RetryLayer::new()
            .with_max_times(self.retries)
            .with_min_delay(PAUSE)
            .with_max_delay(PAUSE_MAX)
            .with_factor(2.0)
            .with_jitter();
        operator.layer(deadlines).layer(retries)
    }

    /// Does what is not done by an operator, and again while it fails for a reason that may pass.
    ///
    /// # Errors
    /// That of the last attempt.
    pub async fn again<T, F>(self, work: impl Fn() -> F) -> Result<T>
    where
        F: Future<Output = Result<T>>,
    {
        let mut failures = Failures::default();
        loop {
            match work().await {
                Err(error) if failures.another(self, &error).await => {}
                result => return result,
            }
        }
    }
}
