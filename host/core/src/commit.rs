//! Commits: every way to write. Set, delete, compare-and-swap, increment, batch and transaction are
//! all a [`Commit`].

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;

use crate::{Capabilities, Error, Key, Result, Version};

/// What a check expects of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// There is no entry.
    Absent,
    /// There is one.
    Present,
    /// There is one of this version.
    Version(Version),
}

/// A condition on a key; a commit happens only if all its checks hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The key.
    pub key: Key,
    /// What must be so.
    pub expect: Expectation,
}

/// What to do with a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Store a value; without `ttl` it stays, whatever expiry the entry had before.
    Put {
        /// The bytes.
        value: Bytes,
        /// How long it lives, from 1 ms on.
        ttl: Option<Duration>,
    },
    /// Remove the entry; removing what is not there succeeds.
    Delete,
    /// Add to a counter; an absent key counts as 0, an expiry stays as it is.
    Add(i64),
}

/// A change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The key.
    pub key: Key,
    /// What becomes of it.
    pub change: Change,
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Stored, with its new version.
    Written(Version),
    /// Whether there was something to delete.
    Deleted(bool),
    /// The counter's new value.
    Added(i64),
}

/// Checks and writes that happen together or not at all, also across keys.
///
/// A key is written at most once in a commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// What must hold.
    pub checks: Vec<Check>,
    /// What then happens.
    pub writes: Vec<Write>,
}

impl Commit {
    /// An empty commit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a check.
    #[must_use]
    pub fn check(mut self, key: Key, expect: Expectation) -> Self {
        self.checks.push(Check { key, expect });
        self
    }

    /// Adds a put without expiry.
    #[must_use]
    pub fn put(self, key: Key, value: impl Into<Bytes>) -> Self {
        self.write(key, Change::Put { value: value.into(), ttl: None })
    }

    /// Adds a put that expires.
    #[must_use]
    pub fn put_with_ttl(self, key: Key, value: impl Into<Bytes>, ttl: Duration) -> Self {
        self.write(key, Change::Put { value: value.into(), ttl: Some(ttl) })
    }

    /// Adds a deletion.
    #[must_use]
    pub fn delete(self, key: Key) -> Self {
        self.write(key, Change::Delete)
    }

    /// Adds an addition to a counter.
    #[must_use]
    pub fn add(self, key: Key, delta: i64) -> Self {
        self.write(key, Change::Add(delta))
    }

    /// Adds a write.
    #[must_use]
    pub fn write(mut self, key: Key, change: Change) -> Self {
        self.writes.push(Write { key, change });
        self
    }

    /// What a backend must be able to do for this commit.
    pub fn required(&self) -> Capabilities {
        let mut needed = Capabilities::empty();
        if !self.checks.is_empty() {
            needed |= Capabilities::VERSIONS;
        }
        let target = self.writes.first().map(|w| &w.key);
        if self.writes.len() > 1 || self.checks.iter().any(|c| target.is_some_and(|t| *t != c.key)) {
            needed |= Capabilities::TRANSACTIONS;
        }
        if self.writes.is_empty() && self.checks.len() > 1 {
            needed |= Capabilities::TRANSACTIONS;
        }
        for write in &self.writes {
            match write.change {
                Change::Put { ttl: Some(_), .. } => needed |= Capabilities::TTL,
                Change::Add(_) => needed |= Capabilities::COUNTERS,
                Change::Put { .. } | Change::Delete => {}
            }
        }
        needed
    }

    /// Refuses a commit that writes a key twice.
    pub(crate) fn check_distinct_writes(&self) -> Result<()> {
        if self.writes.len() < 2 {
            return Ok(());
        }
        let mut seen = HashSet::with_capacity(self.writes.len());
        match self.writes.iter().find(|w| !seen.insert(&w.key)) {
            None => Ok(()),
            Some(twice) => Err(Error::invalid("a commit writes this key twice").with("key", &twice.key)),
        }
    }
}
