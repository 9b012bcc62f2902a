//! Repeats what failed for a moment. One rule decides: the error is of kind `unavailable` and says
//! that nothing was written. A write whose effect is unknown is never repeated.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{
    BoxFuture, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result, Scan,
};

/// Before the first repetition; doubled before each further one.
const WAIT_FIRST: Duration = Duration::from_millis(50);
/// Longest wait. A backend that asks for a longer one is left alone, and its error is handed on.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// When to wait how long.
#[derive(Debug)]
pub(crate) struct Backoff {
    pub(crate) retries_max: u32,
    wait_first: Duration,
    random: AtomicU64,
}

impl Backoff {
    /// `seed` spreads the waits of many hosts; any number will do.
    pub(crate) fn new(retries_max: u32, seed: u64) -> Self {
        Self { retries_max, wait_first: WAIT_FIRST, random: AtomicU64::new(seed) }
    }

    #[cfg(test)]
    pub(crate) fn at_once(retries_max: u32) -> Self {
        Self { wait_first: Duration::ZERO, ..Self::new(retries_max, 0) }
    }

    /// How long to wait before repetition `number` (from 0); none: give up.
    fn wait(&self, number: u32, error: &Error) -> Option<Duration> {
        let momentary = error.kind() == ErrorKind::Unavailable && !error.is_effect_unknown();
        if !momentary || number >= self.retries_max {
            return None;
        }
        let doubled =
            self.wait_first.saturating_mul(1_u32.checked_shl(number).unwrap_or(u32::MAX)).min(WAIT_MAX);
        // Between half and all of it, so that those who failed together don't come back together.
        let spread = doubled.mul_f64(0.5 + 0.5 * self.fraction());
        match error.retry_after_hint() {
            Some(asked) if asked > WAIT_MAX => None,
            Some(asked) => Some(asked.max(spread)),
            None => Some(spread),
        }
    }

    /// A number from 0 to 1 (splitmix64: enough to spread waits, no more is needed).
    fn fraction(&self) -> f64 {
        let mut z = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A store that tries again.
#[derive(Debug)]
pub(crate) struct Retried {
    next: Arc<dyn KvStore>,
    backoff: Backoff,
}

impl Retried {
    pub(crate) fn new(next: Arc<dyn KvStore>, backoff: Backoff) -> Self {
        Self { next, backoff }
    }

    async fn again<'a, T>(&self, call: impl Fn() -> BoxFuture<'a, Result<T>>) -> Result<T> {
        let mut repetitions = 0;
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match self.backoff.wait(repetitions, &error) {
                Some(wait) if wait.is_zero() => {}
                Some(wait) => tokio::time::sleep(wait).await,
                None if repetitions == 0 => return Err(error),
                None => return Err(error.with("attempts", repetitions + 1)),
            }
            repetitions += 1;
        }
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Retried {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.again(move || self.next.get(key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.again(move || self.next.get_many(keys)))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.again(move || self.next.scan(scan)))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.again(move || self.next.commit(commit)))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        // Says how it is now.
        self.next.health()
    }
}

impl fmt::Display for Retried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "retry({}, {})", self.backoff.retries_max, self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_are_spread_and_end() {
        let backoff = Backoff::new(10, 42);
        let away = Error::new(ErrorKind::Unavailable, "away");
        for number in 0..10 {
            let full = WAIT_FIRST.saturating_mul(1 << number).min(WAIT_MAX);
            let wait = backoff.wait(number, &away).unwrap();
            assert!(wait >= full / 2 && wait <= full, "{number}: {wait:?}");
        }
        assert_eq!(backoff.wait(10, &away), None);
    }

    #[test]
    fn a_hint_is_followed_up_to_a_limit() {
        let backoff = Backoff::new(3, 1);
        let hinted = |wait| Error::new(ErrorKind::Unavailable, "away").retry_after(wait);
        assert_eq!(backoff.wait(0, &hinted(Duration::from_secs(2))), Some(Duration::from_secs(2)));
        assert_eq!(backoff.wait(0, &hinted(Duration::from_secs(60))), None);
    }
}
