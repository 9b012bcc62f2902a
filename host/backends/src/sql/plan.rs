//! How a commit is carried out, and what it does to what is stored: pure, and alike for every dialect.

use std::collections::BTreeMap;

use bytes::Bytes;
use larder_core::{Change, Check, Commit, Entry, Error, Expectation, Key, Outcome, Result, Write, counter};

use super::driver::{Expiry, Put, States};

/// The cheapest way that is sound.
#[derive(Debug)]
pub(super) enum Plan<'a> {
    /// There is nothing to do.
    Nothing,
    /// Nothing is written: one statement reads all keys at one moment.
    Look,
    /// One statement writes one key, and checks that key alone.
    One { write: &'a Write, expect: Option<Expectation> },
    /// One statement puts many keys, without looking.
    Puts(Vec<Put<'a>>),
    /// Everything else: take the keys, look, decide, write.
    Transaction,
}

impl<'a> Plan<'a> {
    pub(super) fn of(commit: &'a Commit, adds_at_once: bool) -> Self {
        match (commit.checks.as_slice(), commit.writes.as_slice()) {
            ([], []) => Self::Nothing,
            (_, []) => Self::Look,
            ([], [write]) if adds_at_once || !matches!(write.change, Change::Add(_)) => {
                Self::One { write, expect: None }
            }
            ([check], [write]) if check.key == write.key => match (&write.change, check.expect) {
                (Change::Put { .. }, expect)
                | (Change::Delete, expect @ (Expectation::Present | Expectation::Version(_))) => {
                    Self::One { write, expect: Some(expect) }
                }
                _ => Self::Transaction,
            },
            ([], writes) => match writes.iter().map(blind_put).collect() {
                Some(puts) => Self::Puts(puts),
                None => Self::Transaction,
            },
            _ => Self::Transaction,
        }
    }
}

fn blind_put(write: &Write) -> Option<Put<'_>> {
    let Change::Put { value, ttl } = &write.change else { return None };
    let expiry = ttl.map_or(Expiry::Never, |ttl| Expiry::After(larder_core::Timestamp(0).after(ttl).0));
    Some(Put { key: &write.key, value, expiry })
}

/// The keys that a commit looks at or writes, each once, in ascending order.
pub(super) fn keys(commit: &Commit) -> Vec<&Key> {
    let mut keys: Vec<&Key> = commit
        .checks
        .iter()
        .map(|check| &check.key)
        .chain(commit.writes.iter().map(|write| &write.key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Holds the checks against what is stored.
///
/// # Errors
/// `conflict`, naming the key of the first check that does not hold.
pub(super) fn check(checks: &[Check], stored: &BTreeMap<&Key, &Entry>) -> Result<()> {
    checks.iter().try_for_each(|Check { key, expect }| {
        let entry = stored.get(key);
        let holds = match expect {
            Expectation::Absent => entry.is_none(),
            Expectation::Present => entry.is_some(),
            Expectation::Version(version) => entry.is_some_and(|entry| entry.version == *version),
        };
        if holds { Ok(()) } else { Err(conflict(*expect, key)) }
    })
}

/// The check on `key` did not hold.
pub(super) fn conflict(expect: Expectation, key: &Key) -> Error {
    let message = match expect {
        Expectation::Absent => "there is an entry",
        Expectation::Present => "there is no entry",
        Expectation::Version(_) => "the version is another",
    };
    Error::conflict(message, key)
}

/// What a commit does, once its checks have held and its counters are known.
#[derive(Debug, Default)]
pub(super) struct Steps<'a> {
    /// Keys, values and expiries to store.
    puts: Vec<(&'a Key, Bytes, Expiry)>,
    pub(super) deletes: Vec<&'a Key>,
    /// Keys without an entry that stay so.
    pub(super) absent: Vec<&'a Key>,
    /// By position of the writes: what is known already, or the position of the put whose version is the outcome.
    outcomes: Vec<Result<Outcome, usize>>,
}

impl<'a> Steps<'a> {
    /// Decides over a commit, for the states of `keys`.
    ///
    /// # Errors
    /// `conflict` for a check, `invalid` for a counter; both name the key.
    pub(super) fn decide(commit: &'a Commit, keys: &[&'a Key], states: &States) -> Result<Self> {
        let stored = by_key(keys, states);
        check(&commit.checks, &stored)?;
        let mut steps = Self::default();
        for Write { key, change } in &commit.writes {
            let current = stored.get(key);
            match change {
                Change::Put { value, ttl } => {
                    let expiry = ttl.map_or(Expiry::Never, |ttl| Expiry::At(states.now.after(ttl)));
                    steps.outcomes.push(Err(steps.puts.len()));
                    steps.puts.push((key, value.clone(), expiry));
                }
                Change::Delete => {
                    steps.outcomes.push(Ok(Outcome::Deleted(current.is_some())));
                    steps.deletes.push(key);
                }
                Change::Add(delta) => {
                    let sum = counter::add(current.map(|entry| &entry.value[..]), *delta, key)?;
                    let expiry = current.and_then(|entry| entry.expires_at).map_or(Expiry::Never, Expiry::At);
                    steps.outcomes.push(Ok(Outcome::Added(sum)));
                    steps.puts.push((key, counter::encode(sum), expiry));
                }
            }
        }
        let written: BTreeMap<&Key, ()> = commit.writes.iter().map(|write| (&write.key, ())).collect();
        let idle = |key: &&&Key| !stored.contains_key(**key) && !written.contains_key(**key);
        steps.absent = keys.iter().filter(idle).copied().collect();
        Ok(steps)
    }

    pub(super) fn puts(&self) -> Vec<Put<'_>> {
        self.puts.iter().map(|(key, value, expiry)| Put { key, value, expiry: *expiry }).collect()
    }

    /// The commit's outcomes, once the puts have their versions.
    ///
    /// # Errors
    /// `corrupt` where the database answered with fewer versions than there were puts.
    pub(super) fn outcomes(&self, written: &[Outcome]) -> Result<Vec<Outcome>> {
        let outcome = |known: &Result<Outcome, usize>| match known {
            Ok(outcome) => Ok(*outcome),
            Err(put) => written.get(*put).copied().ok_or_else(|| {
                Error::new(larder_core::ErrorKind::Corrupt, "the database answered with too few versions")
            }),
        };
        self.outcomes.iter().map(outcome).collect()
    }
}

/// The entries that are there.
pub(super) fn by_key<'a, 's>(keys: &[&'a Key], states: &'s States) -> BTreeMap<&'a Key, &'s Entry> {
    keys.iter().zip(&states.entries).filter_map(|(key, entry)| Some((*key, entry.as_ref()?))).collect()
}

#[cfg(test)]
mod tests {
    use larder_core::{ErrorKind, Timestamp, Version};

    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    #[test]
    fn a_commit_takes_the_cheapest_way_that_is_sound() {
        let put = Commit::new().put(key("a"), "1");
        assert!(matches!(Plan::of(&put, false), Plan::One { expect: None, .. }));
        let two = put.clone().put(key("b"), "2");
        assert!(matches!(Plan::of(&two, false), Plan::Puts(puts) if puts.len() == 2));
        assert!(matches!(Plan::of(&two.delete(key("c")), false), Plan::Transaction));
        let swap = put.clone().check(key("a"), Expectation::Version(Version(1)));
        assert!(matches!(Plan::of(&swap, false), Plan::One { expect: Some(_), .. }));
        // A check on another key, or a second one, needs the keys held.
        assert!(matches!(Plan::of(&put.check(key("b"), Expectation::Absent), false), Plan::Transaction));
        assert!(matches!(Plan::of(&swap.check(key("a"), Expectation::Present), false), Plan::Transaction));
        let gone = Commit::new().check(key("a"), Expectation::Absent).delete(key("a"));
        assert!(matches!(Plan::of(&gone, false), Plan::Transaction));
        let add = Commit::new().add(key("n"), 1);
        assert!(matches!(Plan::of(&add, true), Plan::One { .. }));
        assert!(matches!(Plan::of(&add, false), Plan::Transaction));
        assert!(matches!(Plan::of(&Commit::new().check(key("a"), Expectation::Absent), true), Plan::Look));
        assert!(matches!(Plan::of(&Commit::new(), true), Plan::Nothing));
    }

    #[test]
    fn checks_and_counters_see_the_state_before_the_writes() {
        let commit = Commit::new()
            .check(key("a"), Expectation::Present)
            .check(key("z"), Expectation::Absent)
            .delete(key("a"))
            .add(key("n"), 2)
            .put(key("b"), "x");
        let keys = keys(&commit);
        let names: Vec<&str> = keys.iter().map(|key| key.as_str()).collect();
        assert_eq!(names, ["a", "b", "n", "z"]);
        let entry = |value: &str| {
            Some(Entry {
                value: Bytes::copy_from_slice(value.as_bytes()),
                version: Version(1),
                expires_at: Some(Timestamp(9)),
            })
        };
        let mut states = States { now: Timestamp(5), entries: vec![entry("1"), None, entry("40"), None] };
        let steps = Steps::decide(&commit, &keys, &states).unwrap();
        let outcomes = steps.outcomes(&[Outcome::Written(Version(8)), Outcome::Written(Version(9))]).unwrap();
        assert_eq!(outcomes, [Outcome::Deleted(true), Outcome::Added(42), Outcome::Written(Version(9))]);
        assert_eq!(steps.absent, [&key("z")]);
        assert_eq!(steps.puts()[0].expiry, Expiry::At(Timestamp(9)));
        states.entries[3] = entry("1");
        let error = Steps::decide(&commit, &keys, &states).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::Conflict, Some("z")));
    }
}
