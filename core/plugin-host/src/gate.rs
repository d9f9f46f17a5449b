//! How many calls of one entry of the configuration may be with its plugin at once, and how many may wait for that.
//!
//! A place is given back when the plugin answers, and not when somebody stops waiting: a plugin that hangs keeps what it
//! has, and no more. What would begin something new is refused once enough others wait; what goes on with something that
//! was begun (a chunk of a file, its end) waits for its turn, since failing it would waste what was done.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use boxvault_plugin_sdk::{PluginError, Result};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError},
    time::timeout,
};

use crate::options::CallLimits;

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    limits: CallLimits,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A place. Kept until the plugin has answered.
#[derive(Debug)]
pub(crate) struct Pass(#[expect(dead_code, reason = "it is held, not read")] OwnedSemaphorePermit);

/// [`Gate::enter`], where there is one.
pub(crate) async fn enter(gate: Option<&Gate>, wait_max: Duration) -> Result<Option<Pass>> {
    match gate {
        Some(gate) => gate.enter(wait_max).await.map(Some),
        None => Ok(None),
    }
}

/// [`Gate::go_on`], where there is one.
pub(crate) async fn go_on(gate: Option<&Gate>, wait_max: Duration) -> Result<Option<Pass>> {
    match gate {
        Some(gate) => gate.go_on(wait_max).await.map(Some),
        None => Ok(None),
    }
}

/// Counts somebody who waits, for as long as they do.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// A gate with these limits; none, if there are none.
    pub(crate) fn new(limits: Option<CallLimits>) -> Option<Self> {
        let limits = limits?;
        let places = limits.open_max.clamp(1, Semaphore::MAX_PERMITS);
        Some(Self {
            limits,
            places: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
        })
    }

    /// A place for a call that begins something.
    ///
    /// # Errors
    /// `Unavailable`, when as many wait as may, or none became free in time.
    pub(crate) async fn enter(&self, wait_max: Duration) -> Result<Pass> {
        if let Some(pass) = self.free()? {
            return Ok(pass);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.limits.waiting_max {
            return Err(self.full());
        }
        let pass = self.next(wait_max).await;
        drop(waiting);
        pass
    }

    /// A place for a call that goes on with something.
    ///
    /// # Errors
    /// `Unavailable`, when none became free in time.
    pub(crate) async fn go_on(&self, wait_max: Duration) -> Result<Pass> {
        match self.free()? {
            Some(pass) => Ok(pass),
            None => self.next(wait_max).await,
        }
    }

    /// A place that is free now. Whoever waits is first.
    fn free(&self) -> Result<Option<Pass>> {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(permit) => Ok(Some(Pass(permit))),
            Err(TryAcquireError::NoPermits) => Ok(None),
            Err(TryAcquireError::Closed) => Err(closed()),
        }
    }

    async fn next(&self, wait_max: Duration) -> Result<Pass> {
        match timeout(wait_max, Arc::clone(&self.places).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Pass(permit)),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(self.full()),
        }
    }

    fn full(&self) -> PluginError {
        let CallLimits { open_max, waiting_max } = self.limits;
        PluginError::unavailable(format!(
            "as many calls are open as its calls_open_max lets ({open_max}), and no more than calls_waiting_max \
             ({waiting_max}) wait for one to end"
        ))
    }
}

/// Nobody closes it.
fn closed() -> PluginError {
    PluginError::unavailable("no calls are taken any more")
}

#[cfg(test)]
mod tests {
    use boxvault_plugin_sdk::PluginErrorKind;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn gate(open_max: usize, waiting_max: usize) -> Gate {
        Gate::new(Some(CallLimits { open_max, waiting_max })).unwrap()
    }

    /// Whether a future that was polled is not done.
    async fn waits(future: impl Future<Output = Result<Pass>>) -> bool {
        timeout(Duration::ZERO, future).await.is_err()
    }

    #[tokio::test]
    async fn so_many_enter_so_many_wait_and_more_are_refused() {
        let gate = gate(2, 1);
        let first = gate.enter(LONG).await.unwrap();
        let second = gate.enter(LONG).await.unwrap();
        let mut third = Box::pin(gate.enter(LONG));
        assert!(waits(&mut third).await);
        let refused = gate.enter(LONG).await.unwrap_err();
        assert_eq!((refused.kind, refused.retry), (PluginErrorKind::Unavailable, true));
        assert!(refused.message.contains("calls_open_max lets (2)"), "{refused}");
        let mut chunk = Box::pin(gate.go_on(LONG));
        assert!(waits(&mut chunk).await, "what was begun is not refused");
        drop(first);
        let third = third.await.unwrap();
        drop(second);
        chunk.await.unwrap();
        drop(third);
        gate.enter(LONG).await.unwrap();
    }

    #[tokio::test]
    async fn a_wait_has_an_end_and_one_that_was_given_up_counts_no_more() {
        let gate = gate(1, 1);
        let pass = gate.enter(LONG).await.unwrap();
        assert!(gate.enter(Duration::from_millis(10)).await.is_err());
        assert!(waits(gate.enter(LONG)).await, "and is given up");
        let mut next = Box::pin(gate.enter(LONG));
        assert!(waits(&mut next).await, "nobody else waits any more");
        drop(pass);
        next.await.unwrap();
    }
}
