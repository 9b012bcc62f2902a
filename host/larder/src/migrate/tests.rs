//! The engine over stores in memory: every point at which a run can die, and everything that can differ.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{
    BoxFuture, Capabilities, Commit, Description, Effect, Entry, ErrorKind, Key, KvStore, ManualClock,
    MemoryKv, Outcome, Page, Scan,
};

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn options() -> Options {
    Options { verify: Verify::Ranges, ..Options::default() }
}

async fn moved(source: &Arc<dyn KvStore>, target: &Arc<dyn KvStore>, options: &Options) -> Result<Report> {
    watched(source, target, options, &mut |_| ()).await
}

async fn watched(
    source: &Arc<dyn KvStore>,
    target: &Arc<dyn KvStore>,
    options: &Options,
    progress: &mut (dyn FnMut(&Progress) + Send),
) -> Result<Report> {
    let task = Task {
        source: "the old one".to_owned(),
        target: "the new one".to_owned(),
        options,
        tally: Tally::new(progress),
        pace: Pace::new(options.entries_per_second, options.bytes_per_second),
    };
    kv::run(&task, source, target).await
}

fn empty() -> Arc<dyn KvStore> {
    Arc::new(MemoryKv::new())
}

/// Entries of all kinds: small and large, with and without expiry, counters.
async fn filled(entries: u64) -> Arc<dyn KvStore> {
    let store = empty();
    for number in 0..entries {
        let name = key(&format!("{:03}/{number}", number % 7));
        let value = vec![number as u8; (number as usize * 37) % 1_000];
        let commit = match number % 5 {
            0 => Commit::new().put_with_ttl(name, value, MINUTE * (number as u32 + 1)),
            1 => Commit::new().add(name, number as i64 - 50),
            _ => Commit::new().put(name, value),
        };
        store.commit(&commit).await.unwrap();
    }
    store
}

async fn entries(store: &Arc<dyn KvStore>) -> Vec<(Key, Entry)> {
    let (mut all, mut range) = (Vec::new(), larder_core::KeyRange::all());
    loop {
        let page = store.scan(&Scan::new(range.clone())).await.unwrap();
        all.extend(page.entries);
        match page.next {
            Some(next) => range = range.resume(&next),
            None => return all,
        }
    }
}

/// Equal in keys, values and whether they expire; moments are the verification's business.
async fn assert_equal(source: &Arc<dyn KvStore>, target: &Arc<dyn KvStore>) {
    let plain = |entries: Vec<(Key, Entry)>| -> Vec<_> {
        entries.into_iter().map(|(key, entry)| (key, entry.value, entry.expires_at.is_some())).collect()
    };
    assert_eq!(plain(entries(source).await), plain(entries(target).await));
}

/// A store that dies at its `dies_at`-th commit, having done it or not, and is dead from then on.
struct Mortal {
    inner: Arc<dyn KvStore>,
    capabilities: Capabilities,
    commits: AtomicU64,
    dies_at: u64,
    having: Having,
}

#[derive(Clone, Copy, PartialEq)]
enum Having {
    Done,
    NotDone,
}

impl Mortal {
    fn alive(inner: &Arc<dyn KvStore>, capabilities: Capabilities) -> Self {
        let (inner, commits) = (Arc::clone(inner), AtomicU64::new(0));
        Self { inner, capabilities, commits, dies_at: u64::MAX, having: Having::Done }
    }
}

impl KvStore for Mortal {
    fn describe(&self) -> Description {
        Description { capabilities: self.capabilities, ..self.inner.describe() }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.inner.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        self.inner.get_many(keys)
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        self.inner.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            self.describe().check_commit(commit)?;
            let number = self.commits.fetch_add(1, Ordering::Relaxed);
            if number > self.dies_at || (number == self.dies_at && self.having == Having::NotDone) {
                // A kind that nothing repeats, so that it ends as a kill does.
                return Err(Error::new(ErrorKind::Denied, "dead").effect(Effect::Unknown));
            }
            let done = self.inner.commit(commit).await;
            if number == self.dies_at { Err(Error::new(ErrorKind::Denied, "died")) } else { done }
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.health()
    }
}

impl fmt::Display for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mortal")
    }
}

impl fmt::Debug for Mortal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("mortal")
    }
}

#[tokio::test]
async fn all_arrives_as_it_was_and_counters_go_on_counting() {
    let (source, target) = (filled(3_000).await, empty());
    let report = moved(&source, &target, &options()).await.unwrap();
    assert!(report.is_equal(), "{report}");
    assert_eq!((report.copied, report.expiring, report.expired, report.resumed), (3_000, 600, 0, false));
    let found = report.verification.as_ref().unwrap();
    assert!(found.compared == 3_000 && found.ranges >= 3 && !found.source_changed, "{report}");
    assert_equal(&source, &target).await;
    assert!(target.get(&key(CHECKPOINT)).await.unwrap().is_none(), "the checkpoint is gone");
    let sum = target.commit(&Commit::new().add(key("001/1"), 50)).await.unwrap();
    assert_eq!(sum, [Outcome::Added(1)]);
}

#[tokio::test]
async fn an_empty_store_arrives_too() {
    let (source, target) = (empty(), empty());
    let report = moved(&source, &target, &options()).await.unwrap();
    assert!(report.is_equal() && report.copied == 0);
    assert!(entries(&target).await.is_empty());
}

#[tokio::test]
async fn a_run_that_dies_anywhere_is_gone_on_with_and_skips_nothing() {
    let source = filled(2_500).await;
    for capabilities in [
        Capabilities::all(),
        // Batches are single commits, and the checkpoint one of its own after them.
        Capabilities::all() - Capabilities::TRANSACTIONS,
    ] {
        // The first checkpoint, three pages, and the removal of the checkpoint; where each entry is a commit, a choice.
        let points: Vec<u64> = match capabilities.contains(Capabilities::TRANSACTIONS) {
            true => (0..5).collect(),
            false => vec![0, 1, 2, 500, 999, 1_000, 1_001, 1_002, 2_000, 2_502, 2_503, 2_504],
        };
        let last = *points.last().unwrap();
        for dies_at in points {
            for having in [Having::Done, Having::NotDone] {
                let data = empty();
                let mortal: Arc<dyn KvStore> =
                    Arc::new(Mortal { dies_at, having, ..Mortal::alive(&data, capabilities) });
                moved(&source, &mortal, &options()).await.expect_err("it dies");
                let alive: Arc<dyn KvStore> = Arc::new(Mortal::alive(&data, capabilities));
                let again = moved(&source, &alive, &options()).await;
                if dies_at == last && having == Having::Done && again.is_err() {
                    // Only the answer to the removal of the checkpoint was lost: it was all done.
                    assert!(data.get(&key(CHECKPOINT)).await.unwrap().is_none());
                } else {
                    let report = again.unwrap();
                    assert!(report.is_equal(), "{dies_at}: {report}");
                    assert_eq!(report.copied, 2_500, "counted over both runs");
                }
                assert_equal(&source, &data).await;
                assert!(data.get(&key(CHECKPOINT)).await.unwrap().is_none());
            }
        }
    }
}

#[tokio::test]
async fn a_target_that_holds_something_is_left_alone_unless_it_is_said() {
    let source = filled(10).await;
    let full = async || {
        let target = empty();
        target.commit(&Commit::new().put(key("mine"), "1").put(key("002/2"), "mine")).await.unwrap();
        target
    };
    let target = full().await;
    let error = moved(&source, &target, &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Config, Some("002/2")));
    assert_eq!(entries(&target).await.len(), 2);

    let merge = Options { existing: Existing::Merge, ..options() };
    let error = moved(&source, &target, &merge).await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Conflict, Some("002/2")));
    assert_eq!(target.get(&key("002/2")).await.unwrap().unwrap().value, "mine", "nothing is replaced");
    let error = moved(&source, &target, &options()).await.unwrap_err();
    assert!(error.message().contains("not empty when the migration began"), "{error}");
    // Who learned of the conflict may decide otherwise, and go on.
    let overwrite = Options { existing: Existing::Overwrite, ..options() };
    let report = moved(&source, &target, &overwrite).await.unwrap();
    assert!(report.is_equal() && report.resumed, "{report}");

    let target = full().await;
    let report = moved(&source, &target, &overwrite).await.unwrap();
    assert!(report.is_equal(), "{report}");
    assert_eq!(report.verification.unwrap().only_in_target, 1);
    assert_eq!(entries(&target).await.len(), 11);

    // What is there as it should be is no conflict.
    let report = moved(&source, &target, &merge).await.unwrap();
    assert!(report.is_equal() && report.present == 10 && report.copied == 0, "{report}");
}

#[tokio::test]
async fn what_the_target_lacks_is_refused_by_name_and_a_dry_run_names_all_of_it() {
    let source = filled(10).await;
    source.commit(&Commit::new().put(key("large"), vec![0; 2_000])).await.unwrap();
    let description = Description {
        capabilities: Capabilities::SCAN | Capabilities::TRANSACTIONS,
        value_bytes_max: 1_500,
        ..Description::full()
    };
    let target: Arc<dyn KvStore> = Arc::new(MemoryKv::new().with_description(description));
    let error = moved(&source, &target, &options()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Unsupported, Some("000/0")));
    assert!(error.message().contains("ttl"), "{error}");

    let dry = Options { mode: Mode::Dry, verify: Verify::No, ..Options::default() };
    let before = entries(&target).await;
    let report = moved(&source, &target, &dry).await.unwrap();
    let named: Vec<&str> = report.refusals.iter().map(|refusal| refusal.key.as_str()).collect();
    assert_eq!(named, ["000/0", "005/5", "large"]);
    assert!(!report.is_equal() && report.dry_run && report.copied == 8, "{report}");
    assert_eq!(entries(&target).await, before, "nothing is written");

    let blind: Arc<dyn KvStore> = Arc::new(Mortal::alive(&source, Capabilities::TTL));
    let error = moved(&blind, &empty(), &options()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}

#[tokio::test]
async fn the_comparison_names_whatever_differs() {
    let (source, target) = (filled(2_000).await, empty());
    moved(&source, &target, &options()).await.unwrap();
    let spoil = Commit::new()
        .delete(key("000/7"))
        .put(key("000/14"), "another")
        .put(key("0"), "more")
        .put_with_ttl(key("000/35"), vec![35; (35 * 37) % 1_000], MINUTE * 99);
    target.commit(&spoil).await.unwrap();
    let mut found = None;
    // As a run that has copied everything and died before it could compare.
    let options = options();
    let mut nothing = |_: &Progress| ();
    let task = Task {
        source: String::new(),
        target: String::new(),
        options: &options,
        tally: Tally::new(&mut nothing),
        pace: Pace::new(None, None),
    };
    found.replace(kv::compare(&task, &source, &target).await.unwrap());
    let found = found.unwrap();
    let named: Vec<(&str, &str)> =
        found.differences.iter().map(|d| (d.key.as_str(), d.what.split(' ').next().unwrap())).collect();
    assert_eq!(named, [("0", "only"), ("000/14", "another"), ("000/35", "expires"), ("000/7", "missing")]);
    assert_eq!(found.different, 4);
}

#[tokio::test]
async fn who_writes_to_the_source_meanwhile_is_found_out() {
    let (source, target) = (filled(2_500).await, empty());
    let mut is_written = false;
    let report = watched(&source, &target, &options(), &mut |progress| {
        // The first page is through.
        if progress.phase == Phase::Copying && progress.entries > 0 && !is_written {
            is_written = true;
            let commit = Commit::new().put(key("000/14"), "newer").put(key("000/2-new"), "new");
            futures::executor::block_on(source.commit(&commit)).unwrap();
        }
    })
    .await
    .unwrap();
    let found = report.verification.as_ref().unwrap();
    assert!(!report.is_equal() && found.source_changed, "{report}");
    let named: Vec<&str> = found.differences.iter().map(|d| d.key.as_str()).collect();
    assert_eq!(named, ["000/14", "000/2-new"]);
}

#[tokio::test]
async fn what_has_expired_is_counted_and_what_expires_meanwhile_is_no_difference() {
    let clock = Arc::new(ManualClock::default());
    let source: Arc<dyn KvStore> = Arc::new(MemoryKv::with_clock(clock.clone()));
    let target: Arc<dyn KvStore> = Arc::new(MemoryKv::with_clock(clock.clone()));
    let commit =
        Commit::new().put_with_ttl(key("soon"), "1", MINUTE).put_with_ttl(key("late"), "2", MINUTE * 60);
    source.commit(&commit).await.unwrap();
    let options = Options { clock: clock.clone(), ..options() };
    let report = watched(&source, &target, &options, &mut |progress| {
        if progress.phase == Phase::Verifying {
            clock.advance(MINUTE);
        }
    })
    .await
    .unwrap();
    assert!(report.is_equal() && report.copied == 2, "{report}");
    let (ours, theirs) = (entries(&source).await, entries(&target).await);
    assert_eq!(ours.len(), 1);
    assert_eq!(ours[0].1.expires_at, theirs[0].1.expires_at, "the expiry is absolute");
}

#[tokio::test]
async fn the_reserved_key_is_never_taken_for_an_entry() {
    let source = filled(3).await;
    source.commit(&Commit::new().put(key(CHECKPOINT), "a user's")).await.unwrap();
    let error = moved(&source, &empty(), &options()).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.message().contains(CHECKPOINT), "{error}");

    let (source, target) = (filled(3).await, empty());
    target.commit(&Commit::new().put(key(CHECKPOINT), "a user's")).await.unwrap();
    let overwrite = Options { existing: Existing::Overwrite, ..options() };
    let error = moved(&source, &target, &overwrite).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Config && error.message().contains(CHECKPOINT), "{error}");
    assert_eq!(target.get(&key(CHECKPOINT)).await.unwrap().unwrap().value, "a user's");

    let foreign = checkpoint::Checkpoint::new("another one", true).encode().unwrap();
    target.commit(&Commit::new().put(key(CHECKPOINT), foreign)).await.unwrap();
    let error = moved(&source, &target, &options()).await.unwrap_err();
    assert!(error.message().contains("another one"), "{error}");
}
