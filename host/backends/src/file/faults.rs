//! The store on a disk that fails when it is told to, and on one that holds a sync until it is let go.

use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    future::Future,
    io,
    path::Path,
    pin::Pin,
    sync::{Arc, Condvar, Mutex},
    task::{Context, Waker},
};

use futures::executor::block_on;
use larder_core::{Commit, ErrorKind, Expectation, Key, KvStore, Outcome, Version};
use redb::{StorageBackend, backends::FileBackend};

use super::{
    FileKv, FileOptions,
    place::{Open, Place},
};

/// What the disk does; tests change it while the store runs.
#[derive(Debug, Default)]
struct Disk {
    state: Mutex<DiskState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct DiskState {
    /// Writes and growth fail for want of space.
    full: bool,
    /// Everything fails, reads too.
    broken: bool,
    /// Writing operations until one fails, once; none: never.
    countdown: Option<u32>,
    /// Syncs wait.
    held: bool,
    /// How many syncs have begun to wait.
    waiting: u32,
}

impl Disk {
    fn set(&self, change: impl FnOnce(&mut DiskState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn reading(&self) -> io::Result<()> {
        if self.state.lock().unwrap().broken { Err(io::Error::other("broken")) } else { Ok(()) }
    }

    fn writing(&self) -> io::Result<()> {
        self.reading()?;
        let mut state = self.state.lock().unwrap();
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match &mut state.countdown {
            Some(0) => {
                state.countdown = None;
                Err(io::ErrorKind::StorageFull.into())
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn syncing(&self) -> io::Result<()> {
        let mut state = self.state.lock().unwrap();
        state.waiting += u32::from(state.held);
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| state.held).unwrap());
        self.writing()
    }

    fn wait_for_sync(&self) {
        drop(self.changed.wait_while(self.state.lock().unwrap(), |state| state.waiting == 0).unwrap());
    }
}

#[derive(Debug)]
struct FaultyBackend {
    file: FileBackend,
    disk: Arc<Disk>,
}

impl StorageBackend for FaultyBackend {
    fn len(&self) -> io::Result<u64> {
        self.disk.reading()?;
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.reading()?;
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.writing()?;
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.syncing()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.disk.writing()?;
        self.file.write(offset, data)
    }
}

fn open_on(folder: &Path, disk: &Arc<Disk>) -> FileKv {
    let (disk, options) = (disk.clone(), FileOptions::default());
    let open: Open = Box::new(move |builder, path| {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        builder.create_with_backend(FaultyBackend { file: FileBackend::new(file)?, disk: disk.clone() })
    });
    FileKv::open_at(Place::new(folder, &options).with_open(open), options).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn value(store: &FileKv, name: &str) -> Option<String> {
    let entry = block_on(store.get(&key(name))).unwrap()?;
    Some(String::from_utf8(entry.value.to_vec()).unwrap())
}

fn put(name: &str, value: &str) -> Commit {
    Commit::new().put(key(name), value.to_owned())
}

#[test]
fn a_full_disk_fails_commits_without_effect_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    block_on(store.commit(&put("a", "1"))).unwrap();
    for round in 0..3 {
        // The first write fails, later ones (of the opening after it) do not: a file that can't grow.
        disk.set(|disk| disk.countdown = Some(0));
        let error = block_on(store.commit(&put("a", "lost").put(key("b"), "lost"))).unwrap_err();
        assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Unavailable, false));
        assert!(error.chain().contains("no space"), "{}", error.chain());
        assert_eq!(store.stats().reopened, round + 1);
        assert_eq!(value(&store, "a").as_deref(), Some("1"), "reads go on");
        assert_eq!(value(&store, "b"), None);
    }
    block_on(store.commit(&put("a", "2"))).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("2"));
}

#[test]
fn a_disk_that_refuses_every_write_leaves_nothing_half_done_and_heals() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    block_on(store.commit(&put("a", "1"))).unwrap();
    disk.set(|disk| disk.full = true);
    for _ in 0..3 {
        let error = block_on(store.commit(&put("a", "lost"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
        let error = block_on(store.get(&key("a"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    }
    disk.set(|disk| disk.full = false);
    // The first commit's effect was unknown, for the database could not even be opened again.
    assert!(["1", "lost"].contains(&value(&store, "a").unwrap().as_str()));
    block_on(store.commit(&put("a", "2"))).unwrap();
    drop(store);
    assert_eq!(value(&open_on(folder.path(), &disk), "a").as_deref(), Some("2"));
}

#[test]
fn a_disk_that_can_not_be_read_is_unavailable_until_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    block_on(store.commit(&put("a", "1"))).unwrap();
    disk.set(|disk| disk.broken = true);
    let error = block_on(store.commit(&put("a", "2"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(block_on(store.health()).unwrap_err().kind(), ErrorKind::Unavailable);
    disk.set(|disk| disk.broken = false);
    block_on(store.health()).unwrap();
    assert!(value(&store, "a").is_some());
}

/// The heart of the promise: fail each writing operation of a run in turn, and hold every answer
/// against what is there afterwards, in the running store and in the file.
#[test]
fn whichever_write_fails_the_answers_tell_the_truth() {
    let mut failures = 0;
    for nth in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(Disk::default());
        let store = open_on(folder.path(), &disk);
        disk.set(|disk| disk.countdown = Some(nth));
        let (mut sure, mut versions) = (BTreeMap::new(), Vec::<Version>::new());
        let mut unknown = None;
        for i in 0..4 {
            // Large enough that the file grows on the way.
            let (name, text) = (format!("k{}", i % 2), format!("{i}").repeat(40_000));
            let commit = put(&name, &text).put(key("last"), i.to_string()).add(key("n"), 1);
            match block_on(store.commit(&commit)) {
                Ok(outcomes) => {
                    versions.extend(outcomes.iter().filter_map(|outcome| match outcome {
                        Outcome::Written(version) => Some(*version),
                        _ => None,
                    }));
                    sure.insert(name, text);
                    sure.insert("last".to_owned(), i.to_string());
                    let n = sure.get("n").map_or(0, |n: &String| n.parse().unwrap()) + 1;
                    sure.insert("n".to_owned(), n.to_string());
                    assert_eq!(outcomes.last(), Some(&Outcome::Added(n)), "write {nth}");
                }
                Err(error) => {
                    failures += 1;
                    assert_eq!(error.kind(), ErrorKind::Unavailable, "write {nth}: {}", error.chain());
                    if error.is_effect_unknown() && value(&store, "last") == Some(i.to_string()) {
                        unknown = Some(i);
                        sure.insert(name, text);
                        sure.insert("last".to_owned(), i.to_string());
                        let n = sure.get("n").map_or(0, |n: &String| n.parse().unwrap()) + 1;
                        sure.insert("n".to_owned(), n.to_string());
                    }
                }
            }
        }
        let what = format!("write {nth} failed, unknown: {unknown:?}");
        let check = |store: &FileKv| {
            for name in ["k0", "k1", "last", "n"] {
                assert!(value(store, name) == sure.get(name).cloned(), "{name}: {what}");
            }
        };
        check(&store);
        let is_through = disk.state.lock().unwrap().countdown.is_some();
        disk.set(|disk| disk.countdown = None);
        drop(store);
        let store = open_on(folder.path(), &disk);
        check(&store);
        let outcomes = block_on(store.commit(&put("k0", "new"))).unwrap();
        let [Outcome::Written(version)] = outcomes.as_slice() else { panic!("{outcomes:?}") };
        assert!(!versions.contains(version), "{what}");
        if is_through {
            println!("{nth} writing operations, {failures} failed commits");
            assert!(nth > 10 && failures > 5);
            break;
        }
    }
}

/// Polls a commit once, so that it is queued.
fn queue<'a>(
    store: &'a FileKv,
    commit: &'a Commit,
) -> Pin<Box<dyn Future<Output = larder_core::Result<Vec<Outcome>>> + Send + 'a>> {
    let mut future = store.commit(commit);
    assert!(future.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    future
}

#[test]
fn commits_that_queue_up_during_a_sync_share_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    block_on(store.commit(&put("taken", "1"))).unwrap();
    let before = store.stats();
    disk.set(|disk| disk.held = true);
    let first = put("first", "1");
    let first = queue(&store, &first);
    disk.wait_for_sync();
    // All of these wait in the queue now; two of them can't happen.
    let commits: Vec<_> = (0..64)
        .map(|i| match i {
            20 => put("20", "1").check(key("taken"), Expectation::Absent),
            21 => put("21", "1").add(key("text"), 1),
            22 => put("text", "no number"),
            _ => Commit::new().put(key(&i.to_string()), "1").add(key("n"), 1),
        })
        .collect();
    let text_first = put("text", "no number either");
    let mut waiting = vec![queue(&store, &text_first)];
    waiting.extend(commits.iter().map(|commit| queue(&store, commit)));
    assert_eq!(value(&store, "first"), None, "what is not on disk is not visible");
    disk.set(|disk| disk.held = false);
    block_on(first).unwrap();
    let answers = block_on(futures::future::join_all(waiting));
    assert_eq!(store.stats().transactions - before.transactions, 2);
    let failed: Vec<_> = answers.iter().map(|answer| answer.as_ref().err().map(|e| e.kind())).collect();
    assert_eq!(failed[21], Some(ErrorKind::Conflict));
    assert_eq!(failed[22], Some(ErrorKind::Invalid));
    assert_eq!(failed.iter().flatten().count(), 2);
    assert_eq!(value(&store, "n").as_deref(), Some("61"), "each saw what those before it left");
    assert_eq!((value(&store, "20"), value(&store, "21")), (None, None));
}

#[test]
fn a_failed_sync_fails_everyone_who_shared_it() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    block_on(store.commit(&put("a", "1"))).unwrap();
    disk.set(|disk| disk.held = true);
    let first = put("first", "1");
    let first = queue(&store, &first);
    disk.wait_for_sync();
    disk.set(|disk| {
        disk.countdown = Some(0);
        disk.held = false;
    });
    let error = block_on(first).unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Unavailable, true));
    assert_eq!(value(&store, "a").as_deref(), Some("1"));
    block_on(store.commit(&put("a", "2"))).unwrap();
}

#[test]
fn dropping_the_store_finishes_what_was_taken() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Arc::new(Disk::default());
    let store = open_on(folder.path(), &disk);
    disk.set(|disk| disk.held = true);
    {
        let first = put("first", "1");
        let _taken = queue(&store, &first);
        disk.wait_for_sync();
        let second = put("second", "1");
        let _queued = queue(&store, &second);
    }
    disk.set(|disk| disk.held = false);
    drop(store);
    let store = open_on(folder.path(), &disk);
    assert_eq!(value(&store, "first").as_deref(), Some("1"));
    assert_eq!(value(&store, "second"), None, "its caller went away before it was taken");
}
