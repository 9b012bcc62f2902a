//! A crash, an error or a full disk at each single operation of a workload that fills segments and cleans them.

use super::{
    faulty_disk::{Fault, Random},
    *,
};

const COMMITS: u64 = 60;

/// A commit of the workload: few keys, so that there is much to clean.
fn random_commit(random: &mut Random) -> Vec<Write> {
    let mut keys = vec!["a", "b", "c", "d", "e"];
    let count = 1 + random.below(3);
    (0..count)
        .map(|_| {
            let key = keys.swap_remove(random.below(keys.len() as u64) as usize);
            match random.below(5) {
                0 => delete(key),
                _ => put(key, &vec![random.next() as u8; random.below(120) as usize]),
            }
        })
        .collect()
}

fn apply(model: &mut Model, writes: &[Write]) {
    for Write { key, change } in writes {
        match change {
            Change::Put(Put { value, .. }) => _ = model.insert(key.clone(), value.clone()),
            Change::Delete => _ = model.remove(key),
            Change::Add(_) => unreachable!("the workload has no counters"),
        }
    }
}

/// Runs the workload until it ends or an error; answers what was answered for, and that with the commit in doubt.
fn run(log: &mut Log<FaultyDisk>, seed: u64, disk: &FaultyDisk) -> (Model, Model) {
    let mut random = Random(seed);
    let mut known = Model::new();
    for _ in 0..COMMITS {
        let writes = random_commit(&mut random);
        let mut next = known.clone();
        apply(&mut next, &writes);
        match log.commit(&[], writes, 0) {
            Ok(_) => known = next,
            Err(_) if disk.has_crashed() => return (known, next),
            Err(error) => panic!("{error}"),
        }
    }
    (known.clone(), known)
}

fn operations_of(seed: u64) -> u64 {
    let disk = FaultyDisk::default();
    let mut log = open(&disk, OPTIONS).unwrap();
    let before = disk.operations();
    run(&mut log, seed, &disk);
    assert!(log.segments[0].0.id > 3, "segments were cleaned away");
    disk.operations() - before
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_answered_for() {
    for seed in [1, 2, 3] {
        for at in 0..operations_of(seed) {
            let disk = FaultyDisk::default();
            let mut log = open(&disk, OPTIONS).unwrap();
            disk.fail_after(at, Fault::Crash);
            let (known, in_doubt) = run(&mut log, seed, &disk);
            let context = format!("seed {seed}, operation {at}");
            for crash_seed in 0..8 {
                let disk = disk.copy();
                disk.crash(crash_seed);
                let mut log =
                    open(&disk, OPTIONS).unwrap_or_else(|e| panic!("{context}, crash {crash_seed}: {e}"));
                let found = contents(&mut log, 0).unwrap();
                assert!(found == known || found == in_doubt, "{context}, crash {crash_seed}");
                // What was found stays, whatever else happens.
                disk.crash(crash_seed + 1);
                let mut log = open(&disk, OPTIONS).unwrap();
                assert_eq!(contents(&mut log, 0).unwrap(), found, "{context}, crash {crash_seed}, again");
                log.commit(&[], vec![put("after", b"1")], 0).unwrap();
            }
            disk.kill();
            let found = contents(&mut open(&disk, OPTIONS).unwrap(), 0).unwrap();
            assert!(found == known || found == in_doubt, "{context}, killed");
        }
    }
}

#[test]
fn a_crash_during_opening_loses_nothing() {
    let disk = FaultyDisk::default();
    let (known, _) = run(&mut open(&disk, OPTIONS).unwrap(), 4, &disk);
    let torn = |disk: &FaultyDisk| {
        let names = disk.clone().names().unwrap();
        let last = names.iter().rfind(|name| name.ends_with(".log")).unwrap();
        let mut bytes = disk.bytes(last);
        bytes.extend(b"\xA7klr torn");
        disk.set_bytes(last, bytes);
    };
    for at in 0..8 {
        let disk = disk.copy();
        torn(&disk);
        disk.fail_after(at, Fault::Crash);
        let opened = open(&disk, OPTIONS).is_ok();
        assert_eq!(opened, !disk.has_crashed());
        disk.crash(at);
        assert_eq!(contents(&mut open(&disk, OPTIONS).unwrap(), 0).unwrap(), known, "operation {at}");
    }
}

#[test]
fn with_durability_os_a_killed_process_loses_nothing_and_a_crash_only_the_end() {
    let os = Options { durability: Durability::Os, ..OPTIONS };
    for crash_seed in 0..200 {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, os).unwrap();
        let mut random = Random(crash_seed);
        let mut states = vec![Model::new()];
        for _ in 0..COMMITS {
            let writes = random_commit(&mut random);
            let mut next = states[states.len() - 1].clone();
            apply(&mut next, &writes);
            log.commit(&[], writes, 0).unwrap();
            states.push(next);
        }
        assert_eq!(contents(&mut open(&disk, os).unwrap(), 0).as_ref(), Ok(&states[states.len() - 1]));
        disk.crash(crash_seed);
        let found = contents(&mut open(&disk, os).unwrap(), 0).unwrap();
        assert!(states.contains(&found), "crash {crash_seed}: a state that never was");
    }
}

#[test]
fn a_failed_sync_leaves_the_commit_in_doubt_and_stops_all_writing() {
    for fault in [Fault::Fails, Fault::Full] {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, ONE_SEGMENT).unwrap();
        log.commit(&[], vec![put("a", b"1")], 0).unwrap();
        disk.fail_after(1, fault);
        assert!(matches!(log.commit(&[], vec![put("a", b"2")], 0), Err(Error::Indeterminate(_))));
        assert!(matches!(log.commit(&[], vec![put("a", b"3")], 0), Err(Error::Unavailable(_))));
        assert!(matches!(log.health(), Err(Error::Unavailable(_))));
        assert_eq!(log.get("a", 0).unwrap().unwrap().value, b"1");
    }
}

#[test]
fn a_full_disk_writes_nothing_and_goes_on_when_there_is_room() {
    let all = operations_of(5);
    for at in 0..all {
        let disk = FaultyDisk::default();
        let mut log = open(&disk, OPTIONS).unwrap();
        disk.fail_after(at, Fault::Full);
        let (mut known, mut random) = (Model::new(), Random(5));
        let mut refused = 0;
        for _ in 0..COMMITS {
            let writes = random_commit(&mut random);
            let mut next = known.clone();
            apply(&mut next, &writes);
            match log.commit(&[], writes, 0) {
                Ok(_) => known = next,
                Err(Error::Unavailable(_)) => refused += 1,
                // A sync that failed: what follows is the next test's matter.
                Err(Error::Indeterminate(_)) => break,
                Err(other) => panic!("operation {at}: {other}"),
            }
        }
        disk.heal();
        if log.health().is_ok() {
            assert!(refused <= 1, "operation {at}: {refused} refused");
            assert_eq!(contents(&mut log, 0).unwrap(), known, "operation {at}");
            assert_eq!(contents(&mut open(&disk, OPTIONS).unwrap(), 0).unwrap(), known, "operation {at}");
        }
    }
}
