//! Histories that must be accepted, and more that must be rejected; then stores that are right and wrong.

use std::{collections::BTreeMap, fmt, sync::Arc};

use larder_core::{
    BoxFuture, Commit, Description, Entry, Error, Expectation, Key, KvStore, MemoryKv, Outcome, Page, Result,
    Scan, Version,
};

use super::*;

/// Operations of one key: `(called, returned, call, answer)`.
type Line = (u64, u64, Call, Answer);

fn history(lines: &[Line], unknown: &[(u64, Call)]) -> History {
    let mut history = History::default();
    let key = Key::new("k").unwrap();
    for (client, (called, at, call, answer)) in (0..).zip(lines) {
        let returned = Some((*at, *answer));
        history.add(&key, Operation { client, call: *call, called: *called, returned });
    }
    for (client, (called, call)) in (100..).zip(unknown) {
        history.add(&key, Operation { client, call: *call, called: *called, returned: None });
    }
    history
}

fn put(number: i64) -> Call {
    Call::Put(None, number)
}

/// Put `number` where the version is that of `old`; versions in these tests are their numbers.
fn swap(old: i64, number: i64) -> Call {
    Call::Put(Some(Expectation::Version(version(old))), number)
}

fn version(number: i64) -> Version {
    Version(number.unsigned_abs() + 1_000)
}

fn written(number: i64) -> Answer {
    Answer::Written(version(number))
}

fn seen(number: i64) -> Answer {
    Answer::Seen(Some((number, version(number))))
}

const NOTHING: Answer = Answer::Seen(None);

fn accepted(lines: &[Line], unknown: &[(u64, Call)]) {
    history(lines, unknown).check().unwrap_or_else(|violation| panic!("{violation}"));
}

fn rejected(lines: &[Line], unknown: &[(u64, Call)]) {
    assert!(history(lines, unknown).check().is_err(), "accepted: {lines:?} {unknown:?}");
}

#[test]
fn what_is_read_was_written() {
    accepted(&[(0, 1, Call::Get, NOTHING), (2, 3, put(1), written(1)), (4, 5, Call::Get, seen(1))], &[]);
    rejected(&[(0, 1, Call::Get, seen(1))], &[]);
    rejected(&[(0, 1, put(1), written(1)), (2, 3, Call::Get, seen(2))], &[]);
    // Read before it was asked for.
    rejected(&[(0, 1, Call::Get, seen(1)), (2, 3, put(1), written(1))], &[]);
}

#[test]
fn a_read_is_not_stale() {
    let lines = [(0, 1, put(1), written(1)), (2, 3, put(2), written(2))];
    accepted(&[lines[0], lines[1], (4, 5, Call::Get, seen(2))], &[]);
    rejected(&[lines[0], lines[1], (4, 5, Call::Get, seen(1))], &[]);
    rejected(&[lines[0], lines[1], (4, 5, Call::Get, NOTHING)], &[]);
    // While the second put runs, both are right; but not the new one first and then the old one.
    accepted(
        &[lines[0], (2, 9, put(2), written(2)), (3, 4, Call::Get, seen(1)), (5, 6, Call::Get, seen(2))],
        &[],
    );
    rejected(
        &[lines[0], (2, 9, put(2), written(2)), (3, 4, Call::Get, seen(2)), (5, 6, Call::Get, seen(1))],
        &[],
    );
}

#[test]
fn an_acknowledged_write_is_not_lost() {
    rejected(&[(0, 1, put(1), written(1)), (2, 3, Call::Get, NOTHING)], &[]);
    // Nor by a write of unknown effect that can't have removed it.
    rejected(&[(0, 1, put(1), written(1)), (2, 3, Call::Get, NOTHING)], &[(0, put(7))]);
    accepted(&[(0, 1, put(1), written(1)), (2, 3, Call::Get, NOTHING)], &[(0, Call::Delete(None))]);
}

#[test]
fn of_two_compare_and_sets_on_one_version_one_wins() {
    let start = (0, 1, put(1), written(1));
    let first = (2, 9, swap(1, 2), written(2));
    accepted(&[start, first, (3, 8, swap(1, 3), Answer::Conflict)], &[]);
    rejected(&[start, first, (3, 8, swap(1, 3), written(3))], &[]);
    // A conflict without anybody who could have changed the version.
    rejected(&[start, (2, 3, swap(1, 3), Answer::Conflict)], &[]);
    accepted(&[start, (2, 3, swap(1, 3), Answer::Conflict)], &[(0, put(9))]);
    // Creation: one wins.
    let create = |number| Call::Put(Some(Expectation::Absent), number);
    rejected(&[(0, 9, create(1), written(1)), (1, 8, create(2), written(2))], &[]);
    accepted(&[(0, 9, create(1), written(1)), (1, 8, create(2), Answer::Conflict)], &[]);
}

#[test]
fn no_increment_is_lost_or_counted_twice() {
    let add = |delta| Call::Add(None, delta);
    accepted(&[(0, 9, add(1), Answer::Added(1)), (1, 8, add(10), Answer::Added(11))], &[]);
    rejected(&[(0, 9, add(1), Answer::Added(1)), (1, 8, add(10), Answer::Added(10))], &[]);
    rejected(&[(0, 1, add(1), Answer::Added(1)), (2, 3, Call::Get, seen(2))], &[]);
    // Of unknown effect: once or not at all, not twice.
    let lines = [(0, 1, add(1), Answer::Added(1))];
    for (sum, holds) in [(1, true), (11, true), (21, false)] {
        let read = [lines[0], (4, 5, Call::Get, seen(sum))];
        match holds {
            true => accepted(&read, &[(2, add(10))]),
            false => rejected(&read, &[(2, add(10))]),
        }
    }
}

#[test]
fn an_unknown_write_happens_once_and_at_any_moment_after_its_call() {
    let lines = [(0, 1, put(1), written(1)), (4, 5, Call::Get, seen(1)), (6, 7, Call::Get, seen(2))];
    accepted(&lines, &[(2, put(2))]);
    accepted(&lines[..2], &[(2, put(2))]);
    // Not before its call.
    rejected(&[lines[0], (2, 3, Call::Get, seen(2)), (6, 7, Call::Get, seen(2))], &[(4, put(2))]);
    // Not twice: it was seen, overwritten, and is there again.
    let again = [(0, 1, Call::Get, seen(2)), (2, 3, put(3), written(3)), (4, 5, Call::Get, seen(2))];
    rejected(&again, &[(0, put(2))]);
    // Not where its condition can't have held.
    let swapped = [(0, 1, put(1), written(1)), (2, 3, put(2), written(2)), (6, 7, Call::Get, seen(3))];
    rejected(&swapped, &[(4, swap(1, 3))]);
    accepted(&swapped, &[(4, swap(2, 3))]);
}

#[test]
fn a_version_belongs_to_one_write() {
    let other = Answer::Seen(Some((1, Version(5))));
    rejected(&[(0, 1, put(1), written(1)), (2, 3, Call::Get, other)], &[]);
    rejected(
        &[(0, 1, put(1), Answer::Written(Version(5))), (2, 3, put(2), Answer::Written(Version(5)))],
        &[],
    );
}

#[test]
fn a_delete_says_what_it_found() {
    let start = (0, 1, put(1), written(1));
    accepted(&[start, (2, 3, Call::Delete(None), Answer::Deleted(true))], &[]);
    rejected(&[start, (2, 3, Call::Delete(None), Answer::Deleted(false))], &[]);
    let both = |one, two| [start, (2, 9, Call::Delete(None), one), (3, 8, Call::Delete(None), two)];
    accepted(&both(Answer::Deleted(true), Answer::Deleted(false)), &[]);
    rejected(&both(Answer::Deleted(true), Answer::Deleted(true)), &[]);
}

#[test]
fn keys_are_judged_apart_and_the_one_that_broke_is_named() {
    let mut history = history(&[(0, 1, put(1), written(1))], &[]);
    let (call, returned) = (Call::Get, Some((3, seen(1))));
    history.add(&Key::new("other").unwrap(), Operation { client: 0, call, called: 2, returned });
    let violation = history.check().unwrap_err().to_string();
    assert!(violation.starts_with("other: no order explains"), "{violation}");
}

/// How a store is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Checks first and writes then, as two steps.
    ChecksApart,
    /// Reads what was there a moment ago.
    Stale,
    /// Acknowledges one commit in so many, and forgets it.
    Loses,
    /// Says of one commit in so many that nobody knows, and does it twice.
    Repeats,
    /// Says of one commit in so many that nobody knows, and does it or does not: which is right.
    Unsure,
}

/// A store in memory that is wrong in one way.
#[derive(Debug)]
struct Wrong {
    store: MemoryKv,
    fault: Fault,
    commits: std::sync::atomic::AtomicU64,
    before: std::sync::Mutex<BTreeMap<Key, Option<Entry>>>,
}

/// One commit in so many is treated wrongly.
const ONE_IN: u64 = 17;

impl Wrong {
    async fn written(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        let count = self.commits.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let chosen = count % ONE_IN == ONE_IN - 1;
        let unknown = || {
            Error::new(larder_core::ErrorKind::Unavailable, "who knows").effect(larder_core::Effect::Unknown)
        };
        match self.fault {
            Fault::ChecksApart => {
                let checks = Commit { checks: commit.checks.clone(), writes: Vec::new() };
                self.store.commit(&checks).await?;
                tokio::task::yield_now().await;
                self.store.commit(&Commit { checks: Vec::new(), writes: commit.writes.clone() }).await
            }
            Fault::Stale => {
                let key = &commit.writes[0].key;
                let before = self.store.get(key).await?;
                self.before.lock().unwrap().insert(key.clone(), before);
                self.store.commit(commit).await
            }
            Fault::Loses if chosen => {
                let copy = MemoryKv::new();
                let key = &commit.writes[0].key;
                if let Some(entry) = self.store.get(key).await? {
                    copy.commit(&Commit::new().put(key.clone(), entry.value)).await?;
                }
                copy.commit(&Commit { checks: Vec::new(), ..commit.clone() }).await
            }
            Fault::Repeats if chosen => {
                for _ in 0..2 {
                    self.store.commit(&Commit { checks: Vec::new(), ..commit.clone() }).await?;
                    tokio::task::yield_now().await;
                }
                Err(unknown())
            }
            Fault::Unsure if chosen => {
                if count.is_multiple_of(2) {
                    drop(self.store.commit(commit).await);
                }
                Err(unknown())
            }
            _ => self.store.commit(commit).await,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.fault)
    }
}

impl KvStore for Wrong {
    fn describe(&self) -> Description {
        self.store.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let before = self.before.lock().unwrap().remove(key);
            match before {
                Some(stale) => Ok(stale),
                None => self.store.get(key).await,
            }
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        self.store.get_many(keys)
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        self.store.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let outcomes = self.written(commit).await;
            tokio::task::yield_now().await;
            outcomes
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.store.health()
    }
}

/// On one thread, where tasks change places only at the marked points: the same in each run.
fn run(fault: Fault, seed: u64) -> History {
    let store =
        Wrong { store: MemoryKv::new(), fault, commits: Default::default(), before: Default::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let load = Load { seed, ..Load::default() };
        Clients::start(&[Arc::new(store) as Arc<dyn KvStore>], load).finish().await
    })
}

#[test]
fn stores_that_are_right_are_accepted() {
    for seed in 0..20 {
        for fault in [Fault::None, Fault::Unsure] {
            let history = run(fault, seed);
            history.check().unwrap_or_else(|violation| panic!("{fault:?}, seed {seed}: {violation}"));
            assert_eq!(history.unknown() > 0, fault == Fault::Unsure);
            assert!(history.answered() >= 360);
        }
    }
}

#[test]
fn stores_that_are_wrong_are_found_out() {
    for fault in [Fault::ChecksApart, Fault::Stale, Fault::Loses, Fault::Repeats] {
        for seed in 0..10 {
            let history = run(fault, seed);
            assert!(history.check().is_err(), "{fault:?} was not seen with seed {seed}");
        }
    }
}
