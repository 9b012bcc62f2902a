//! The in-memory store: complete, and plain enough to be the model that others are compared with.
//!
//! One `BTreeMap` behind a lock. Expired entries are invisible at once; each commit removes a few of
//! them, so that memory does not grow with what has expired.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use crate::{
    BoxFuture, Change, Check, Clock, Commit, Description, Entry, Error, Expectation, Key, KvStore, Outcome,
    Page, Result, Scan, SystemClock, Timestamp, Version, Want, Write, counter,
    limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};

/// How many expired entries a commit removes besides its own work.
const SWEEP_PER_COMMIT: usize = 8;

/// A key-value store in memory, with every capability. Not durable.
pub struct MemoryKv {
    clock: Arc<dyn Clock>,
    description: Description,
    state: RwLock<State>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Key, Entry>,
    expiries: BTreeSet<(Timestamp, Key)>,
    version_last: u64,
}

impl MemoryKv {
    /// An empty store on the clock of the machine.
    pub fn new() -> Self {
        Self::with_clock(Arc::new(SystemClock))
    }

    /// An empty store on another clock.
    pub fn with_clock(clock: Arc<dyn Clock>) -> Self {
        Self { clock, description: Description::full(), state: RwLock::default() }
    }

    /// The same store with other limits or fewer capabilities.
    #[must_use]
    pub fn with_description(mut self, description: Description) -> Self {
        self.description = description;
        self
    }

    // A panic while the lock is held leaves the state whole: a commit changes it only after all its
    // checks passed, and nothing in between panics.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn get_now(&self, key: &Key) -> Result<Option<Entry>> {
        self.description.check_key(key)?;
        Ok(self.read().live(key, self.clock.now()).cloned())
    }

    fn get_many_now(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.description.check_keys(keys)?;
        let (state, now) = (self.read(), self.clock.now());
        Ok(keys.iter().map(|key| state.live(key, now).cloned()).collect())
    }

    fn scan_now(&self, scan: &Scan) -> Result<Page> {
        self.description.check_scan(scan)?;
        Ok(self.read().page(scan, self.clock.now()))
    }

    fn commit_now(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        self.description.check_commit(commit)?;
        let now = self.clock.now();
        let mut state = self.write();
        state.check(&commit.checks, now)?;
        let planned = state.plan(&commit.writes, now)?;
        let outcomes = planned.into_iter().map(|step| state.apply(step)).collect();
        state.sweep(now, SWEEP_PER_COMMIT);
        Ok(outcomes)
    }
}

impl Default for MemoryKv {
    fn default() -> Self {
        Self::new()
    }
}

/// A write whose result is known and can't fail any more.
enum Step {
    Put { key: Key, value: Bytes, expires_at: Option<Timestamp>, added: Option<i64> },
    Delete { key: Key, existed: bool },
}

impl State {
    fn live(&self, key: &Key, now: Timestamp) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| is_live(entry, now))
    }

    fn check(&self, checks: &[Check], now: Timestamp) -> Result<()> {
        for Check { key, expect } in checks {
            let entry = self.live(key, now);
            let (holds, message) = match expect {
                Expectation::Absent => (entry.is_none(), "there is an entry"),
                Expectation::Present => (entry.is_some(), "there is no entry"),
                Expectation::Version(version) => {
                    (entry.is_some_and(|e| e.version == *version), "the version is another")
                }
            };
            if !holds {
                return Err(Error::conflict(message, key));
            }
        }
        Ok(())
    }

    fn plan(&self, writes: &[Write], now: Timestamp) -> Result<Vec<Step>> {
        let step = |write: &Write| {
            let key = write.key.clone();
            let current = self.live(&key, now);
            Ok(match &write.change {
                Change::Put { value, ttl } => Step::Put {
                    key,
                    value: value.clone(),
                    expires_at: ttl.map(|ttl| now.after(ttl)),
                    added: None,
                },
                Change::Delete => Step::Delete { existed: current.is_some(), key },
                Change::Add(delta) => {
                    let sum = counter::add(current.map(|e| &e.value[..]), *delta, &key)?;
                    let expires_at = current.and_then(|e| e.expires_at);
                    Step::Put { key, value: counter::encode(sum), expires_at, added: Some(sum) }
                }
            })
        };
        writes.iter().map(step).collect()
    }

    fn apply(&mut self, step: Step) -> Outcome {
        match step {
            Step::Put { key, value, expires_at, added } => {
                self.version_last += 1;
                let version = Version(self.version_last);
                self.remove(&key);
                if let Some(at) = expires_at {
                    self.expiries.insert((at, key.clone()));
                }
                self.entries.insert(key, Entry { value, version, expires_at });
                added.map_or(Outcome::Written(version), Outcome::Added)
            }
            Step::Delete { key, existed } => {
                self.remove(&key);
                Outcome::Deleted(existed)
            }
        }
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Entry { expires_at: Some(at), .. }) = self.entries.remove(key) {
            self.expiries.remove(&(at, key.clone()));
        }
    }

    fn sweep(&mut self, now: Timestamp, limit: usize) {
        for _ in 0..limit {
            match self.expiries.first() {
                Some((at, key)) if *at <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }

    fn page(&self, scan: &Scan, now: Timestamp) -> Page {
        let mut page = Page::default();
        if scan.range.is_empty() {
            return page;
        }
        let limit = scan.limit.min(PAGE_ENTRIES_MAX) as usize;
        let end = scan.range.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let range = self.entries.range::<str, _>((Bound::Included(&*scan.range.start), end));
        let mut bytes = 0_usize;
        for (key, entry) in range.filter(|(_, entry)| is_live(entry, now)) {
            let value = match scan.want {
                Want::Entries => entry.value.clone(),
                Want::Keys => Bytes::new(),
            };
            bytes += key.len() + value.len();
            let full = page.entries.len() == limit || (bytes > PAGE_BYTES_MAX && !page.entries.is_empty());
            if full {
                page.next = Some(key.clone());
                break;
            }
            page.entries.push((key.clone(), Entry { value, ..*entry }));
        }
        page
    }
}

fn is_live(entry: &Entry, now: Timestamp) -> bool {
    entry.expires_at.is_none_or(|at| now < at)
}

impl KvStore for MemoryKv {
    fn describe(&self) -> Description {
        self.description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.get_now(key) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move { self.get_many_now(keys) })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.scan_now(scan) })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move { self.commit_now(commit) })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Display for MemoryKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("memory")
    }
}

impl fmt::Debug for MemoryKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryKv({} entries)", self.read().entries.len())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::executor::block_on;

    use super::*;
    use crate::{KeyRange, ManualClock};

    fn key(text: &str) -> Key {
        Key::new(text).unwrap()
    }

    #[test]
    fn expired_entries_are_invisible_at_once_and_removed_by_later_commits() {
        let clock = Arc::new(ManualClock::default());
        let store = MemoryKv::with_clock(clock.clone());
        let second = Duration::from_secs(1);
        block_on(store.commit(&Commit::new().put_with_ttl(key("a"), "1", second))).unwrap();
        clock.advance(second - Duration::from_millis(1));
        assert!(block_on(store.get(&key("a"))).unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        assert!(block_on(store.get(&key("a"))).unwrap().is_none());
        assert_eq!(store.read().entries.len(), 1);
        block_on(store.commit(&Commit::new().put(key("b"), "2"))).unwrap();
        assert_eq!(store.read().entries.len(), 1);
        assert!(store.read().expiries.is_empty());
    }

    #[test]
    fn a_failing_write_leaves_the_others_of_its_commit_undone() {
        let store = MemoryKv::new();
        block_on(store.commit(&Commit::new().put(key("n"), "no number"))).unwrap();
        let commit = Commit::new().put(key("a"), "1").add(key("n"), 1);
        assert_eq!(block_on(store.commit(&commit)).unwrap_err().kind(), crate::ErrorKind::Invalid);
        assert!(block_on(store.get(&key("a"))).unwrap().is_none());
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended() {
        let store = MemoryKv::new();
        for name in ["p:a", "p:b", "p:c", "q"] {
            block_on(store.commit(&Commit::new().put(key(name), name.to_owned()))).unwrap();
        }
        let range = KeyRange::prefix("p:");
        let first = block_on(store.scan(&Scan::new(range.clone()).limit(2))).unwrap();
        assert_eq!(first.next, Some(key("p:c")));
        let second = block_on(store.scan(&Scan::new(range.resume(&key("p:c"))).limit(2))).unwrap();
        assert_eq!(second.entries.len(), 1);
        assert_eq!(second.next, None);
    }
}
