//! The store as its callers see it, on a healthy disk and on a damaged file. A failing disk is in
//! `faults.rs`; the whole contract is the conformance suite's.

use std::{fs, path::Path, sync::Arc, time::Duration};

use futures::{FutureExt, executor::block_on};
use larder_core::{
    Change, Commit, Description, ErrorKind, Expectation, Key, KeyRange, KvStore, ManualClock, MemoryKv,
    Outcome, Scan, Version, limits::PAGE_BYTES_MAX,
};
use redb::{Database, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::{
    FileKv, FileOptions,
    place::DATABASE_FILE,
    tables::{ENTRIES, EXPIRIES},
};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn options(clock: &Arc<ManualClock>) -> FileOptions {
    FileOptions { clock: clock.clone(), ..FileOptions::default() }
}

fn open(folder: &Path) -> FileKv {
    FileKv::open(folder, FileOptions::default()).unwrap()
}

fn set(store: &dyn KvStore, name: &str, value: &str) -> Version {
    match block_on(store.commit(&Commit::new().put(key(name), value.to_owned()))).unwrap().as_slice() {
        [Outcome::Written(version)] => *version,
        other => panic!("{other:?}"),
    }
}

fn value(store: &dyn KvStore, name: &str) -> Option<String> {
    let entry = block_on(store.get(&key(name))).unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

/// Rows of both tables, read by redb itself after the store was closed.
fn rows(folder: &Path) -> (u64, u64) {
    let database = Database::open(folder.join(DATABASE_FILE)).unwrap();
    let read = database.begin_read().unwrap();
    (read.open_table(ENTRIES).unwrap().len().unwrap(), read.open_table(EXPIRIES).unwrap().len().unwrap())
}

#[test]
fn what_was_written_is_there_after_the_store_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er");
    let first = {
        let store = open(&path);
        set(&store, "a", "1")
    };
    let store = open(&path);
    let entry = block_on(store.get(&key("a"))).unwrap().unwrap();
    assert_eq!((entry.value.as_ref(), entry.version), (&b"1"[..], first));
    assert_ne!(set(&store, "a", "2"), first);
    assert_eq!(store.to_string(), format!("file({})", path.display()));
    store.close().unwrap();
}

#[test]
fn a_second_store_in_the_folder_is_refused_and_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let error = FileKv::open(folder.path(), FileOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(error.context("folder"), Some(folder.path().display().to_string().as_str()));
    assert_eq!(error.context("pid"), Some(std::process::id().to_string().as_str()));
    drop(store);
    open(folder.path());
}

#[test]
fn a_cancelled_commit_happens_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for round in 0..50 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let commit = Commit::new().put(key(&a), "1").put(key(&b), "1");
        // Polled once, so that it is queued, and dropped at once.
        assert!(store.commit(&commit).now_or_never().is_none_or(|answer| answer.is_ok()));
        block_on(store.sweep()).unwrap();
        assert_eq!(value(&store, &a).is_some(), value(&store, &b).is_some());
    }
}

#[test]
fn what_has_expired_is_swept_and_leaves_no_row_behind() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let store = FileKv::open(folder.path(), options(&clock)).unwrap();
    let second = Duration::from_secs(1);
    let commit = Commit::new()
        .put_with_ttl(key("gone"), "1", second)
        .put_with_ttl(key("kept"), "1", second)
        .put_with_ttl(key("longer"), "1", second)
        .put_with_ttl(key("deleted"), "1", second)
        .put_with_ttl(key("counter"), "1", second);
    block_on(store.commit(&commit)).unwrap();
    let commit = Commit::new()
        .put(key("kept"), "2")
        .put_with_ttl(key("longer"), "2", second * 2)
        .delete(key("deleted"))
        .add(key("counter"), 1);
    block_on(store.commit(&commit)).unwrap();
    clock.advance(second - Duration::from_millis(1));
    assert_eq!(block_on(store.sweep()).unwrap(), 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(block_on(store.sweep()).unwrap(), 2, "gone and counter");
    assert_eq!(value(&store, "longer").as_deref(), Some("2"));
    store.close().unwrap();
    assert_eq!(rows(folder.path()), (2, 1), "kept and longer; the deadline of longer");
}

#[test]
fn the_writer_sweeps_by_itself_once_the_interval_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let store = FileKv::open(folder.path(), options(&clock)).unwrap();
    let commits = (0..3).map(|i| {
        (0..700).fold(Commit::new(), |commit, j| {
            commit.put_with_ttl(key(&format!("{i}/{j}")), "x", Duration::from_secs(1))
        })
    });
    for commit in commits {
        block_on(store.commit(&commit)).unwrap();
    }
    clock.advance(Duration::from_secs(60));
    // The first commit wakes the writer, which sweeps step by step between the next ones.
    for _ in 0..4 {
        set(&store, "a", "1");
    }
    assert_eq!(store.stats().swept, 2_100);
}

#[test]
fn a_page_passes_over_expired_entries_and_goes_on_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let mut options = options(&clock);
    options.cleanup_interval = Duration::ZERO;
    let store = FileKv::open(folder.path(), options).unwrap();
    for i in 0..12 {
        let commit = (0..1_000).fold(Commit::new(), |commit, j| {
            commit.put_with_ttl(key(&format!("{i:02}/{j:03}")), "x", Duration::from_secs(1))
        });
        block_on(store.commit(&commit)).unwrap();
    }
    set(&store, "z", "1");
    clock.advance(Duration::from_secs(1));
    let first = block_on(store.scan(&Scan::new(KeyRange::all()))).unwrap();
    assert!(first.entries.is_empty());
    let rest = KeyRange::all().resume(&first.next.unwrap());
    let second = block_on(store.scan(&Scan::new(rest))).unwrap();
    assert_eq!(second.entries.len(), 1);
    assert_eq!(second.next, None);
}

#[test]
fn pages_are_bounded_in_bytes_unless_only_keys_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let large = "x".repeat(PAGE_BYTES_MAX / 2);
    for name in ["a", "b", "c"] {
        set(&store, name, &large);
    }
    let page = block_on(store.scan(&Scan::new(KeyRange::all()))).unwrap();
    assert_eq!((page.entries.len(), page.next), (1, Some(key("b"))));
    let page = block_on(store.scan(&Scan::new(KeyRange::all()).keys_only())).unwrap();
    assert_eq!((page.entries.len(), page.next), (3, None));
    assert!(page.entries.iter().all(|(_, entry)| entry.value.is_empty()));
}

#[test]
fn a_damaged_value_is_never_returned_and_its_bytes_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    set(&open(folder.path()), "n", "41");
    let mut damaged = Vec::new();
    {
        let database = Database::open(folder.path().join(DATABASE_FILE)).unwrap();
        let write = database.begin_write().unwrap();
        {
            let mut entries = write.open_table(ENTRIES).unwrap();
            damaged.extend_from_slice(entries.get(&b"n"[..]).unwrap().unwrap().value());
            *damaged.last_mut().unwrap() ^= 1;
            entries.insert(&b"n"[..], damaged.as_slice()).unwrap();
        }
        write.commit().unwrap();
    }
    let store = open(folder.path());
    set(&store, "m", "1");
    let of = |commit: Commit| block_on(store.commit(&commit)).unwrap_err();
    for error in [
        block_on(store.get(&key("n"))).unwrap_err(),
        block_on(store.get_many(&[key("m"), key("n")])).unwrap_err(),
        block_on(store.scan(&Scan::new(KeyRange::all()))).unwrap_err(),
        block_on(store.scan(&Scan::new(KeyRange::all()).keys_only())).unwrap_err(),
        of(Commit::new().add(key("n"), 1)),
        of(Commit::new().check(key("n"), Expectation::Present).put(key("m"), "2")),
    ] {
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::Corrupt, Some("n")));
        assert!(!error.is_effect_unknown());
    }
    assert_eq!(value(&store, "m").as_deref(), Some("1"), "others are served");
    store.close().unwrap();
    {
        let database = Database::open(folder.path().join(DATABASE_FILE)).unwrap();
        let entries = database.begin_read().unwrap().open_table(ENTRIES).unwrap();
        assert_eq!(entries.get(&b"n"[..]).unwrap().unwrap().value(), damaged);
    }
    let store = open(folder.path());
    set(&store, "n", "1");
    assert_eq!(value(&store, "n").as_deref(), Some("1"), "writing it anew repairs it");
}

#[test]
fn an_empty_database_file_is_damage_and_a_half_made_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(DATABASE_FILE), b"").unwrap();
    let error = FileKv::open(folder.path(), FileOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    fs::rename(folder.path().join(DATABASE_FILE), folder.path().join("store.redb.new")).unwrap();
    set(&open(folder.path()), "a", "1");
    assert_eq!(rows(folder.path()).0, 1);
}

/// Opens a copy of a store whose file `damage` was done to, reads it whole and writes to it: each of
/// its entries is as it was, or the damage is reported; and a refused file keeps its bytes.
fn survives(original: &[u8], damage: impl FnOnce(&mut Vec<u8>), verify_bytes_max: u64, what: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE_FILE);
    let mut bytes = original.to_vec();
    damage(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let is_damage = |error: &larder_core::Error| {
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
            "{what}: {}",
            error.chain()
        );
    };
    let options = FileOptions { verify_bytes_max, ..FileOptions::default() };
    let store = match FileKv::open(folder.path(), options) {
        Ok(store) => store,
        Err(error) => {
            is_damage(&error);
            assert!(fs::read(&path).unwrap() == bytes, "{what}: a refused file was changed");
            return false;
        }
    };
    let mut whole = true;
    for i in 0..200 {
        match block_on(store.get(&key(&format!("key-{i:03}")))) {
            Ok(Some(entry)) => assert_eq!(entry.value, format!("value-{i}").repeat(20), "{what}"),
            // Only an unverified file can hide a key: its own bytes are what is damaged.
            Ok(None) => {
                assert_eq!(verify_bytes_max, 0, "{what}");
                whole = false;
            }
            Err(error) => {
                is_damage(&error);
                whole = false;
            }
        }
    }
    for result in [
        block_on(store.scan(&Scan::new(KeyRange::all()))).map(drop),
        block_on(store.commit(&Commit::new().put(key("key-100"), "new").put(key("new"), "1"))).map(drop),
        block_on(store.sweep()).map(drop),
    ] {
        if let Err(error) = result {
            is_damage(&error);
            whole = false;
        }
    }
    whole
}

fn sample() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for i in 0..200 {
        let (name, value) = (format!("key-{i:03}"), format!("value-{i}").repeat(20));
        block_on(store.commit(&Commit::new().write(
            key(&name),
            Change::Put { value: value.into(), ttl: (i % 2 == 0).then_some(Duration::from_secs(1_000_000)) },
        )))
        .unwrap();
    }
    store.close().unwrap();
    fs::read(folder.path().join(DATABASE_FILE)).unwrap()
}

#[test]
fn a_truncated_file_is_reported_and_kept() {
    let original = sample();
    let mut lengths: Vec<usize> = (1..16).map(|part| original.len() * part / 16).collect();
    lengths.extend([1, 9, 63, 64, 320, 4_095, 4_096, 8_192, original.len() - 1]);
    for verify in [u64::MAX, 0] {
        for &len in &lengths {
            let what = format!("cut to {len} of {}, verifying up to {verify}", original.len());
            assert!(!survives(&original, |bytes| bytes.truncate(len), verify, &what), "{what}");
        }
    }
}

#[test]
fn a_flipped_bit_is_reported_or_does_not_matter() {
    let original = sample();
    let seed = 0x1a2b_3c4d_u64;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    // All of what redb finds everything else by, a part of its commit slots, a part of the rest.
    let first = (0..20).flat_map(|at| (0..8).map(move |bit| (at, bit)));
    let slots: Vec<_> = (0..30).map(|_| (random.below(512), random.below(8))).collect();
    let rest: Vec<_> = (0..30).map(|_| (random.below(original.len()), random.below(8))).collect();
    for (at, bit) in first.chain(slots).chain(rest) {
        for verify in [u64::MAX, 0] {
            let what = format!("bit {bit} of byte {at} flipped, verifying up to {verify}");
            survives(&original, |bytes| bytes[at] ^= 1 << bit, verify, &what);
        }
    }
}

#[test]
fn the_limits_of_the_options_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let open = |value_bytes_max| {
        FileKv::open(folder.path(), FileOptions { value_bytes_max, ..FileOptions::default() })
    };
    assert_eq!(open(0).unwrap_err().kind(), ErrorKind::Config);
    let store = open(10).unwrap();
    assert_eq!(store.describe(), Description { value_bytes_max: 10, ..Description::full() });
    let commit = Commit::new().put(key("a"), "12345678901");
    assert_eq!(block_on(store.commit(&commit)).unwrap_err().kind(), ErrorKind::Invalid);
}

/// xorshift64*: enough to choose test cases, and the same in each run.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[test]
fn it_answers_as_the_memory_store_does() {
    let seed = 42;
    println!("seed {seed}");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    let model = MemoryKv::with_clock(clock.clone());
    let mut store = FileKv::open(folder.path(), options(&clock)).unwrap();
    for step in 0..1_500 {
        match random.below(20) {
            0 => clock.advance(Duration::from_millis(random.below(900) as u64)),
            1 if step % 50 == 0 => {
                drop(store);
                store = FileKv::open(folder.path(), options(&clock)).unwrap();
            }
            2 => drop(block_on(store.sweep()).unwrap()),
            3..=5 => {
                let name = |random: &mut Random| ["", "a", "k", "k3", "k7", "z"][random.below(6)];
                let (start, end) = (name(&mut random), name(&mut random));
                let mut scan = Scan::new(KeyRange::between(start, end)).limit(1 + random.below(4) as u32);
                if random.below(2) == 0 {
                    scan = scan.keys_only();
                }
                let strip = |page: larder_core::Page| {
                    let rows = page.entries.into_iter();
                    (rows.map(|(k, e)| (k, e.value, e.expires_at)).collect::<Vec<_>>(), page.next)
                };
                let (ours, models) =
                    (block_on(store.scan(&scan)).unwrap(), block_on(model.scan(&scan)).unwrap());
                assert_eq!(strip(ours), strip(models), "step {step}");
            }
            _ => {
                let commit = random_commit(&mut random);
                let (ours, models) = (with_versions(&store, &commit), with_versions(&model, &commit));
                assert_eq!(ours, models, "step {step}: {commit:?}");
            }
        }
    }
}

fn random_commit(random: &mut Random) -> Commit {
    let mut commit = Commit::new();
    for i in 0..=random.below(3) {
        let name = key(&format!("k{}", i * 4 + random.below(4)));
        let expect =
            [Expectation::Absent, Expectation::Present, Expectation::Version(Version(0))][random.below(3)];
        if random.below(3) == 0 {
            commit = commit.check(name.clone(), expect);
        }
        let ttl = (random.below(3) == 0).then(|| Duration::from_millis(1 + random.below(1_000) as u64));
        let value = if random.below(2) == 0 { "7".to_owned() } else { format!("v{}", random.below(9)) };
        commit = match random.below(4) {
            0 => commit.delete(name),
            1 => commit.add(name, random.below(10) as i64 - 5),
            _ => commit.write(name, Change::Put { value: value.into(), ttl }),
        };
    }
    commit
}

/// Commits after setting each version check to the version that the store's own entry has, then
/// answers everything but the versions themselves, which are opaque.
fn with_versions(store: &dyn KvStore, commit: &Commit) -> Result<Vec<String>, (ErrorKind, Option<String>)> {
    let mut commit = commit.clone();
    for check in &mut commit.checks {
        if let Expectation::Version(version) = &mut check.expect
            && let Some(entry) = block_on(store.get(&check.key)).unwrap()
        {
            *version = entry.version;
        }
    }
    let outcomes = block_on(store.commit(&commit));
    let text = |outcome: Outcome| match outcome {
        Outcome::Written(_) => "written".to_owned(),
        other => format!("{other:?}"),
    };
    outcomes
        .map(|outcomes| outcomes.into_iter().map(text).collect())
        .map_err(|error| (error.kind(), error.context("key").map(str::to_owned)))
}
