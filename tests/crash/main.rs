//! The crash suite: a worker process under load is killed with SIGKILL at random moments, again and
//! again on the same folder. After each kill the store opens, holds every acknowledged commit whole,
//! and nothing else but at most the one commit that each lane had in flight.
//!
//! `LARDER_CRASH_KILLS` sets how often (200), `LARDER_CRASH_SEED` replays a run's choices. The moments
//! are drawn in acknowledged commits and microseconds after them, so that they follow the load and
//! not the speed of the machine.

#![expect(clippy::unwrap_used, reason = "a suite fails where its own doings do")]
#![expect(clippy::print_stdout, reason = "the seed is needed to replay a run")]

mod worker;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::Duration,
};

use larder_core::{KvStore, SystemClock};
use larder_tests::crash::{Backend, LANES, Lane, Load, Random, total};

/// Replays a run's choices; also tells a worker what to write.
const SEED: &str = "LARDER_CRASH_SEED";

/// A worker that says nothing for so long hangs.
const SILENCE_MAX: Duration = Duration::from_secs(120);

#[test]
fn no_acknowledged_write_of_file_is_lost_by_a_kill() {
    crash("file");
}

#[test]
fn no_acknowledged_write_of_kv_log_is_lost_by_a_kill() {
    crash("kv-log");
}

#[test]
fn no_acknowledged_write_of_sqlite_is_lost_by_a_kill() {
    crash("sqlite");
}

fn crash(backend: &str) {
    let kills = number("LARDER_CRASH_KILLS").unwrap_or(200);
    let seed = number(SEED).unwrap_or_else(|| larder_core::Clock::now(&SystemClock).0);
    println!("{backend}: {kills} kills, LARDER_CRASH_SEED={seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let opener = Backend::named(backend).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (load, mut random) = (Load { seed }, Random::new(seed, LANES, 0));
    let mut lanes: Vec<Lane> = (0..LANES).map(|lane| Lane::new(load, lane)).collect();
    let (mut since_check, mut acknowledged) = (Acks::default(), 0_u64);
    for kill in 1..=kills {
        let moment = Moment::draw(&mut random);
        let acks = run_and_kill(backend, folder.path(), seed, &moment);
        acknowledged += acks.total;
        since_check.merge(acks);
        // Without a check in between, the next worker finds what the kill left, and may be killed
        // while it recovers from it.
        if random.below(4) == 0 && kill < kills {
            continue;
        }
        let result = runtime.block_on(async {
            let store = opener.open(folder.path()).await.map_err(|error| error.chain())?;
            check(&*store, &mut lanes, &since_check).await
        });
        if let Err(what) = result {
            panic!("{backend}, seed {seed}, kill {kill} ({moment:?}): {what}");
        }
        since_check = Acks::default();
    }
    let made: u64 = lanes.iter().map(Lane::number).sum();
    println!("{backend}: {made} commits made, {acknowledged} of them acknowledged, none lost or torn");
    assert!(acknowledged > kills, "the load was too light to mean anything");
}

async fn check(store: &dyn KvStore, lanes: &mut [Lane], acks: &Acks) -> Result<(), String> {
    let mut sum = 0;
    for (lane, state) in (0..).zip(lanes.iter_mut()) {
        let acknowledged = acks.last.get(&lane).copied().unwrap_or(0).max(state.number());
        state.check(store, acknowledged, acks.kills).await?;
        sum += state.number();
    }
    let total = total(store).await.map_err(|error| error.chain())?;
    if total == sum { Ok(()) } else { Err(format!("the counter says {total}, the lanes say {sum}")) }
}

/// The operating system refuses to let the database file grow, as a full disk does; the worker is not
/// killed, it fails, and says what it can still do.
#[cfg(unix)]
#[test]
fn a_full_disk_fails_writes_of_file_and_loses_nothing() {
    full_disk("file", "no space is left");
}

/// SQLite takes a file that must not grow for a failing disk, and so does its error.
#[cfg(unix)]
#[test]
fn a_full_disk_fails_writes_of_sqlite_and_loses_nothing() {
    full_disk("sqlite", "reading or writing the database failed");
}

#[cfg(unix)]
fn full_disk(backend: &str, expected: &str) {
    /// Blocks of 512 bytes that a file may have: the load fills them in a moment.
    const FILE_BLOCKS_MAX: u32 = 1_200;

    let seed = number(SEED).unwrap_or(7);
    let folder = tempfile::tempdir().unwrap();
    let limited = format!("trap '' XFSZ; ulimit -f {FILE_BLOCKS_MAX}; exec \"$0\" \"$@\"");
    let output =
        worker::command(Some(("sh", &["-c", &limited])), backend, folder.path(), seed).output().unwrap();
    let (out, complaint) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!output.status.success(), "{complaint}");
    assert!(complaint.contains(expected), "{complaint}");
    assert!(out.contains("failed unavailable\n") && out.contains("readable\n"), "{out}");
    let mut acks = Acks { kills: 1, ..Acks::default() };
    out.lines().for_each(|line| acks.note(line));
    let (load, opener) = (Load { seed }, Backend::named(backend).unwrap());
    let mut lanes: Vec<Lane> = (0..LANES).map(|lane| Lane::new(load, lane)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut check_all = |acks: &Acks| {
        runtime.block_on(async { check(&*opener.open(folder.path()).await.unwrap(), &mut lanes, acks).await })
    };
    check_all(&acks).unwrap();
    // With space again it goes on where it stopped.
    check_all(&run_and_kill(backend, folder.path(), seed, &Moment::Acks(50, Duration::ZERO))).unwrap();
}

/// When a worker is killed.
#[derive(Debug)]
enum Moment {
    /// So long after it was started: while it opens the store.
    Start(Duration),
    /// So long after so many acknowledged commits.
    Acks(u64, Duration),
}

impl Moment {
    fn draw(random: &mut Random) -> Self {
        if random.below(8) == 0 {
            Self::Start(Duration::from_micros(random.below(40_000)))
        } else {
            Self::Acks(random.below(80), Duration::from_micros(random.below(5_000)))
        }
    }
}

/// What workers printed until they were killed.
#[derive(Debug, Default)]
struct Acks {
    /// The last number of each lane.
    last: BTreeMap<u64, u64>,
    total: u64,
    kills: u64,
}

impl Acks {
    fn note(&mut self, line: &str) {
        let Some((lane, number)) = line.split_once(' ') else { return };
        let (Ok(lane), Ok(number)) = (lane.parse(), number.parse::<u64>()) else { return };
        let before = self.last.insert(lane, number);
        assert!(before.is_none_or(|before| before + 1 == number), "lane {lane}: {before:?}, then {number}");
        self.total += 1;
    }

    fn merge(&mut self, later: Acks) {
        self.last.extend(later.last);
        self.total += later.total;
        self.kills += later.kills;
    }
}

fn run_and_kill(backend: &str, folder: &Path, seed: u64, moment: &Moment) -> Acks {
    let mut worker =
        Worker(worker::command(None, backend, folder, seed).stdout(Stdio::piped()).spawn().unwrap());
    let out = BufReader::new(worker.0.stdout.take().unwrap());
    let (sender, lines) = channel();
    let reader = thread::spawn(move || {
        for line in out.lines().map_while(Result::ok) {
            // The lines after the kill are wanted, too: they were acknowledged.
            sender.send(line).expect("the suite listens until the pipe ends");
        }
    });
    let mut acks = Acks { kills: 1, ..Acks::default() };
    let (count, delay) = match moment {
        Moment::Start(delay) => (0, delay),
        Moment::Acks(count, delay) => (*count, delay),
    };
    while acks.total < count {
        match lines.recv_timeout(SILENCE_MAX) {
            Ok(line) => acks.note(&line),
            Err(_) => panic!("{backend}, seed {seed}: the worker ended or hangs: {:?}", worker.0.try_wait()),
        }
    }
    listen_for(&lines, *delay, &mut acks);
    assert!(worker.0.try_wait().unwrap().is_none(), "{backend}, seed {seed}: the worker ended by itself");
    worker.0.kill().unwrap();
    worker.0.wait().unwrap();
    for line in lines {
        acks.note(&line);
    }
    reader.join().unwrap();
    acks
}

/// Listens until `delay` has passed without a line; what comes is noted.
fn listen_for(lines: &Receiver<String>, delay: Duration, acks: &mut Acks) {
    match lines.recv_timeout(delay) {
        Ok(line) => acks.note(&line),
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
    }
}

/// Kills and reaps the worker also where the suite panics.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}
