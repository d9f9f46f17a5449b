//! Something that is asked for once and then known for a while, by however many want it at once.

use std::{sync::Arc, time::Duration};

use boxvault_plugin_sdk::{PluginError, Result};
use tokio::{sync::Mutex, time::Instant};

/// See the module.
pub(crate) struct Remembered<T>(Mutex<State<T>>);

struct State<T> {
    value: Option<(Arc<T>, Instant)>,
    failure: Option<(PluginError, Instant)>,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self(Mutex::new(State { value: None, failure: None }))
    }
}

impl<T> Remembered<T> {
    /// What is known, where it is no older than `max_age`; else what `ask` answers.
    ///
    /// Who waited while another one asked in vain does not ask again; after a failure nobody does for `pause`.
    pub(crate) async fn get(
        &self,
        max_age: Duration,
        pause: Duration,
        ask: impl Future<Output = Result<T>>,
    ) -> Result<Arc<T>> {
        let wanted_since = Instant::now();
        let mut state = self.0.lock().await;
        if let Some((value, at)) = &state.value
            && (at.elapsed() < max_age || *at >= wanted_since)
        {
            return Ok(Arc::clone(value));
        }
        if let Some((error, at)) = &state.failure
            && (at.elapsed() < pause || *at >= wanted_since)
        {
            return Err(error.clone());
        }
        match ask.await {
            Ok(value) => {
                let value = Arc::new(value);
                *state = State { value: Some((Arc::clone(&value), Instant::now())), failure: None };
                Ok(value)
            }
            Err(error) => {
                state.failure = Some((error.clone(), Instant::now()));
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn many_who_want_it_at_once_ask_once_and_hear_of_one_failure() {
        let (remembered, asked) = (Remembered::default(), AtomicU32::new(0));
        let (remembered, asked) = (&remembered, &asked);
        let want = |fails: bool| {
            remembered.get(HOUR, Duration::ZERO, async move {
                tokio::task::yield_now().await;
                let number = asked.fetch_add(1, Ordering::Relaxed);
                if fails { Err(PluginError::unavailable("away")) } else { Ok(number) }
            })
        };
        let (one, two) = tokio::join!(want(true), want(true));
        assert!(one.is_err() && two.is_err());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        let (one, two) = tokio::join!(want(false), want(false));
        assert_eq!((*one.unwrap(), *two.unwrap()), (1, 1), "it recovers at once");
    }

    #[tokio::test]
    async fn after_a_failure_there_is_a_pause_where_one_is_wanted() {
        let remembered = Remembered::<u8>::default();
        let away = async { Err(PluginError::unavailable("away")) };
        assert!(remembered.get(HOUR, HOUR, away).await.is_err());
        assert!(remembered.get(HOUR, HOUR, async { Ok(1) }).await.is_err());
        assert_eq!(*remembered.get(HOUR, Duration::ZERO, async { Ok(2) }).await.unwrap(), 2);
        assert_eq!(*remembered.get(Duration::ZERO, HOUR, async { Ok(3) }).await.unwrap(), 3);
    }
}
