//! How a case runs: with a deadline, and with a panic as a failure.

use std::{future::Future, panic::AssertUnwindSafe, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result as PluginResult};
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

/// One instance for many cases, since opening one can cost more than what is asked of it. After a case that failed it is
/// another one: no case fails because of the one before.
pub(crate) struct Shared<I>(Option<I>);

impl<I: Clone> Shared<I> {
    pub(crate) const fn new() -> Self {
        Self(None)
    }

    /// Runs a case on it.
    pub(crate) async fn run<M, C>(
        &mut self,
        make: impl FnOnce() -> M,
        case: impl FnOnce(I) -> C,
    ) -> Outcome
    where
        M: Future<Output = PluginResult<I>>,
        C: Future<Output = Outcome>,
    {
        let instance = match self.0.take() {
            Some(instance) => instance,
            None => match make().await {
                Ok(instance) => instance,
                Err(error) => return Outcome::Failed { reason: format!("no instance: {error}") },
            },
        };
        let outcome = case(instance.clone()).await;
        if !matches!(outcome, Outcome::Failed { .. }) {
            self.0 = Some(instance);
        }
        outcome
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn an_instance_serves_until_a_case_fails() {
        let made = Cell::new(0);
        let make = || async {
            made.set(made.get() + 1);
            Ok(made.get())
        };
        let failed = || Outcome::Failed { reason: "why".to_owned() };
        let mut shared = Shared::new();
        let mut served = Vec::new();
        for outcome in [Outcome::Passed, Outcome::Passed, failed(), Outcome::Passed] {
            let case = |instance| {
                served.push(instance);
                async { outcome }
            };
            shared.run(make, case).await;
        }
        assert_eq!(served, [1, 1, 1, 2]);
    }
}
