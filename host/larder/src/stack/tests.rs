//! The layers over a store that fails as it is told to.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures::executor::block_on;
use larder_core::{
    BoxFuture, Capabilities, Commit, Description, Effect, Entry, Error, ErrorKind, Expectation, Key, KvStore,
    MemoryKv, Outcome, Page, Result, Scan, Version,
};

use super::{Checked, Counters, Explained, Limited, Metered, Retried, Timed, retry::Backoff};

/// Memory that answers with the errors that were put in, one for each call, and then as it should.
#[derive(Debug, Default)]
struct Failing {
    errors: Mutex<VecDeque<Error>>,
    calls: Mutex<usize>,
    memory: MemoryKv,
}

impl Failing {
    fn with(errors: impl IntoIterator<Item = Error>) -> Arc<Self> {
        Arc::new(Self { errors: Mutex::new(errors.into_iter().collect()), ..Self::default() })
    }

    fn calls(&self) -> usize {
        *self.calls.lock().unwrap()
    }

    fn next(&self) -> Result<()> {
        *self.calls.lock().unwrap() += 1;
        self.errors.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

impl fmt::Display for Failing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("failing")
    }
}

impl KvStore for Failing {
    fn describe(&self) -> Description {
        self.memory.describe()
    }
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.next().map(|()| self.memory.get(key))?.await })
    }
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move { self.next().map(|()| self.memory.get_many(keys))?.await })
    }
    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.next().map(|()| self.memory.scan(scan))?.await })
    }
    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move { self.next().map(|()| self.memory.commit(commit))?.await })
    }
    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.next() })
    }
}

fn key() -> Key {
    Key::new("a").unwrap()
}

fn put() -> Commit {
    Commit::new().put(key(), "1")
}

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "away")
}

#[test]
fn what_is_away_for_a_moment_is_tried_again() {
    let store = Failing::with([away(), away()]);
    let retried = Retried::new(store.clone(), Backoff::at_once(2));
    block_on(retried.commit(&put())).unwrap();
    assert_eq!(store.calls(), 3);
}

#[test]
fn tries_are_bounded_and_counted_in_the_error() {
    let store = Failing::with([away(), away(), away(), away()]);
    let retried = Retried::new(store.clone(), Backoff::at_once(2));
    let error = block_on(retried.get(&key())).unwrap_err();
    assert_eq!(error.context("attempts"), Some("3"));
    assert_eq!(store.calls(), 3);
}

#[test]
fn a_write_whose_effect_is_unknown_is_never_repeated_blindly() {
    for error in [
        away().effect(Effect::Unknown),
        Error::new(ErrorKind::Timeout, "late").effect(Effect::Unknown),
        Error::new(ErrorKind::Timeout, "late"),
        Error::conflict("other version", "a"),
        Error::new(ErrorKind::Plugin, "trap"),
    ] {
        let store = Failing::with([error]);
        let retried = Retried::new(store.clone(), Backoff::at_once(5));
        assert!(block_on(retried.commit(&put())).is_err());
        assert_eq!(store.calls(), 1);
    }
}

/// A commit that puts `key` if it has this version.
fn replace(version: Version) -> Commit {
    Commit::new().check(key(), Expectation::Version(version)).put(key(), "2")
}

/// A store with an entry, that fails with these errors before it writes anything; and the entry's version.
fn with_entry(errors: impl IntoIterator<Item = Error>) -> (Arc<Failing>, Version) {
    let store = Failing::with([]);
    block_on(store.memory.commit(&put())).unwrap();
    let version = block_on(store.memory.get(&key())).unwrap().unwrap().version;
    store.errors.lock().unwrap().extend(errors);
    (store, version)
}

#[test]
fn a_write_that_its_version_holds_is_repeated_also_where_its_effect_is_unknown() {
    let (store, version) = with_entry([away().effect(Effect::Unknown)]);
    let retried = Retried::new(store.clone(), Backoff::at_once(2));
    block_on(retried.commit(&replace(version))).unwrap();
    assert_eq!(store.calls(), 2);
    // A version of a key that the commit does not write holds nothing, and neither does an absence.
    let other = Key::new("b").unwrap();
    let beside = Commit::new().check(key(), Expectation::Version(version)).put(other.clone(), "2");
    let created = Commit::new().check(other.clone(), Expectation::Absent).put(other, "2");
    for commit in [beside, created] {
        let (store, _) = with_entry([away().effect(Effect::Unknown)]);
        let retried = Retried::new(store.clone(), Backoff::at_once(2));
        assert!(block_on(retried.commit(&commit)).unwrap_err().is_effect_unknown());
        assert_eq!(store.calls(), 1);
    }
}

/// The answer to a compare-and-set was lost, its repetition met a conflict with the first attempt, and a caller who was
/// told `conflict`, so that nothing was written, would have read its own value as somebody else's.
#[test]
fn a_conflict_after_an_unknown_attempt_does_not_claim_that_nothing_was_written() {
    let (store, version) = with_entry([away().effect(Effect::Unknown)]);
    block_on(store.memory.commit(&replace(version))).unwrap();
    let retried = Retried::new(store.clone(), Backoff::at_once(2));
    let error = block_on(retried.commit(&replace(version))).unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Unavailable, true), "{error}");
    assert_eq!(store.calls(), 2);
    // Nor does a failure that had no effect of its own.
    let (store, version) = with_entry([away().effect(Effect::Unknown), away(), away()]);
    let retried = Retried::new(store.clone(), Backoff::at_once(2));
    assert!(block_on(retried.commit(&replace(version))).unwrap_err().is_effect_unknown());
    assert_eq!(store.calls(), 3);
}

#[test]
fn what_is_not_declared_does_not_reach_the_store() {
    let memory = MemoryKv::new().with_description(Description {
        capabilities: Capabilities::empty(),
        key_bytes_max: 3,
        value_bytes_max: 2,
    });
    let store = Checked::new(Arc::new(memory), Some(1));
    assert_eq!(store.describe().value_bytes_max, 1);
    let long = Key::new("abcd").unwrap();
    assert_eq!(block_on(store.get(&long)).unwrap_err().kind(), ErrorKind::Invalid);
    let scan = Scan::new(larder_core::KeyRange::all());
    assert_eq!(block_on(store.scan(&scan)).unwrap_err().kind(), ErrorKind::Unsupported);
    let add = Commit::new().add(key(), 1);
    assert_eq!(block_on(store.commit(&add)).unwrap_err().kind(), ErrorKind::Unsupported);
    let large = Commit::new().put(key(), "12");
    assert_eq!(block_on(store.commit(&large)).unwrap_err().kind(), ErrorKind::Invalid);
    block_on(store.commit(&put())).unwrap();
}

#[test]
fn an_error_says_store_operation_and_key_once() {
    let store = Explained::new(Failing::with([away(), Error::conflict("there", "a")]), "state".into());
    let error = block_on(store.get(&key())).unwrap_err();
    assert_eq!(error.to_string(), "unavailable at get: away (key: a, store: state)");
    let error = block_on(store.commit(&put())).unwrap_err();
    assert_eq!(error.to_string(), "conflict at commit: there (key: a, store: state)");
}

#[test]
fn calls_errors_hits_and_misses_are_counted() {
    let counters = Arc::new(Counters::default());
    let store = Metered::new(Failing::with([away()]), counters.clone());
    assert!(block_on(store.get(&key())).is_err());
    block_on(store.commit(&put())).unwrap();
    block_on(store.get_many(&[key(), Key::new("b").unwrap()])).unwrap();
    let metrics = counters.read();
    assert_eq!((metrics.get.calls, metrics.get.errors), (1, 1));
    assert_eq!((metrics.hits, metrics.misses, metrics.writes), (1, 1, 1));
}

/// A store that never answers and counts who is inside.
#[derive(Debug, Default)]
struct Silent(AtomicUsize);

impl Silent {
    fn never<T: Send + 'static>(&self) -> BoxFuture<'_, Result<T>> {
        Box::pin(async {
            self.0.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        })
    }
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("silent")
    }
}

impl KvStore for Silent {
    fn describe(&self) -> Description {
        Description::full()
    }
    fn get<'a>(&'a self, _: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.never()
    }
    fn get_many<'a>(&'a self, _: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        self.never()
    }
    fn scan<'a>(&'a self, _: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        self.never()
    }
    fn commit<'a>(&'a self, _: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        self.never()
    }
    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.never()
    }
}

#[tokio::test]
async fn a_late_read_changed_nothing_and_of_a_late_write_nobody_knows() {
    let store = Timed::new(Arc::new(Silent::default()), std::time::Duration::from_millis(1));
    let error = store.get(&key()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && !error.is_effect_unknown());
    let error = store.commit(&put()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Timeout && error.is_effect_unknown());
}

#[tokio::test]
async fn no_more_than_the_limit_are_inside_at_once() {
    let silent = Arc::new(Silent::default());
    let store = Limited::new(silent.clone(), 1);
    let inside = || silent.0.load(Ordering::SeqCst);
    let (key, commit) = (key(), put());
    let (mut first, mut second) = (store.get(&key), store.commit(&commit));
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(inside(), 1);
    drop(first);
    assert!(futures::poll!(&mut second).is_pending());
    assert_eq!(inside(), 2);
    assert_eq!(store.to_string(), "limit(1, silent)");
}
