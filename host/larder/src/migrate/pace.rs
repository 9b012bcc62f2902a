//! Not faster than asked: each unit has a moment from which on the next one may go.

use std::{
    num::NonZeroU64,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Limits of entries and bytes per second.
pub(super) struct Pace {
    entries: Option<Limit>,
    bytes: Option<Limit>,
}

struct Limit {
    per_second: NonZeroU64,
    /// When the next unit may go. Whoever takes one moves it on, and waits on its own time.
    due: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(entries: Option<NonZeroU64>, bytes: Option<NonZeroU64>) -> Self {
        let limit = |per_second| Limit { per_second, due: Mutex::new(None) };
        Self { entries: entries.map(limit), bytes: bytes.map(limit) }
    }

    /// Most entries that may be taken at once without a wait of more than a second after them.
    pub(super) fn entries_at_once(&self, most: u32) -> u32 {
        let limit = self.entries.as_ref().map_or(u64::MAX, |limit| limit.per_second.get());
        u32::try_from(limit).unwrap_or(u32::MAX).min(most)
    }

    /// Waits until so much may go.
    pub(super) async fn take(&self, entries: u64, bytes: u64) {
        for (limit, count) in [(&self.entries, entries), (&self.bytes, bytes)] {
            if let Some(limit) = limit {
                tokio::time::sleep_until(limit.take(count, Instant::now())).await;
            }
        }
    }
}

impl Limit {
    fn take(&self, count: u64, now: Instant) -> Instant {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = due.unwrap_or(now).max(now);
        *due = Some(begin + Duration::from_secs_f64(count as f64 / self.per_second.get() as f64));
        begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_paid_for_by_those_who_come_after() {
        let limit = Limit { per_second: NonZeroU64::new(100).unwrap(), due: Mutex::new(None) };
        let start = Instant::now();
        assert_eq!(limit.take(50, start), start);
        assert_eq!(limit.take(100, start), start + Duration::from_millis(500));
        assert_eq!(limit.take(1, start), start + Duration::from_millis(1_500));
        let later = start + Duration::from_secs(60);
        assert_eq!(limit.take(1, later), later, "an idle minute saves nothing up");
    }
}
