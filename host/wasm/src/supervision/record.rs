//! One record per component, whoever uses it: what is quarantined for one plugin is so for each with the same bytes.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use larder_core::{Error, ErrorKind, Timestamp};

use super::{
    attention::{Attention, Reason},
    rules::SupervisionRules,
    standing::{Admission, Standing, Verdict},
};

/// How a component stands, and who wants to know at once.
#[derive(Debug)]
pub(crate) struct Record {
    digest: String,
    known: Mutex<Known>,
    /// Seeded at random by the standard library, which is all that spreading waits needs.
    chance: RandomState,
}

#[derive(Debug)]
struct Known {
    standing: Standing,
    watchers: Vec<Weak<Attention>>,
    draws: u64,
}

/// The records of all components that an engine has run.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<HashMap<String, Arc<Record>>>);

impl Registry {
    /// The record of a component. Those that nobody uses, with nothing on them, are forgotten by the way.
    pub(crate) fn record(&self, digest: &str, now: Timestamp) -> Arc<Record> {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|known, record| {
            known == digest || Arc::strong_count(record) > 1 || !record.lock().standing.is_clean()
        });
        let new = || Arc::new(Record::new(digest, now));
        Arc::clone(records.entry(digest.to_owned()).or_insert_with(new))
    }
}

impl Record {
    fn new(digest: &str, now: Timestamp) -> Self {
        let known = Known { standing: Standing::new(now), watchers: Vec::new(), draws: 0 };
        Self { digest: digest.to_owned(), known: Mutex::new(known), chance: RandomState::new() }
    }

    /// Counts a failure of the component under the name of one plugin.
    pub(crate) fn strike(&self, now: Timestamp, rules: &SupervisionRules, plugin: &str, why: &str) {
        let mut known = self.lock();
        known.draws = known.draws.wrapping_add(1);
        let chance = fraction(self.chance.hash_one(known.draws));
        let verdict = known.standing.strike(now, rules, chance, why);
        let digest = self.digest.as_str();
        match verdict {
            Verdict::GoOn => tracing::debug!(plugin, digest, why, "a first strike"),
            Verdict::Known => {}
            Verdict::BackOff(wait) => {
                known.raise(Reason::BackingOff);
                tracing::warn!(plugin, digest, ?wait, why, "the plugin fails; its next instance waits");
            }
            Verdict::Quarantine => {
                known.raise(Reason::Quarantined);
                known.lower(Reason::BackingOff);
                tracing::error!(
                    plugin,
                    digest,
                    why,
                    "the component is quarantined: none of its code runs until it is swapped or released"
                );
            }
        }
    }

    /// Asks for a call.
    ///
    /// # Errors
    /// Why none may be made now.
    pub(crate) fn admit(&self, now: Timestamp) -> Result<(), Refused> {
        let mut known = self.lock();
        match known.standing.admit(now) {
            Admission::Granted => Ok(()),
            Admission::Resumed => {
                known.lower(Reason::BackingOff);
                Ok(())
            }
            Admission::Later(wait) => Err(Refused::BackingOff { wait }),
            Admission::Never { since, why } => Err(Refused::Quarantined { since, why }),
        }
    }

    /// The same without ending a back-off, for those who only look; with the strikes that are not forgiven.
    pub(crate) fn look(&self, now: Timestamp, rules: &SupervisionRules) -> (Result<(), Refused>, u32) {
        let known = self.lock();
        let refused = match known.standing.look(now) {
            Admission::Granted | Admission::Resumed => Ok(()),
            Admission::Later(wait) => Err(Refused::BackingOff { wait }),
            Admission::Never { since, why } => Err(Refused::Quarantined { since, why }),
        };
        (refused, known.standing.strikes(now, rules))
    }

    /// Forgets all strikes: calls go on at once.
    pub(crate) fn release(&self, now: Timestamp) {
        let mut known = self.lock();
        known.standing.release(now);
        known.lower(Reason::BackingOff);
        known.lower(Reason::Quarantined);
        tracing::info!(digest = self.digest, "the component was released: its strikes are forgotten");
    }

    /// Keeps a plugin's attention to how this component stands.
    pub(crate) fn watch(&self, attention: &Arc<Attention>) {
        let mut known = self.lock();
        known.watchers.retain(|watcher| watcher.strong_count() > 0);
        known.watchers.push(Arc::downgrade(attention));
        for (reason, stands) in [
            (Reason::BackingOff, known.standing.is_backing_off()),
            (Reason::Quarantined, known.standing.is_quarantined()),
        ] {
            if stands { attention.raise(reason) } else { attention.lower(reason) }
        }
    }

    /// Ends that: the plugin runs another component. Its bits are as they were.
    pub(crate) fn unwatch(&self, attention: &Arc<Attention>) {
        let same = |watcher: &Weak<Attention>| std::ptr::eq(watcher.as_ptr(), Arc::as_ptr(attention));
        self.lock().watchers.retain(|watcher| !same(watcher));
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn raise(&self, reason: Reason) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|attention| attention.raise(reason));
    }

    fn lower(&self, reason: Reason) {
        self.watchers.iter().filter_map(Weak::upgrade).for_each(|attention| attention.lower(reason));
    }
}

/// Why a call was not made. The source of the error that its caller gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refused {
    BackingOff { wait: Duration },
    Quarantined { since: Timestamp, why: String },
}

impl Refused {
    /// The error of a call that was not made: it changed nothing.
    pub(crate) fn into_error(self, digest: &str) -> Error {
        let error = match &self {
            Self::BackingOff { wait } => Error::new(
                ErrorKind::Unavailable,
                "the plugin failed several times, and its next instance is not started yet",
            )
            .retry_after(*wait),
            Self::Quarantined { why, .. } => Error::new(
                ErrorKind::Plugin,
                format!(
                    "the plugin's component is quarantined after too many failures, the last: {why}; swap it, or release it"
                ),
            ),
        };
        error.with("digest", digest).caused_by(NotCalled)
    }
}

/// Marks the errors of calls that supervision did not let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotCalled;

impl std::fmt::Display for NotCalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the component was not called")
    }
}

impl std::error::Error for NotCalled {}

/// From 0 to 1, by the upper half of the bits, which a double holds exactly.
fn fraction(bits: u64) -> f64 {
    let upper = u32::try_from(bits >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests;
