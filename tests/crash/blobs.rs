//! Blobs under the same hammer: a worker that stores, replaces and removes blobs is killed at random moments. After each
//! kill every acknowledged blob is there, byte for byte, every acknowledged removal holds, the one step that a
//! lane had in flight happened whole or not at all, and no listing shows anything else.
//!
//! Step `n` of a lane is a function of the seed, the lane and `n` alone, as in the key-value suite.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Command,
    time::Duration,
};

use bytes::Bytes;
use larder_backends::object;
use larder_core::{Error, Result, SystemClock};
use larder_tests::crash::Random;
use larder_wasm::{Access, BlobPlugin, Engine, EngineOptions, PluginOptions, Source};
use opendal::Operator;
use tokio::task::JoinSet;

use super::{
    Acks, Moment, SEED, number, run_and_kill,
    worker::{self, say},
};

/// Writers at work at the same time: blobs are large, four of them keep a disk busy.
const LANES: u64 = 4;
/// Paths of a lane: few, so that most steps replace or remove something.
const PATHS: u64 = 6;
/// Largest blob: some parts of every backend.
const BLOB_BYTES_MAX: u64 = 3 << 20;
/// The last step that each lane has made, to the worker.
const FROM: &str = "LARDER_CRASH_FROM";

#[test]
fn no_acknowledged_blob_of_fs_is_lost_by_a_kill() {
    crash("fs");
}

#[test]
fn no_acknowledged_blob_of_blob_folder_is_lost_by_a_kill() {
    crash("blob-folder");
}

fn crash(backend: &str) {
    let kills = number("LARDER_CRASH_KILLS").unwrap_or(20);
    let seed = number(SEED).unwrap_or_else(|| larder_core::Clock::now(&SystemClock).0);
    println!("blobs in {backend}: {kills} kills, LARDER_CRASH_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let (mut random, mut lanes) = (Random::new(seed, LANES, 0), lanes(seed));
    let mut acknowledged = 0;
    for kill in 1..=kills {
        let moment = Moment::draw(&mut random);
        let acks = run_and_kill(command(None, backend, folder.path(), seed, &lanes), backend, seed, &moment);
        acknowledged += acks.total;
        if let Err(what) = check(backend, folder.path(), &mut lanes, &acks) {
            panic!("blobs in {backend}, seed {seed}, kill {kill} ({moment:?}): {what}");
        }
    }
    println!("blobs in {backend}: {acknowledged} steps acknowledged, none lost or torn");
    assert!(acknowledged > kills, "the load was too light to mean anything");
}

/// The operating system refuses to let a file grow, as a full disk does: the put fails, what was there stays, nothing
/// unfinished is seen, and with space again the lanes go on.
#[cfg(unix)]
fn fill(backend: &str) {
    // Blocks of 512 bytes: smaller blobs are stored, those over 1 MiB are not.
    const LIMITED: [&str; 2] = ["-c", "trap '' XFSZ; ulimit -f 2048; exec \"$0\" \"$@\""];

    let (folder, seed) = (tempfile::tempdir().unwrap(), number(SEED).unwrap_or(3));
    let mut lanes = lanes(seed);
    let limited = command(Some(("sh", &LIMITED)), backend, folder.path(), seed, &lanes).output().unwrap();
    let complaint = String::from_utf8(limited.stderr).unwrap();
    assert!(!limited.status.success() && complaint.contains("unavailable"), "{backend}: {complaint}");
    let mut acks = Acks::default();
    String::from_utf8(limited.stdout).unwrap().lines().for_each(|line| acks.note(line));
    check(backend, folder.path(), &mut lanes, &acks).unwrap();
    let command = command(None, backend, folder.path(), seed, &lanes);
    let more = run_and_kill(command, backend, seed, &Moment::Acks(12, Duration::ZERO));
    check(backend, folder.path(), &mut lanes, &more).unwrap();
}

#[cfg(unix)]
#[test]
fn a_full_disk_fails_a_put_into_fs_and_loses_nothing() {
    fill("fs");
}

#[cfg(unix)]
#[test]
fn a_full_disk_fails_a_put_into_blob_folder_and_loses_nothing() {
    fill("blob-folder");
}

fn lanes(seed: u64) -> Vec<Lane> {
    (0..LANES).map(|lane| Lane { seed, lane, ..Lane::default() }).collect()
}

/// Opens the store and holds it against all lanes.
fn check(backend: &str, folder: &Path, lanes: &mut [Lane], acks: &Acks) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let operator = open(backend, folder).await.map_err(|error| error.chain())?;
        for lane in lanes {
            let acknowledged = acks.last.get(&lane.lane).copied().unwrap_or(lane.number);
            lane.check(&operator, acknowledged).await?;
        }
        Ok(())
    })
}

async fn open(backend: &str, folder: &Path) -> Result<Operator> {
    if backend == "fs" {
        return object::fs(folder);
    }
    let engine = Engine::new(EngineOptions::default())?;
    let options = PluginOptions::new("blob-folder").with_setting("folder", "/data").with_folder(
        folder,
        "/data",
        Access::ReadWrite,
    );
    let source = Source::file(larder_tests::plugin("blob-folder"));
    Ok(BlobPlugin::load(&engine, &source, options).await?.operator())
}

/// What a lane does in one step.
enum Step {
    Put(String, Bytes),
    Remove(String),
}

fn step(seed: u64, lane: u64, number: u64) -> Step {
    // Lanes of their own numbers: the key-value suite uses those from 0 on.
    let mut random = Random::new(seed, lane + 1_000, number);
    let path = path(lane, random.below(PATHS));
    if random.below(6) == 0 {
        return Step::Remove(path);
    }
    let largest = if random.below(3) == 0 { BLOB_BYTES_MAX } else { 5_000 };
    let len = usize::try_from(random.below(largest)).unwrap_or(0);
    let mut content = Vec::with_capacity(len);
    while content.len() < len {
        content.extend_from_slice(&random.below(u64::MAX >> 11).to_le_bytes());
    }
    content.truncate(len);
    Step::Put(path, content.into())
}

fn path(lane: u64, index: u64) -> String {
    // Folders, so that they come and go, too.
    format!("lane-{lane}/{}/blob-{index}", index % 2)
}

/// What a lane's paths must hold.
#[derive(Debug, Default)]
struct Lane {
    seed: u64,
    lane: u64,
    number: u64,
    blobs: BTreeMap<String, Bytes>,
}

impl Lane {
    fn apply(&mut self) {
        self.number += 1;
        match step(self.seed, self.lane, self.number) {
            Step::Put(path, content) => drop(self.blobs.insert(path, content)),
            Step::Remove(path) => drop(self.blobs.remove(&path)),
        }
    }

    /// Holds the store against the lane: all steps up to `acknowledged` were made, and the next whole or not at all.
    async fn check(&mut self, operator: &Operator, acknowledged: u64) -> Result<(), String> {
        while self.number < acknowledged {
            self.apply();
        }
        let stored = self.stored(operator).await.map_err(|error| error.to_string())?;
        if stored == self.blobs {
            return Ok(());
        }
        let before = self.blobs.clone();
        self.apply();
        if stored == self.blobs {
            return Ok(());
        }
        let differ = |path: &&String| stored.get(*path) != before.get(*path);
        let paths: BTreeSet<_> = before.keys().chain(stored.keys()).filter(differ).collect();
        let found: Vec<_> = paths
            .into_iter()
            .map(|path| {
                let (stored, expected) = (self.origin(stored.get(path)), self.origin(before.get(path)));
                format!("{path}: {stored} instead of {expected}")
            })
            .collect();
        Err(format!("lane {}: {acknowledged} steps were acknowledged, but {}", self.lane, found.join("; ")))
    }

    /// Which step stored this, for a person.
    fn origin(&self, content: Option<&Bytes>) -> String {
        let Some(content) = content else { return "nothing".to_owned() };
        let stored_it = |number: &u64| matches!(step(self.seed, self.lane, *number), Step::Put(_, stored) if stored == *content);
        match (1..self.number + 10).rev().find(stored_it) {
            Some(number) => format!("the blob of step {number}"),
            None => format!("{} bytes that no step stored", content.len()),
        }
    }

    async fn stored(&self, operator: &Operator) -> opendal::Result<BTreeMap<String, Bytes>> {
        let mut stored = BTreeMap::new();
        for entry in operator.list_with(&format!("lane-{}/", self.lane)).recursive(true).await? {
            if entry.metadata().is_file() {
                stored.insert(entry.path().to_owned(), operator.read(entry.path()).await?.to_bytes());
            }
        }
        Ok(stored)
    }
}

fn command(
    program: Option<(&str, &[&str])>,
    backend: &str,
    folder: &Path,
    seed: u64,
    lanes: &[Lane],
) -> Command {
    let from: Vec<String> = lanes.iter().map(|lane| lane.number.to_string()).collect();
    let mut command = worker::command_of("blobs::blob_worker", program, backend, folder, seed);
    command.env(FROM, from.join(","));
    command
}

#[test]
#[ignore = "no test: the process that the suite starts and kills"]
fn blob_worker() {
    let (Ok(backend), Some(folder), Some(seed), Ok(from)) =
        (std::env::var(worker::BACKEND), std::env::var_os(worker::FOLDER), number(SEED), std::env::var(FROM))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let worked = runtime.block_on(async {
        let operator = open(&backend, Path::new(&folder)).await?;
        // Ends the line that the test harness began.
        say("open")?;
        let mut lanes = JoinSet::new();
        for (lane, last) in (0..).zip(from.split(',')) {
            lanes.spawn(work(operator.clone(), seed, lane, last.parse().unwrap()));
        }
        while let Some(ended) = lanes.join_next().await {
            ended.map_err(|error| Error::invalid("a lane panicked").caused_by(error))??;
        }
        Ok::<(), Error>(())
    });
    if let Err(error) = worked {
        panic!("{}", error.chain());
    }
}

async fn work(operator: Operator, seed: u64, lane: u64, mut number: u64) -> Result<()> {
    loop {
        number += 1;
        match step(seed, lane, number) {
            Step::Put(path, content) => put(&operator, &path, content).await.map_err(object::error)?,
            Step::Remove(path) => operator.delete(&path).await.map_err(object::error)?,
        }
        say(&format!("{lane} {number}"))?;
    }
}

/// In two writes, so that kills come between them, too.
async fn put(operator: &Operator, path: &str, mut content: Bytes) -> opendal::Result<()> {
    let mut writer = operator.writer_with(path).chunk(1 << 20).await?;
    let rest = content.split_off(content.len() / 2);
    let written = async {
        writer.write(content).await?;
        writer.write(rest).await?;
        writer.close().await
    };
    match written.await {
        Ok(_) => Ok(()),
        Err(error) => {
            // The first error is the one to tell.
            drop(writer.abort().await);
            Err(error)
        }
    }
}
