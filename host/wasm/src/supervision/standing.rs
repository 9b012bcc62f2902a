//! How a component stands: a machine without a clock and without chance, which are handed to it.
//!
//! ```text
//!            first strike               time is over
//! serving ----------------> serving <---------------- backing off
//!    |                                                    ^  |
//!    |  further strikes                                   |  | (late news of the same failure: no strike)
//!    +----------------------------------------------------+--+
//!    |  as many strikes as there may be
//!    +--------------> quarantined --- released by a person ---> serving
//! ```
//!
//! Good time forgives strikes, one after the other. Time in a back-off is no good time: nothing served then.

use std::time::Duration;

use larder_core::Timestamp;

use super::rules::SupervisionRules;

/// Doublings of the back-off after which it grows no more, whatever the rules say: 2^20 times is past any use.
const DOUBLINGS_MAX: u32 = 20;

/// How a component stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    state: State,
    strikes: u32,
    /// Since when it has served without a strike that is not forgiven yet.
    good_since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    Serving,
    BackingOff { since: Timestamp, wait: Duration },
    Quarantined { since: Timestamp, why: String },
}

/// What a strike led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The instance is replaced at once.
    GoOn,
    /// No instance is started for so long.
    BackOff(Duration),
    /// No instance is started any more.
    Quarantine,
    /// It was known already.
    Known,
}

/// Whether a call may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    /// It may.
    Granted,
    /// It may, and the back-off has just ended with it.
    Resumed,
    /// Not before that long.
    Later(Duration),
    /// Not until somebody releases the component.
    Never {
        /// Since when.
        since: Timestamp,
        /// What it did last.
        why: String,
    },
}

impl Standing {
    /// Of a component that nobody has called yet.
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { state: State::Serving, strikes: 0, good_since: now }
    }

    /// Counts a failure. `chance` is anything from 0 to 1, and spreads the back-off over the upper half of its length, so that
    /// hosts which failed together don't come back together.
    pub(crate) fn strike(
        &mut self,
        now: Timestamp,
        rules: &SupervisionRules,
        chance: f64,
        why: &str,
    ) -> Verdict {
        if self.state != State::Serving && self.admission(now) != Admission::Resumed {
            // A call that was under way when the back-off began tells nothing new.
            return Verdict::Known;
        }
        self.forgive(now, rules);
        self.strikes = self.strikes.saturating_add(1);
        self.good_since = now;
        if self.strikes >= rules.strikes_max {
            self.state = State::Quarantined { since: now, why: why.to_owned() };
            return Verdict::Quarantine;
        }
        let Some(doublings) = self.strikes.checked_sub(2) else { return Verdict::GoOn };
        let whole = rules
            .backoff
            .saturating_mul(1 << doublings.min(DOUBLINGS_MAX))
            .min(rules.backoff_max.max(rules.backoff));
        let wait = whole.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0);
        self.state = State::BackingOff { since: now, wait };
        Verdict::BackOff(wait)
    }

    /// Asks for a call, and ends a back-off whose time is over.
    pub(crate) fn admit(&mut self, now: Timestamp) -> Admission {
        // A clock that was set back would make the wait as much longer.
        if let State::BackingOff { since, .. } = &mut self.state {
            *since = (*since).min(now);
        }
        let admission = self.admission(now);
        if admission == Admission::Resumed {
            self.state = State::Serving;
            self.good_since = now;
        }
        admission
    }

    fn admission(&self, now: Timestamp) -> Admission {
        match &self.state {
            State::Serving => Admission::Granted,
            State::BackingOff { since, wait } => match wait.checked_sub(now.since(*since)) {
                None | Some(Duration::ZERO) => Admission::Resumed,
                Some(left) => Admission::Later(left),
            },
            State::Quarantined { since, why } => Admission::Never { since: *since, why: why.clone() },
        }
    }

    /// Looks without changing anything: a back-off whose time is over is told as what it is, over.
    pub(crate) fn look(&self, now: Timestamp) -> Admission {
        self.admission(now)
    }

    pub(crate) fn is_backing_off(&self) -> bool {
        matches!(self.state, State::BackingOff { .. })
    }

    pub(crate) fn is_quarantined(&self) -> bool {
        matches!(self.state, State::Quarantined { .. })
    }

    /// Whether there is nothing to remember.
    pub(crate) fn is_clean(&self) -> bool {
        self.strikes == 0 && self.state == State::Serving
    }

    /// Forgets all strikes and ends whatever they led to.
    pub(crate) fn release(&mut self, now: Timestamp) {
        *self = Self::new(now);
    }

    /// The strikes that are not forgiven yet.
    pub(crate) fn strikes(&self, now: Timestamp, rules: &SupervisionRules) -> u32 {
        let mut then = self.clone();
        then.forgive(now, rules);
        then.strikes
    }

    fn forgive(&mut self, now: Timestamp, rules: &SupervisionRules) {
        if self.state == State::Serving && !rules.forgive_after.is_zero() {
            let good = now.since(self.good_since).as_millis();
            let forgiven = good / rules.forgive_after.as_millis().max(1);
            let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
            if forgiven > 0 {
                self.strikes = self.strikes.saturating_sub(forgiven);
                let step = rules.forgive_after.saturating_mul(forgiven);
                self.good_since = self.good_since.after(step).min(now);
            }
        }
    }
}

#[cfg(test)]
mod tests;
