//! How a case runs: with a deadline, and with a panic as a failure.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use boxvault_plugin_sdk::PluginError;
use futures_util::FutureExt;
use tokio::time::{Instant, sleep, timeout};

use crate::report::Outcome;

/// A case that takes longer hangs.
const DEADLINE: Duration = Duration::from_mins(2);

/// How long something that happens behind the caller's back may take.
const SOON: Duration = Duration::from_secs(20);

/// Why a case did not pass.
#[derive(Debug)]
pub(crate) enum Finding {
    Failed(String),
    Skipped(String),
}

pub(crate) type Verdict = Result<(), Finding>;

impl From<PluginError> for Finding {
    fn from(error: PluginError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<std::io::Error> for Finding {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Fails the case unless the condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            return Err($crate::case::Finding::Failed(format!($($message)+)));
        }
    };
}
pub(crate) use ensure;

pub(crate) async fn outcome(case: impl Future<Output = Verdict>) -> Outcome {
    match timeout(DEADLINE, AssertUnwindSafe(case).catch_unwind()).await {
        Ok(Ok(Ok(()))) => Outcome::Passed,
        Ok(Ok(Err(Finding::Failed(reason)))) => Outcome::Failed { reason },
        Ok(Ok(Err(Finding::Skipped(reason)))) => Outcome::Skipped { reason },
        Ok(Err(payload)) => {
            Outcome::Failed { reason: PluginError::from_panic(&*payload).to_string() }
        }
        Err(_) => Outcome::Failed { reason: format!("did not end within {DEADLINE:?}") },
    }
}

/// Asks until the answer is yes; fails when it does not come soon.
pub(crate) async fn eventually<F: Future<Output = Result<bool, Finding>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> Verdict {
    let end = Instant::now() + SOON;
    while Instant::now() < end {
        if ask().await? {
            return Ok(());
        }
        sleep(Duration::from_millis(10)).await;
    }
    Err(Finding::Failed(format!("{what} did not happen within {SOON:?}")))
}
