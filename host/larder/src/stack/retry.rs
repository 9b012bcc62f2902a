//! Repeats what failed for a moment. One rule decides: the error is of kind `unavailable` and says
//! that nothing was written.
//!
//! A write whose effect is unknown is repeated only where that is harmless: it is held by a check on the version of a
//! key that it writes. Whichever attempt happens first changes that version for ever, so no other one happens, late as
//! it may arrive. (A check for `absent` is not enough: between the attempts somebody may delete what the first one
//! created, and the second would create it again.) Where the repetition meets a conflict, the first attempt may have
//! caused it or somebody else: the error then says what was known before, that nobody knows.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{
    BoxFuture, Commit, Description, Effect, Entry, Error, ErrorKind, Expectation, Key, KvStore, Outcome,
    Page, Result, Scan,
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
    fn wait(&self, number: u32, error: &Error, write: Repeated) -> Option<Duration> {
        let harmless = !error.is_effect_unknown() || write == Repeated::Harmless;
        // The plugin's own supervision knows how long it is to be left alone; who calls is told at once.
        let refused = larder_wasm::is_refusal(error);
        if error.kind() != ErrorKind::Unavailable || !harmless || refused || number >= self.retries_max {
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

/// What a repetition does, where an attempt may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeated {
    /// Nothing, if the attempt did: also true of reads.
    Harmless,
    /// Perhaps the same write twice.
    Twice,
}

impl Repeated {
    fn of(commit: &Commit) -> Self {
        let is_written = |key: &Key| commit.writes.iter().any(|write| write.key == *key);
        let mut checks = commit.checks.iter();
        match checks.any(|c| matches!(c.expect, Expectation::Version(_)) && is_written(&c.key)) {
            true => Self::Harmless,
            false => Self::Twice,
        }
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

    async fn again<'a, T>(
        &self,
        repeated: Repeated,
        call: impl Fn() -> BoxFuture<'a, Result<T>>,
    ) -> Result<T> {
        let (mut repetitions, mut doubt) = (0, None);
        loop {
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let wait = self.backoff.wait(repetitions, &error, repeated);
            let error = in_doubt(error, &mut doubt);
            match wait {
                Some(wait) if wait.is_zero() => {}
                Some(wait) => tokio::time::sleep(wait).await,
                None if repetitions == 0 => return Err(error),
                None => return Err(error.with("attempts", repetitions + 1)),
            }
            if error.is_effect_unknown() {
                doubt = Some(error);
            }
            repetitions += 1;
        }
    }
}

/// What a failure means where an earlier attempt may have happened: nobody knows, whatever this one says of itself.
fn in_doubt(error: Error, doubt: &mut Option<Error>) -> Error {
    match doubt.take() {
        // That attempt may be what this one is in conflict with.
        Some(earlier) if error.kind() == ErrorKind::Conflict => earlier,
        Some(_) => error.effect(Effect::Unknown),
        None => error,
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Retried {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.again(Repeated::Harmless, move || self.next.get(key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.again(Repeated::Harmless, move || self.next.get_many(keys)))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.again(Repeated::Harmless, move || self.next.scan(scan)))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.again(Repeated::of(commit), move || self.next.commit(commit)))
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
            let wait = backoff.wait(number, &away, Repeated::Twice).unwrap();
            assert!(wait >= full / 2 && wait <= full, "{number}: {wait:?}");
        }
        assert_eq!(backoff.wait(10, &away, Repeated::Twice), None);
    }

    #[test]
    fn a_hint_is_followed_up_to_a_limit() {
        let backoff = Backoff::new(3, 1);
        let hinted = |wait| Error::new(ErrorKind::Unavailable, "away").retry_after(wait);
        assert_eq!(
            backoff.wait(0, &hinted(Duration::from_secs(2)), Repeated::Twice),
            Some(Duration::from_secs(2))
        );
        assert_eq!(backoff.wait(0, &hinted(Duration::from_secs(60)), Repeated::Twice), None);
    }
}
