//! Power cuts, simulated: what was not synced reaches the disk in part, in any order, or not at all.
//!
//! A run of commits is recorded as the operations on the disk that it caused, and where among them
//! each commit was answered. Then the power is cut at any point of the recording: what was synced
//! before is there; of the rest each sector, and each change of length, is there or not as chance has it.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::executor::block_on;
use larder_core::{Change, Commit, Key, KeyRange, KvStore, Scan};
use redb::{StorageBackend, backends::FileBackend};

use super::{
    FileKv, FileOptions,
    place::{DATABASE_FILE, Open, Place},
    tests::Random,
};

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Operation {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

type Recording = Arc<Mutex<Vec<Operation>>>;

#[derive(Debug)]
struct Recorder {
    file: FileBackend,
    recording: Recording,
}

impl Recorder {
    fn note(&self, operation: Operation) {
        self.recording.lock().unwrap().push(operation);
    }
}

impl StorageBackend for Recorder {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.note(Operation::Length(len));
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.note(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.note(Operation::Write(offset, data.to_vec()));
        self.file.write(offset, data)
    }
}

fn open_recorded(folder: &Path, recording: &Recording) -> FileKv {
    let (recording, options) = (recording.clone(), FileOptions::default());
    let open: Open = Box::new(move |builder, path| {
        let file = FileBackend::new(OpenOptions::new().read(true).write(true).open(path)?)?;
        builder.create_with_backend(Recorder { file, recording: recording.clone() })
    });
    FileKv::open_at(Place::new(folder, &options).with_open(open), options).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn commit(number: u64) -> Commit {
    let mut commit = Commit::new().put(key("number"), number.to_string());
    for i in 0..number % 4 {
        let name = key(&format!("k{}", (number + i * 3) % 7));
        let value = format!("{number} ").repeat((number as usize * 577) % 6_000);
        commit = match (number + i) % 5 {
            0 => commit.delete(name),
            n => commit.write(
                name,
                Change::Put { value: value.into(), ttl: (n == 1).then_some(Duration::from_secs(9_999)) },
            ),
        };
    }
    commit
}

/// What the store holds after so many commits.
fn model(commits: u64) -> BTreeMap<String, Vec<u8>> {
    let mut model = BTreeMap::new();
    for write in (1..=commits).flat_map(|number| commit(number).writes) {
        match write.change {
            Change::Put { value, .. } => drop(model.insert(write.key.to_string(), value.to_vec())),
            Change::Delete | Change::Add(_) => drop(model.remove(write.key.as_str())),
        }
    }
    model
}

fn apply(image: &mut Vec<u8>, operation: &Operation, mut reaches: impl FnMut() -> bool) {
    match operation {
        Operation::Length(len) => {
            if reaches() {
                image.resize(*len as usize, 0);
            }
        }
        Operation::Write(offset, data) => {
            let start = *offset as usize;
            for (at, sector) in (start..).step_by(SECTOR).zip(data.chunks(SECTOR)) {
                if reaches() {
                    image.resize(image.len().max(at + sector.len()), 0);
                    image[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        Operation::Sync => {}
    }
}

/// What is on the disk after a cut before operation `cut`.
fn cut_at(start: &[u8], recording: &[Operation], cut: usize, random: &mut Random) -> Vec<u8> {
    let recording = &recording[..cut];
    let synced = recording.iter().rposition(|operation| matches!(operation, Operation::Sync)).unwrap_or(0);
    let (before, after) = recording.split_at(synced);
    let mut image = start.to_vec();
    before.iter().for_each(|operation| apply(&mut image, operation, || true));
    // About half, nearly all or nearly nothing, all or nothing: each fails in its own way.
    let odds = [2, 30, 1_000_000][random.below(3)];
    let mostly = random.below(2) == 0;
    after.iter().for_each(|operation| apply(&mut image, operation, || (random.below(odds) == 0) != mostly));
    image
}

#[test]
fn what_was_acknowledged_survives_a_power_cut_at_any_moment() {
    let seed = 0x00c0_ffee_u64;
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let folder = tempfile::tempdir().unwrap();
    drop(FileKv::open(folder.path(), FileOptions::default()).unwrap());
    let start = fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    let recording = Recording::default();
    // How many operations there were when commit 1, 2, 3… was answered.
    let mut answered = Vec::new();
    let store = open_recorded(folder.path(), &recording);
    for number in 1..=60 {
        block_on(store.commit(&commit(number))).unwrap();
        answered.push(recording.lock().unwrap().len());
    }
    drop(store);
    let recording = recording.lock().unwrap().clone();
    let (mut torn, mut seen) = (0, 0);
    for round in 0..80 {
        let cut = random.below(recording.len() + 1);
        let acknowledged = answered.iter().filter(|&&at| at <= cut).count() as u64;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATABASE_FILE), cut_at(&start, &recording, cut, &mut random)).unwrap();
        let what = format!("round {round}, cut before operation {cut} of {}", recording.len());
        let store = match FileKv::open(folder.path(), FileOptions::default()) {
            Ok(store) => store,
            Err(error) => panic!("{what}: {}", error.chain()),
        };
        let page = block_on(store.scan(&Scan::new(KeyRange::all()))).unwrap();
        let found: BTreeMap<_, _> =
            page.entries.into_iter().map(|(key, entry)| (key.to_string(), entry.value.to_vec())).collect();
        let happened = found == model(acknowledged + 1) && acknowledged < 60;
        assert!(happened || found == model(acknowledged), "{what}: {acknowledged} were acknowledged");
        torn += u32::from(!happened && acknowledged < 60);
        seen += u32::from(happened);
        block_on(store.commit(&Commit::new().put(key("after"), "1"))).unwrap();
    }
    println!(
        "{} operations; {torn} times the last commit was rolled back, {seen} times it was there",
        recording.len()
    );
    assert!(torn > 0 && seen > 0, "the cuts have to hit both");
}
