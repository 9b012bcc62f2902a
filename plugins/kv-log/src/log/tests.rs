//! Tests of the log on a disk in memory that fails and crashes where it is told to.

mod crashes;
mod damage;
mod faulty_disk;

use std::collections::BTreeMap;

use larder_sdk::kv::Expectation;

use super::*;
use faulty_disk::FaultyDisk;

const OPTIONS: Options =
    Options { durability: Durability::Full, segment_bytes_max: 300, index_bytes_max: 1 << 20 };

/// One segment holds it all.
const ONE_SEGMENT: Options = Options { segment_bytes_max: 1 << 30, ..OPTIONS };

type Model = BTreeMap<String, Vec<u8>>;

fn put(key: &str, value: &[u8]) -> Write {
    Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms: None }) }
}

fn put_for(key: &str, value: &[u8], ttl_ms: u64) -> Write {
    Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms: Some(ttl_ms) }) }
}

fn delete(key: &str) -> Write {
    Write { key: key.into(), change: Change::Delete }
}

fn add(key: &str, delta: i64) -> Write {
    Write { key: key.into(), change: Change::Add(delta) }
}

fn open(disk: &FaultyDisk, options: Options) -> Result<Log<FaultyDisk>> {
    Log::open(disk.clone(), options, 0)
}

/// Everything, read through `get` as well as through a scan.
fn contents(log: &mut Log<FaultyDisk>, now: u64) -> Result<Model> {
    let all = Scan { start: String::new(), end: None, limit: 1_000, keys_only: false };
    let page = log.scan(&all, now)?;
    assert_eq!(page.next, None);
    let mut model = Model::new();
    for found in page.entries {
        assert_eq!(log.get(&found.key, now)?.as_ref(), Some(&found.entry));
        model.insert(found.key, found.entry.value);
    }
    Ok(model)
}

#[test]
fn commits_are_there_after_opening_again() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    log.commit(&[], vec![put("a", b"1"), put("b", &[7; 2_000])], 0).unwrap();
    log.commit(&[], vec![delete("a"), add("n", 5)], 0).unwrap();
    let before = contents(&mut log, 0).unwrap();
    let versions = [log.get("b", 0).unwrap().unwrap().version, log.get("n", 0).unwrap().unwrap().version];
    let mut log = open(&disk, OPTIONS).unwrap();
    assert_eq!(contents(&mut log, 0).unwrap(), before);
    assert_eq!(before.keys().collect::<Vec<_>>(), ["b", "n"]);
    assert_eq!(
        versions,
        [log.get("b", 0).unwrap().unwrap().version, log.get("n", 0).unwrap().unwrap().version]
    );
}

#[test]
fn checks_see_the_state_before_the_writes_and_a_failure_changes_nothing() {
    let mut log = open(&FaultyDisk::default(), OPTIONS).unwrap();
    let check = |key: &str, expect| Check { key: key.into(), expect };
    log.commit(&[check("a", Expectation::Absent)], vec![put("a", b"x")], 0).unwrap();
    let refused = log.commit(&[check("a", Expectation::Absent)], vec![put("b", b"x")], 0);
    assert_eq!(refused, Err(Error::conflict("a")));
    assert!(matches!(log.commit(&[], vec![put("b", b"x"), add("a", 1)], 0), Err(Error::Invalid(_))));
    assert_eq!(contents(&mut log, 0).unwrap().len(), 1);
    let version = log.get("a", 0).unwrap().unwrap().version;
    log.commit(&[check("a", Expectation::Version(version))], vec![delete("a")], 0).unwrap();
    assert!(log.commit(&[check("a", Expectation::Present)], vec![], 0).is_err());
}

#[test]
fn versions_are_never_given_twice_not_even_after_everything_was_deleted_and_cleaned() {
    let disk = FaultyDisk::default();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..40 {
        let mut log = open(&disk, OPTIONS).unwrap();
        for _ in 0..3 {
            let outcomes = log.commit(&[], vec![put("k", &[1; 100])], 0).unwrap();
            assert!(matches!(&*outcomes, [Outcome::Written(version)] if seen.insert(*version)));
        }
        log.commit(&[], vec![delete("k")], 0).unwrap();
    }
}

#[test]
fn expired_entries_do_not_come_back_and_an_addition_keeps_the_expiry() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    log.commit(&[], vec![put("a", b"old")], 0).unwrap();
    log.commit(&[], vec![put_for("a", b"new", 100), put_for("n", b"1", 100)], 0).unwrap();
    assert_eq!(log.commit(&[], vec![add("n", 1)], 50).unwrap(), [Outcome::Added(2)]);
    assert_eq!(log.get("n", 60).unwrap().unwrap().expires_in_ms, Some(40));
    assert_eq!(contents(&mut log, 100).unwrap(), Model::new());
    let mut log = Log::open(disk, OPTIONS, 100).unwrap();
    assert_eq!(contents(&mut log, 100).unwrap(), Model::new());
    assert_eq!(log.commit(&[], vec![delete("a")], 100).unwrap(), [Outcome::Deleted(false)]);
}

#[test]
fn cleaning_keeps_the_log_within_twice_what_is_live_and_keeps_what_is_live() {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    for key in 0..10 {
        log.commit(&[], vec![put(&format!("cold{key}"), &[key; 50])], 0).unwrap();
    }
    for round in 0..500_u32 {
        log.commit(&[], vec![put("hot", &round.to_le_bytes())], 0).unwrap();
    }
    let (live, total) = (log.index.live_bytes(), log.total_bytes());
    // The bound of `should_clean`, and the segment that is written while the oldest is gone through.
    assert!(total <= 2 * live + 3 * OPTIONS.segment_bytes_max, "{total} bytes for {live} live ones");
    let before = contents(&mut log, 0).unwrap();
    assert_eq!(before.len(), 11);
    assert_eq!(contents(&mut open(&disk, OPTIONS).unwrap(), 0).unwrap(), before);
}

#[test]
fn pages_go_on_where_the_last_one_ended() {
    let mut log = open(&FaultyDisk::default(), OPTIONS).unwrap();
    log.commit(&[], ["a", "b", "c", "d"].map(|key| put(key, b"v")).into(), 0).unwrap();
    let scan = |start: &str| Scan { start: start.into(), end: Some("d".into()), limit: 2, keys_only: true };
    let first = log.scan(&scan("a"), 0).unwrap();
    assert_eq!(first.next.as_deref(), Some("c"));
    let second = log.scan(&scan("c"), 0).unwrap();
    assert_eq!((second.entries.len(), second.next), (1, None));
    assert!(second.entries[0].entry.value.is_empty());
}

#[test]
fn a_full_index_refuses_new_keys_and_still_takes_the_known_ones() {
    let options = Options { index_bytes_max: 1_000, ..OPTIONS };
    let mut log = open(&FaultyDisk::default(), options).unwrap();
    let refused = (0..100).find_map(|i| log.commit(&[], vec![put(&format!("k{i}"), b"v")], 0).err());
    assert!(matches!(refused, Some(Error::Unavailable(_))));
    log.commit(&[], vec![put("k0", b"other")], 0).unwrap();
    log.commit(&[], vec![delete("k0")], 0).unwrap();
}

#[test]
fn changing_the_durability_begins_a_new_segment() {
    let disk = FaultyDisk::default();
    let os = Options { durability: Durability::Os, ..ONE_SEGMENT };
    open(&disk, os).unwrap().commit(&[], vec![put("a", b"1")], 0).unwrap();
    let mut log = open(&disk, ONE_SEGMENT).unwrap();
    log.commit(&[], vec![put("b", b"2")], 0).unwrap();
    let unsynced: Vec<bool> = log.segments.iter().map(|(segment, _)| segment.unsynced).collect();
    assert_eq!(unsynced, [true, false]);
    disk.crash(1);
    assert_eq!(contents(&mut open(&disk, ONE_SEGMENT).unwrap(), 0).unwrap().len(), 2);
}
