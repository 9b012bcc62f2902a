//! The table: entries by key, and an index of what expires when.
//!
//! The one invariant: a key is in `expiries` under the moment at which its entry expires, and only then. Times are
//! milliseconds since the Unix epoch, given by the caller, so that tests turn them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use larder_sdk::kv::{Change, Check, Entry, Outcome, Page, PageBuilder, Put, Scan, Write, counter};
use larder_sdk::{Error, Result};

/// How many expired entries a commit removes besides its own work.
const SWEEP_PER_COMMIT: usize = 8;

/// Entries in the order of their keys, with versions and expiries.
#[derive(Debug, Default)]
pub(crate) struct Table {
    pub(crate) entries: BTreeMap<String, Stored>,
    pub(crate) version_last: u64,
    expiries: BTreeSet<(u64, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    pub(crate) version: u64,
    pub(crate) expires_at: Option<u64>,
}

/// A write whose result is known and can't fail any more.
enum Step {
    Put { key: String, value: Vec<u8>, expires_at: Option<u64>, added: Option<i64> },
    Delete { key: String, existed: bool },
}

impl Table {
    /// Reads an entry. The clock is asked only where the entry can expire, since that is a call into the host.
    pub(crate) fn get(&self, key: &str, now: impl FnOnce() -> u64) -> Option<Entry> {
        let stored = self.entries.get(key)?;
        let now = if stored.expires_at.is_some() { now() } else { 0 };
        if stored.is_live(now) { Some(stored.entry(now, false)) } else { None }
    }

    /// Reads a page.
    pub(crate) fn scan(&self, scan: &Scan, now: u64) -> Page {
        let mut page = PageBuilder::new(scan);
        if scan.is_empty() {
            return page.ending();
        }
        let end = scan.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.entries.range::<str, _>((Bound::Included(&*scan.start), end));
        for (key, stored) in range.filter(|(_, stored)| stored.is_live(now)) {
            let value_bytes = if scan.keys_only { 0 } else { stored.value.len() };
            if !page.has_room(key, value_bytes) {
                return page.ending_before(key);
            }
            page.push(key, stored.entry(now, scan.keys_only));
        }
        page.ending()
    }

    /// Applies all checks and writes, or nothing.
    ///
    /// # Errors
    /// `conflict` with the key of the first check that does not hold; `invalid` where an `add` can't be done.
    pub(crate) fn commit(&mut self, checks: &[Check], writes: Vec<Write>, now: u64) -> Result<Vec<Outcome>> {
        for check in checks {
            if !check.expect.holds(self.live(&check.key, now).map(|stored| stored.version)) {
                return Err(Error::conflict(&*check.key));
            }
        }
        let planned: Result<Vec<Step>> = writes.into_iter().map(|write| self.plan(write, now)).collect();
        let outcomes = planned?.into_iter().map(|step| self.apply(step)).collect();
        self.sweep(now);
        Ok(outcomes)
    }

    /// Puts an entry in as it was saved.
    pub(crate) fn insert(&mut self, key: String, stored: Stored) {
        self.remove(&key);
        if let Some(at) = stored.expires_at {
            self.expiries.insert((at, key.clone()));
        }
        self.entries.insert(key, stored);
    }

    fn live(&self, key: &str, now: u64) -> Option<&Stored> {
        self.entries.get(key).filter(|stored| stored.is_live(now))
    }

    fn plan(&self, Write { key, change }: Write, now: u64) -> Result<Step> {
        Ok(match change {
            Change::Put(Put { value, ttl_ms }) => {
                let expires_at = ttl_ms.map(|ttl| now.saturating_add(ttl));
                Step::Put { key, value, expires_at, added: None }
            }
            Change::Delete => Step::Delete { existed: self.live(&key, now).is_some(), key },
            Change::Add(delta) => {
                let current = self.live(&key, now);
                let sum = counter::add(current.map(|stored| &*stored.value), delta, &key)?;
                let expires_at = current.and_then(|stored| stored.expires_at);
                Step::Put { key, value: counter::encode(sum), expires_at, added: Some(sum) }
            }
        })
    }

    fn apply(&mut self, step: Step) -> Outcome {
        match step {
            Step::Put { key, value, expires_at, added } => {
                self.version_last += 1;
                let version = self.version_last;
                self.insert(key, Stored { value, version, expires_at });
                added.map_or(Outcome::Written(version), Outcome::Added)
            }
            Step::Delete { key, existed } => {
                self.remove(&key);
                Outcome::Deleted(existed)
            }
        }
    }

    fn remove(&mut self, key: &str) {
        if let Some((key, Stored { expires_at: Some(at), .. })) = self.entries.remove_entry(key) {
            self.expiries.remove(&(at, key));
        }
    }

    fn sweep(&mut self, now: u64) {
        for _ in 0..SWEEP_PER_COMMIT {
            match self.expiries.first() {
                Some((at, key)) if *at <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }
}

impl Stored {
    fn is_live(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    fn entry(&self, now: u64, key_only: bool) -> Entry {
        Entry {
            value: if key_only { Vec::new() } else { self.value.clone() },
            version: self.version,
            expires_in_ms: self.expires_at.map(|at| at.saturating_sub(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, value: &str, ttl_ms: Option<u64>) -> Write {
        Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms }) }
    }

    #[test]
    fn an_expired_entry_is_invisible_at_once_and_removed_by_a_later_commit() {
        let mut table = Table::default();
        table.commit(&[], vec![put("a", "1", Some(1_000))], 0).unwrap();
        assert_eq!(table.get("a", || 999).unwrap().expires_in_ms, Some(1));
        assert_eq!(table.get("a", || 1_000), None);
        assert_eq!(table.entries.len(), 1);
        table.commit(&[], vec![put("b", "1", None)], 1_000).unwrap();
        assert_eq!(table.entries.len(), 1);
        assert!(table.expiries.is_empty());
    }

    #[test]
    fn a_failing_write_leaves_the_others_of_its_commit_undone() {
        let mut table = Table::default();
        table.commit(&[], vec![put("n", "no number", None)], 0).unwrap();
        let add = Write { key: "n".into(), change: Change::Add(1) };
        assert!(matches!(table.commit(&[], vec![put("a", "1", None), add], 0), Err(Error::Invalid(_))));
        assert_eq!(table.get("a", || 0), None);
    }

    #[test]
    fn an_addition_keeps_the_expiry_and_a_put_forgets_it() {
        let mut table = Table::default();
        let add = || vec![Write { key: "n".into(), change: Change::Add(2) }];
        table.commit(&[], vec![put("n", "1", Some(100))], 0).unwrap();
        assert_eq!(table.commit(&[], add(), 50).unwrap(), [Outcome::Added(3)]);
        assert_eq!(table.get("n", || 60).unwrap().expires_in_ms, Some(40));
        table.commit(&[], vec![put("n", "1", None)], 60).unwrap();
        assert_eq!(table.get("n", || 1_000).unwrap().expires_in_ms, None);
        assert!(table.expiries.is_empty());
    }
}
