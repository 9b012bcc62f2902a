//! The table: entries by key, and an index of what expires when.
//!
//! The one invariant: a key is in `expiries` under the moment at which its entry expires, and only then. Times are
//! milliseconds since the Unix epoch, given by the caller, so that tests turn them.

use std::{
    borrow::Borrow,
    cmp::Ordering,
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
    pub(crate) entries: BTreeMap<OrderedKey, Stored>,
    pub(crate) version_last: u64,
    expiries: BTreeSet<(u64, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) value: Vec<u8>,
    pub(crate) version: u64,
    pub(crate) expires_at: Option<u64>,
}

/// A key in the order of its bytes, compared eight at a time. Keys share long beginnings (`https://…`), and what libc has
/// for comparing bytes in WebAssembly goes one by one.
#[derive(Debug, Clone)]
pub(crate) struct OrderedKey(pub(crate) String);

/// What an [`OrderedKey`] is looked up by: a text that is borrowed.
trait Ordered {
    fn text(&self) -> &str;
}

impl Ordered for OrderedKey {
    fn text(&self) -> &str {
        &self.0
    }
}

impl Ordered for &str {
    fn text(&self) -> &str {
        self
    }
}

impl<'a> Borrow<dyn Ordered + 'a> for OrderedKey {
    fn borrow(&self) -> &(dyn Ordered + 'a) {
        self
    }
}

impl Ord for dyn Ordered + '_ {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.text().as_bytes(), other.text().as_bytes())
    }
}

impl PartialOrd for dyn Ordered + '_ {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for dyn Ordered + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for dyn Ordered + '_ {}

impl Ord for OrderedKey {
    fn cmp(&self, other: &Self) -> Ordering {
        compare(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl PartialOrd for OrderedKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for OrderedKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for OrderedKey {}

fn compare(a: &[u8], b: &[u8]) -> Ordering {
    let ((a_words, a_rest), (b_words, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a_word, b_word) in a_words.iter().zip(b_words) {
        match u64::from_be_bytes(*a_word).cmp(&u64::from_be_bytes(*b_word)) {
            Ordering::Equal => {}
            decided => return decided,
        }
    }
    match a_words.len().cmp(&b_words.len()) {
        Ordering::Equal => a_rest.cmp(b_rest),
        // One has a whole word where the other has its last bytes, or nothing.
        Ordering::Less => a_rest.cmp(b_words.get(a_words.len()).map_or(&[][..], |word| word)),
        Ordering::Greater => a_words.get(b_words.len()).map_or(&[][..], |word| word).cmp(b_rest),
    }
}

/// A write whose result is known and can't fail any more.
enum Step {
    Put { key: String, value: Vec<u8>, expires_at: Option<u64>, added: Option<i64> },
    Delete { key: String, existed: bool },
}

impl Table {
    /// Reads an entry. The clock is asked only where the entry can expire, since that is a call into the host.
    pub(crate) fn get(&self, key: &str, now: impl FnOnce() -> u64) -> Option<Entry> {
        let stored = self.entries.get(&key as &dyn Ordered)?;
        let now = if stored.expires_at.is_some() { now() } else { 0 };
        if stored.is_live(now) { Some(stored.entry(now, false)) } else { None }
    }

    /// Reads a page.
    pub(crate) fn scan(&self, scan: &Scan, now: u64) -> Page {
        let mut page = PageBuilder::new(scan);
        if scan.is_empty() {
            return page.ending();
        }
        let (start, end) = (&*scan.start, scan.end.as_deref());
        let start: &dyn Ordered = &start;
        let end = end.as_ref().map_or(Bound::Unbounded, |end| Bound::Excluded(end as &dyn Ordered));
        let range = self.entries.range::<dyn Ordered, _>((Bound::Included(start), end));
        for (OrderedKey(key), stored) in range.filter(|(_, stored)| stored.is_live(now)) {
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
        self.entries.insert(OrderedKey(key), stored);
    }

    fn live(&self, key: &str, now: u64) -> Option<&Stored> {
        self.entries.get(&key as &dyn Ordered).filter(|stored| stored.is_live(now))
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
        let removed = self.entries.remove_entry(&key as &dyn Ordered);
        if let Some((OrderedKey(key), Stored { expires_at: Some(at), .. })) = removed {
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
    fn keys_compared_by_words_are_in_the_order_of_their_bytes() {
        let parts =
            ["", "a", "b", "aaaaaaa", "aaaaaaaa", "aaaaaaab", "aaaaaaaaa", "\u{7f}", "ä", "\u{10ffff}"];
        let texts: Vec<String> = parts.iter().flat_map(|a| parts.map(|b| format!("{a}{b}"))).collect();
        for a in &texts {
            for b in &texts {
                assert_eq!(
                    compare(a.as_bytes(), b.as_bytes()),
                    a.as_bytes().cmp(b.as_bytes()),
                    "{a:?} {b:?}"
                );
            }
        }
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
