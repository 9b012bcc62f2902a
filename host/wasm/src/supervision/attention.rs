//! Whether the calls of a plugin need a second look. Each hot call reads this one word, and nobody writes it while all is
//! well; a raised bit sends the call down the slower way, where somebody looks.

use std::sync::atomic::{AtomicU8, Ordering};

/// Why calls are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Reason {
    /// Its instances failed, and the next one is not started yet.
    BackingOff = 1,
    /// Its component is quarantined.
    Quarantined = 1 << 1,
    /// Somebody compares what it answers, or how long that takes: probation, shadow reads.
    Observed = 1 << 2,
}

/// The reasons for which the calls of one plugin are looked at.
#[derive(Debug, Default)]
pub(crate) struct Attention(AtomicU8);

impl Attention {
    /// Whether nobody looks. A relaxed load: a call that is a moment late in seeing a bit counts as one that was under way.
    #[inline]
    pub(crate) fn is_clear(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn is_raised(&self, reason: Reason) -> bool {
        self.0.load(Ordering::Relaxed) & reason as u8 != 0
    }

    pub(crate) fn raise(&self, reason: Reason) {
        self.0.fetch_or(reason as u8, Ordering::Relaxed);
    }

    pub(crate) fn lower(&self, reason: Reason) {
        self.0.fetch_and(!(reason as u8), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_that_goes_leaves_the_others() {
        let attention = Attention::default();
        assert!(attention.is_clear());
        attention.raise(Reason::BackingOff);
        attention.raise(Reason::Quarantined);
        attention.lower(Reason::BackingOff);
        assert!(attention.is_raised(Reason::Quarantined) && !attention.is_raised(Reason::BackingOff));
        attention.lower(Reason::Quarantined);
        assert!(attention.is_clear());
    }
}
