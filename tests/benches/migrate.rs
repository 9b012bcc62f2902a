//! Moving a store at the size of the issue: 200,000 entries and 2 GiB of blobs, each killed twice with SIGKILL on its
//! way, gone on with, compared, and measured in the memory of the command.
//!
//! What is held to a target is memory: it is the caches of the two stores and a few pages or parts, and once the caches
//! are full it does not grow, whatever the size of the store. Rates depend on the disk, and are printed for who wants to
//! know. The stores lie in the target folder: temporary folders are often in memory.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that can't do what it measures has nothing to say"
)]
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::{path::Path, process::ExitCode};

use larder_backends::{
    file::{FileKv, FileOptions},
    object,
};
use larder_core::{Commit, Key, KvStore};
use larder_tests::{
    bench::{Bench, Unit},
    crash::Random,
    migration::migrate,
    servers::{
        redis::{RedisServer, RedisSettings},
        s3::{ACCESS_KEY, S3Server, SECRET_KEY},
    },
};

/// Bytes of a value: with the keys, 200,000 of them are more than the caches hold.
const VALUE_BYTES: usize = 2_000;
/// Bytes of the larger blobs, each of several parts, and of the smaller ones.
const LARGE_BYTES: u64 = 256 << 20;
const SMALL_BYTES: u64 = 1 << 20;

/// What the process itself takes: code, runtime, allocator, two pages of entries of up to 4 MiB each and their commit.
const OWN_BYTES: u64 = 64 << 20;
/// A store in files: its cache (128 MiB of pages, as it is opened unless told otherwise), which redb exceeds by what it
/// holds of a transaction, and by what it reads to repair a database that was not closed.
const FILE_BYTES: u64 = 320 << 20;
/// The cache of a store in files, full.
const CACHE_BYTES: u64 = 144 << 20;
/// How much memory may grow after a quarter of the way: what an allocator loses to holes.
const GROWTH_BYTES: u64 = 32 << 20;
/// Parts on their way: four blobs at once, of each a part or two of 1 MiB in files, up to six of 8 MiB to a bucket.
const PARTS_BYTES: u64 = 4 * 6 * (8 << 20);

fn main() -> ExitCode {
    let mut bench = Bench::from_args("migrate");
    let entries = if bench.is_smoke() { 2_000 } else { 200_000 };
    let (large, small) = if bench.is_smoke() { (0, 8) } else { (6, 512) };
    let folder = tempfile::Builder::new().prefix("migrate-").tempdir_in(larder_tests::target_dir()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut random = Random::new(7, 0, 0);

    runtime.block_on(fill(&folder.path().join("old"), entries));
    let url = |name: &str| format!("file://{}", folder.path().join(name).display());
    let redis = RedisServer::start(&RedisSettings::new()).unwrap();
    let lite = format!("sqlite://{}/lite.db", folder.path().display());
    let legs = [
        // What was written to a store in files is read for the first time when it is compared: its cache fills then.
        ("file -> file", url("new"), OWN_BYTES + 2 * FILE_BYTES, GROWTH_BYTES + CACHE_BYTES),
        ("file -> sqlite", lite, OWN_BYTES + FILE_BYTES, GROWTH_BYTES),
        ("file -> redis", redis.url(), OWN_BYTES + FILE_BYTES, GROWTH_BYTES),
    ];
    for (what, to, peak, growth) in legs {
        let arguments = ["--from", &url("old"), "--to", &to, "--verify", "--json"];
        let limits = Limits { peak, growth };
        run(&mut bench, &mut random, what, folder.path(), &[], &arguments, entries.div_ceil(999), limits);
    }
    drop(redis);

    runtime.block_on(put(&folder.path().join("pages"), large, small));
    let s3 = S3Server::start().unwrap();
    s3.make_bucket("moved");
    let bucket = format!(
        "s3://moved/here?region=us-east-1&endpoint={}&access_key_id=${{KEY}}&secret_access_key=${{SECRET}}",
        s3.endpoint()
    );
    let variables = [("KEY", ACCESS_KEY), ("SECRET", SECRET_KEY)];
    for (what, to) in [("fs -> fs", url("copies")), ("fs -> s3", bucket)] {
        let arguments = ["--from", &url("pages"), "--to", &to, "--kind", "blob", "--verify", "--json"];
        let limits = Limits { peak: OWN_BYTES + PARTS_BYTES, growth: GROWTH_BYTES };
        run(&mut bench, &mut random, what, folder.path(), &variables, &arguments, large + small, limits);
    }
    bench.finish()
}

/// What is held to targets, in bytes of the command's resident memory.
#[derive(Clone, Copy)]
struct Limits {
    /// Its high-water mark in all three runs.
    peak: u64,
    /// What of it comes after a quarter of the last run.
    growth: u64,
}

/// A migration that is killed twice on its way, at moments drawn from its steps, and then must end equal.
#[expect(clippy::too_many_arguments, reason = "one place that calls it, and each is another thing")]
fn run(
    bench: &mut Bench,
    random: &mut Random,
    what: &str,
    folder: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
    steps: u64,
    limits: Limits,
) {
    let mut peak = 0;
    let mut seconds = Vec::new();
    for _ in 0..2 {
        let killed = migrate(folder, variables, arguments, Some(1 + random.below(steps.div_ceil(2))));
        assert_eq!(killed.code, None, "{what}: {}", killed.err);
        peak = peak.max(killed.memory_bytes_peak());
        seconds.push(killed.time.as_secs_f64());
    }
    let done = migrate(folder, variables, arguments, None);
    assert_eq!(done.code, Some(0), "{what}: {}\n{}", done.err, done.out);
    peak = peak.max(done.memory_bytes_peak());
    seconds.push(done.time.as_secs_f64());
    let report: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!(report["verification"]["different"], 0, "{what}: {report}");
    println!(
        "{what}: {} compared, equal; seconds until killed, killed, done and verified: {seconds:.1?}; peak {} MiB",
        report["verification"]["compared"],
        peak >> 20
    );
    bench.bound(&format!("{what}, peak memory"), Unit::Bytes, peak as f64, limits.peak as f64);
    let grown = done.memory_bytes_grown();
    bench.bound(&format!("{what}, growth after a quarter"), Unit::Bytes, grown as f64, limits.growth as f64);
}

async fn fill(folder: &Path, entries: u64) {
    let store = FileKv::open(folder, FileOptions::default()).unwrap();
    for first in (0..entries).step_by(1_000) {
        let commit = (first..(first + 1_000).min(entries)).fold(Commit::new(), |commit, number| {
            let key = Key::new(format!("https://example.org/{:03}/{number}", number % 997)).unwrap();
            match number % 10 {
                0 => commit.put_with_ttl(
                    key,
                    vec![number as u8; VALUE_BYTES],
                    std::time::Duration::from_secs(86_400),
                ),
                _ => commit.put(key, vec![number as u8; VALUE_BYTES]),
            }
        });
        store.commit(&commit).await.unwrap();
    }
    store.close().unwrap();
}

/// Blobs of bytes that differ from range to range, so that a part in a wrong place shows.
async fn put(folder: &Path, large: u64, small: u64) {
    let operator = object::fs(folder).unwrap();
    for number in 0..large + small {
        let size = if number < large { LARGE_BYTES } else { SMALL_BYTES };
        let mut writer = operator.writer(&format!("{:02}/{number}", number % 7)).await.unwrap();
        for block in 0..size / SMALL_BYTES {
            let mut bytes = vec![number as u8; SMALL_BYTES as usize];
            bytes.iter_mut().zip(block.to_le_bytes()).for_each(|(byte, mark)| *byte = mark);
            writer.write(bytes).await.unwrap();
        }
        writer.close().await.unwrap();
    }
}
