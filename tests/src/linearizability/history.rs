//! What clients asked and were told, and when.

use std::{
    collections::BTreeMap,
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use larder_core::{Change, Check, Commit, Error, Expectation, Key, Outcome, Version};

use super::search::{self, Violation};

/// What a client asks of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// Read it.
    Get,
    /// Store a number, under a condition or without one.
    Put(Option<Expectation>, i64),
    /// Delete it, under a condition or without one.
    Delete(Option<Expectation>),
    /// Add to it, under a condition or without one.
    Add(Option<Expectation>, i64),
}

impl Call {
    /// The commit that asks this of `key`; none for a read.
    pub fn commit(&self, key: &Key) -> Option<Commit> {
        let (expect, change) = match *self {
            Self::Get => return None,
            Self::Put(expect, value) => {
                (expect, Change::Put { value: larder_core::counter::encode(value), ttl: None })
            }
            Self::Delete(expect) => (expect, Change::Delete),
            Self::Add(expect, delta) => (expect, Change::Add(delta)),
        };
        let mut commit = Commit::new().write(key.clone(), change);
        commit.checks.extend(expect.map(|expect| Check { key: key.clone(), expect }));
        Some(commit)
    }

    /// The condition under which it writes.
    pub fn condition(&self) -> Option<Expectation> {
        match *self {
            Self::Get => None,
            Self::Put(expect, _) | Self::Delete(expect) | Self::Add(expect, _) => expect,
        }
    }
}

/// What a client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// What a read saw: a number and its version.
    Seen(Option<(i64, Version)>),
    /// The version of what was put.
    Written(Version),
    /// Whether there was something to delete.
    Deleted(bool),
    /// The sum.
    Added(i64),
    /// The condition did not hold, and nothing was written.
    Conflict,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Written(version) => Self::Written(version),
            Outcome::Deleted(found) => Self::Deleted(found),
            Outcome::Added(sum) => Self::Added(sum),
        }
    }
}

/// One call, from the moment before it to the moment after it.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// What was asked.
    pub call: Call,
    /// When it was asked, by the history's clock.
    pub called: u64,
    /// When the answer was there and what it was; none where the effect is unknown.
    pub returned: Option<(u64, Answer)>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, call, called, returned } = self;
        match returned {
            Some((at, answer)) => write!(f, "client {client}, {called} to {at}: {call:?} = {answer:?}"),
            None => write!(f, "client {client}, from {called} on: {call:?}, with unknown effect"),
        }
    }
}

/// A call that failed.
#[derive(Debug)]
pub struct Failure {
    /// What was asked.
    pub call: Call,
    /// What came of it.
    pub error: Error,
}

/// All that clients asked of a store.
#[derive(Debug, Default)]
pub struct History {
    /// By key, in the order of their calls. What failed without effect is not there: it did not happen.
    pub operations: BTreeMap<String, Vec<Operation>>,
    /// What failed, conflicts aside.
    pub failures: Vec<Failure>,
}

impl History {
    /// Adds an operation.
    pub fn add(&mut self, key: &Key, operation: Operation) {
        self.operations.entry(key.to_string()).or_default().push(operation);
    }

    /// Adds all that another history has, which has the same clock.
    pub fn merge(&mut self, other: History) {
        for (key, operations) in other.operations {
            self.operations.entry(key).or_default().extend(operations);
        }
        self.failures.extend(other.failures);
    }

    /// Operations that were answered.
    pub fn answered(&self) -> usize {
        self.operations.values().flatten().filter(|operation| operation.returned.is_some()).count()
    }

    /// Operations of which nobody knows whether they happened.
    pub fn unknown(&self) -> usize {
        self.operations.values().flatten().filter(|operation| operation.returned.is_none()).count()
    }

    /// Searches for an order of the operations that explains every answer.
    ///
    /// # Errors
    /// The first key for which there is none, or none was found within the search's limit.
    pub fn check(&self) -> Result<(), Violation> {
        for (key, operations) in &self.operations {
            search::check(operations).map_err(|violation| violation.of_key(key))?;
        }
        Ok(())
    }
}

/// Counts moments: an operation that has returned before another was called has the smaller number.
#[derive(Debug, Default)]
pub(super) struct Moments(AtomicU64);

impl Moments {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}
