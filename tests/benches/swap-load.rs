//! Swaps in a row under an open load: 10,000 calls a second, a hundred swaps, twenty of them to components that are broken
//! in six ways. No call may fail, none may see what a broken component makes up, and the slowest calls may be three times
//! as slow as without swaps.
//!
//! The load is open: calls begin at their times, whether those before have ended or not, and a latency counts from when
//! the call was due. So a pause is seen by all the calls that it delays.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench that can't do what it measures has nothing to say, and it measures real time"
)]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints what it measured")]

use std::{
    process::ExitCode,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use larder_core::{Commit, Key, KvStore, MemoryKv};
use larder_tests::{
    bench::{Bench, Unit},
    plugin,
};
use larder_wasm::{Audit, Engine, EngineOptions, KvPlugin, PluginOptions, Source, SwapOptions};
use tokio::runtime::{Handle, Runtime};

/// Calls a second.
const RATE: u32 = 10_000;
/// One call in so many writes.
const WRITES_ONE_IN: u64 = 10;
/// Keys that are read and written.
const KEYS: u64 = 1_000;
/// What each value begins with; a broken component says something else.
const RIGHT: &str = "right";
/// How many times slower the slowest calls may be.
const P99_FACTOR: f64 = 3.0;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("swap-load");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (swaps, quiet) =
        if bench.is_smoke() { (12, Duration::from_millis(500)) } else { (100, Duration::from_secs(5)) };

    let (store, audit) = runtime.block_on(load());
    let before = Load::start(&runtime, &store);
    std::thread::sleep(quiet);
    let before = before.end(&runtime);

    let during = Load::start(&runtime, &store);
    let begun = Instant::now();
    let broken = runtime.block_on(swap(&store, swaps));
    let took = begun.elapsed();
    let during = during.end(&runtime);

    println!(
        "{swaps} swaps, {broken} of them to broken components, in {took:.1?}, while {} calls were made; before them {}",
        during.calls, before.calls
    );
    for (what, load) in [("before", &before), ("during", &during)] {
        println!(
            "  {what}: p50 {:.0} us, p99 {:.0} us, p99.9 {:.0} us, slowest {:.0} us",
            load.percentile(0.5) / 1e3,
            load.percentile(0.99) / 1e3,
            load.percentile(0.999) / 1e3,
            load.percentile(1.0) / 1e3
        );
    }
    bench.bound(
        "p99 of a call while plugins are swapped, against 3 times the p99 before",
        Unit::Nanos,
        during.percentile(0.99),
        P99_FACTOR * before.percentile(0.99),
    );
    let lost = before.failed + during.failed;
    let wrong = before.wrong + during.wrong;
    println!("  {lost} calls failed, {wrong} calls saw what a broken component makes up");
    if lost + wrong > 0 {
        eprintln!("swap-load: calls were lost or wrong");
        for record in audit.records().iter().filter(|record| record.is_failure) {
            eprintln!("  {}: {}", record.step, record.outcome);
        }
        return ExitCode::FAILURE;
    }
    bench.finish()
}

fn key(number: u64) -> Key {
    Key::new(format!("key-{}", number % KEYS)).unwrap()
}

fn value(number: u64) -> String {
    format!("{RIGHT} {number}")
}

/// A layer in front of a store in memory: generations that share their data.
async fn load() -> (KvPlugin, Arc<Audit>) {
    let engine = Engine::new(EngineOptions::default()).unwrap();
    let next = Arc::new(MemoryKv::new());
    for number in 0..KEYS {
        next.commit(&Commit::new().put(key(number), value(number))).await.unwrap();
    }
    let audit = Arc::new(Audit::new());
    let options = PluginOptions::new("kv-pass").with_audit(Arc::clone(&audit));
    let source = Source::file(plugin("kv-pass"));
    (KvPlugin::load_layer(&engine, &source, options, next).await.unwrap(), audit)
}

/// Every fifth swap is to a component that is broken. Answers how many those were.
async fn swap(store: &KvPlugin, swaps: usize) -> usize {
    let whole = std::fs::read(plugin("kv-pass")).unwrap();
    let mut again = whole.clone();
    again.extend([0, 3, 1, b'b', 1]);
    let builds = [Source::bytes("build 1", again), Source::bytes("build 2", whole.clone())];
    let half = whole.get(..whole.len() / 2).unwrap().to_vec();
    let file = |name: &str| Source::file(plugin(name));
    let broken = [
        file("kv-pass-crash"),
        file("kv-pass-liar"),
        file("kv-pass-sly"),
        // Only after the switch.
        file("kv-pass-late"),
        // Of another world.
        file("kv-memory"),
        Source::bytes("half of it", half),
    ];
    let options = SwapOptions::default();
    let (mut good, mut bad) = (builds.iter().cycle(), broken.iter().cycle());
    let mut count = 0;
    for number in 1..=swaps {
        if number % 5 == 0 {
            let serving = store.digest();
            let source = bad.next().unwrap();
            let swapped = store.swap_with(source, &options).await;
            if swapped.is_ok() {
                store.settled().await;
            }
            assert_eq!(store.digest(), serving, "{source:?} was not returned from: {swapped:?}");
            count += 1;
        } else {
            store.swap_with(good.next().unwrap(), &options).await.unwrap();
        }
    }
    count
}

/// Calls that begin at their times.
struct Load {
    stop: Arc<AtomicBool>,
    seen: Arc<Seen>,
    pacing: std::thread::JoinHandle<u64>,
}

#[derive(Default)]
struct Seen {
    nanos: Mutex<Vec<u64>>,
    ended: AtomicU64,
    failed: AtomicU64,
    wrong: AtomicU64,
}

struct Measured {
    calls: u64,
    failed: u64,
    wrong: u64,
    /// Ascending.
    nanos: Vec<u64>,
}

impl Load {
    fn start(runtime: &Runtime, store: &KvPlugin) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Seen::default()));
        let (stopped, shared) = (Arc::clone(&stop), Arc::clone(&seen));
        let (handle, store) = (runtime.handle().clone(), store.clone());
        let pacing = std::thread::spawn(move || pace(&handle, &store, &shared, &stopped));
        Self { stop, seen, pacing }
    }

    fn end(self, runtime: &Runtime) -> Measured {
        self.stop.store(true, Ordering::Relaxed);
        let calls = self.pacing.join().unwrap();
        runtime.block_on(async {
            while self.seen.ended.load(Ordering::Acquire) < calls {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        let mut nanos = std::mem::take(&mut *self.seen.nanos.lock().unwrap());
        nanos.sort_unstable();
        Measured {
            calls,
            failed: self.seen.failed.load(Ordering::Relaxed),
            wrong: self.seen.wrong.load(Ordering::Relaxed),
            nanos,
        }
    }
}

fn pace(runtime: &Handle, store: &KvPlugin, seen: &Arc<Seen>, stop: &AtomicBool) -> u64 {
    let begun = Instant::now();
    let mut calls = 0_u64;
    while !stop.load(Ordering::Relaxed) {
        let due = begun + Duration::from_secs(1) / RATE * u32::try_from(calls).unwrap();
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        let (store, seen, number) = (store.clone(), Arc::clone(seen), calls);
        runtime.spawn(async move {
            if number.is_multiple_of(WRITES_ONE_IN) {
                if store.commit(&Commit::new().put(key(number), value(number))).await.is_err() {
                    seen.failed.fetch_add(1, Ordering::Relaxed);
                }
            } else {
                match store.get(&key(number)).await {
                    Ok(Some(entry)) if entry.value.starts_with(RIGHT.as_bytes()) => {}
                    Ok(_) => _ = seen.wrong.fetch_add(1, Ordering::Relaxed),
                    Err(_) => _ = seen.failed.fetch_add(1, Ordering::Relaxed),
                }
            }
            let took = u64::try_from(due.elapsed().as_nanos()).unwrap();
            seen.nanos.lock().unwrap().push(took);
            seen.ended.fetch_add(1, Ordering::Release);
        });
        calls += 1;
    }
    calls
}

impl Measured {
    fn percentile(&self, share: f64) -> f64 {
        let last = self.nanos.len().saturating_sub(1);
        self.nanos.get((last as f64 * share) as usize).map_or(f64::NAN, |nanos| *nanos as f64)
    }
}
