//! How fast a plugin may talk: so many lines a second, with a purse for those that come at once. What is too much is dropped,
//! and counted.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use larder_core::Timestamp;

/// A plugin that was silent may say so many seconds' worth of lines at once: what it tells as it starts, or of one bad page.
const PURSE_SECONDS: u64 = 10;

/// The lines that a plugin may still say, over all its instances and generations.
#[derive(Debug, Default)]
pub(crate) struct LogBudget {
    purse: Mutex<Purse>,
    dropped: AtomicU64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is written.
    Write,
    /// It is written, the first after so many that were dropped.
    WriteAfter(u64),
    /// It is dropped, the first of them.
    DropFirst,
    /// It is dropped, as the one before.
    Drop,
}

/// In thousandths of a line, so that a millisecond's share is whole.
#[derive(Debug, Clone, Copy, Default)]
struct Purse {
    spent: u64,
    at: Timestamp,
    dropped: u64,
}

impl LogBudget {
    /// Asks for a line at this moment, at a rate of so many lines a second.
    pub(crate) fn line(&self, now: Timestamp, per_second: u32) -> Fate {
        let fate = {
            let mut purse = self.purse.lock().unwrap_or_else(PoisonError::into_inner);
            purse.line(now, u64::from(per_second))
        };
        if matches!(fate, Fate::Drop | Fate::DropFirst) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        fate
    }

    /// How many lines were dropped in all.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Purse {
    fn line(&mut self, now: Timestamp, per_second: u64) -> Fate {
        // Lines a second are thousandths a millisecond. A clock that was set back earns nothing until it moves again.
        let earned = now.0.saturating_sub(self.at.0).saturating_mul(per_second);
        self.at = now;
        self.spent = self.spent.saturating_sub(earned);
        let holds = per_second.saturating_mul(PURSE_SECONDS * 1_000);
        if self.spent.saturating_add(1_000) > holds {
            self.dropped += 1;
            return if self.dropped == 1 { Fate::DropFirst } else { Fate::Drop };
        }
        self.spent += 1_000;
        match std::mem::take(&mut self.dropped) {
            0 => Fate::Write,
            dropped => Fate::WriteAfter(dropped),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn a_silent_plugin_may_say_ten_seconds_worth_at_once_and_then_its_rate() {
        let budget = LogBudget::default();
        assert_eq!((0..20).filter(|_| budget.line(NOW, 2) == Fate::Write).count(), 20);
        assert_eq!(budget.line(NOW, 2), Fate::DropFirst);
        assert_eq!(budget.line(Timestamp(NOW.0 + 499), 2), Fate::Drop);
        assert_eq!(budget.line(Timestamp(NOW.0 + 500), 2), Fate::WriteAfter(2), "half a second is a line");
        assert_eq!(budget.line(Timestamp(NOW.0 + 500), 2), Fate::DropFirst);
        assert_eq!(budget.dropped(), 3);
    }

    #[test]
    fn a_clock_that_is_set_back_gives_no_lines() {
        let budget = LogBudget::default();
        (0..10).for_each(|_| _ = budget.line(NOW, 1));
        assert_eq!(budget.line(Timestamp(5), 1), Fate::DropFirst);
        assert_eq!(budget.line(Timestamp(1_005), 1), Fate::WriteAfter(1));
    }

    #[test]
    fn a_rate_of_none_says_nothing() {
        assert_eq!(LogBudget::default().line(NOW, 0), Fate::DropFirst);
    }
}
