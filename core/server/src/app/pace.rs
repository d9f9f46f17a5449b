//! How fast files may be copied: all of a move, or of a backup, together.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// A rate that is kept whatever the number of files that go at once. Time in which nothing went is not made up for.
#[derive(Debug)]
pub(super) struct Pace {
    bytes_per_second: Option<u64>,
    /// When the bytes that were let through so far are over.
    free_at: Mutex<Instant>,
}

impl Pace {
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        let bytes_per_second = bytes_per_second.filter(|rate| *rate > 0);
        Self { bytes_per_second, free_at: Mutex::new(Instant::now()) }
    }

    /// Waits until so many bytes may go.
    pub(super) async fn let_through(&self, bytes: usize) {
        if let Some(begin) = self.reserve(Instant::now(), bytes) {
            sleep_until(begin).await;
        }
    }

    /// When so many bytes may go that are asked for now, after all those that were asked for before; nothing where any
    /// number may go at any time.
    fn reserve(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let rate = self.bytes_per_second?;
        let nanos = u128::from(bytes as u64) * 1_000_000_000 / u128::from(rate);
        let time = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = (*free_at).max(now);
        *free_at = begin.checked_add(time).unwrap_or(begin);
        Some(begin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_wait_for_those_before_them_and_not_for_their_own() {
        let pace = Pace::new(Some(1000));
        let begun = Instant::now();
        let after = |millis| Some(begun + Duration::from_millis(millis));
        assert_eq!(pace.reserve(begun, 500), after(0));
        assert_eq!(pace.reserve(begun, 2000), after(500));
        assert_eq!(pace.reserve(begun, 1), after(2500));
        // what was not used is over
        let later = begun + Duration::from_mins(1);
        assert_eq!(pace.reserve(later, 10), Some(later));
        for free in [None, Some(0)] {
            assert_eq!(Pace::new(free).reserve(begun, usize::MAX), None);
        }
    }
}
