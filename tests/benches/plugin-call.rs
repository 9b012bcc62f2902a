//! Calls through a plugin, with all guards on, against the bare typed call on the same component, and against a
//! process on a Unix socket.

#[path = "plugin-call/bare.rs"]
mod bare;
#[path = "plugin-call/socket.rs"]
mod socket;

use std::{
    error::Error,
    process::ExitCode,
    sync::{Arc, Barrier},
};

use futures::executor::block_on;
use larder::{Config, Host};
use larder_core::{Commit, Key, KvStore};
use larder_tests::bench::{Bench, Stopwatch, Target, Unit};
use larder_wasm::{Engine, EngineOptions, KvPlugin, PluginLimits, PluginOptions, Source};

/// Size of the value that is read.
const VALUE_BYTES: usize = 100;
/// Keys of a batch.
const BATCH: u64 = 64;
/// The most that what stands around a plugin may add to a call, in nanoseconds.
const ADDED_NANOS_MAX: f64 = 100.0;
/// Rounds of each side: enough for a steady median on a busy machine.
const ROUNDS: u32 = 15;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    if let Some(path) = socket::server_path() {
        return socket::serve(&path);
    }
    let mut bench = Bench::from_args("plugin-call");
    match measure(&mut bench) {
        Ok(()) => bench.finish(),
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a bench has no other place for its errors")]
fn complain(error: &Failure) {
    eprintln!("plugin-call: {error}");
}

fn measure(bench: &mut Bench) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let engine = Engine::new(EngineOptions::default())?;
    let load = |name: &str| {
        let source = Source::file(larder_tests::plugin(name));
        runtime.block_on(KvPlugin::load(&engine, &source, PluginOptions::new(name)))
    };
    let memory = load("kv-memory")?;
    let key = Key::new("key-of-twenty-bytes!")?;
    let keys =
        (0..BATCH).map(|n| Key::new(format!("key-of-twenty-by-{n:03}"))).collect::<Result<Vec<_>, _>>()?;
    let all = || keys.iter().chain([&key]);
    let commit = all().fold(Commit::new(), |commit, key| commit.put(key.clone(), vec![b'x'; VALUE_BYTES]));
    block_on(memory.commit(&commit))?;

    let mut bare = bare::Bare::load(&larder_tests::plugin("kv-memory"), all(), &[b'x'; VALUE_BYTES])?;
    let calls = bench.calls(50_000);
    let ours = || get_each(&memory, &key, calls);
    bench.ratio(
        "get 100 B, guards on, against the bare typed call",
        Unit::Nanos,
        Target::AtMost(1.3),
        ROUNDS,
        ours,
        || bare.get_each(&key, calls),
    );

    let host = open_host(&runtime)?;
    let stack = host.kv("memory")?.store();
    block_on(stack.commit(&commit))?;
    let plain = get_each(&memory, &key, calls);
    // Of one round each time, so that a busy moment slows both sides of the difference.
    let added = || get_each(&*stack, &key, calls) - get_each(&memory, &key, calls);
    bench.within(
        "what metrics, error context and checks of a store add to the supervised plugin",
        Unit::Nanos,
        ADDED_NANOS_MAX,
        ROUNDS,
        added,
        plain,
    );

    let mut process = socket::Process::start(VALUE_BYTES)?;
    let few = bench.calls(2_000);
    bench.ratio(
        "the same against a plugin process on a Unix socket",
        Unit::Nanos,
        Target::TimesFaster(30.0),
        ROUNDS,
        ours,
        || process.get_each(&key, few),
    );

    let batches = bench.calls(2_000);
    let batch = || {
        let watch = Stopwatch::start();
        block_on(async {
            for _ in 0..batches {
                assert!(memory.get_many(&keys).await.is_ok_and(|found| found.iter().all(Option::is_some)));
            }
        });
        watch.nanos_per(batches * BATCH)
    };
    bench.ratio(
        "64 keys at once, per key, against single gets",
        Unit::Nanos,
        Target::AtMost(0.6),
        ROUNDS,
        batch,
        ours,
    );

    let pool = {
        let mut limits = PluginLimits::default();
        limits.instances_max = 2;
        let source = Source::file(larder_tests::plugin("kv-static"));
        let options = PluginOptions::new("kv-static").with_limits(limits);
        runtime.block_on(KvPlugin::load(&engine, &source, options))?
    };
    let per_second = |threads| per_second_on(threads, &pool, calls);
    bench.ratio(
        "calls per second of 2 threads on a pool of 2, against 1",
        Unit::PerSecond,
        Target::AtLeast(1.6),
        ROUNDS,
        || per_second(2),
        || per_second(1),
    );
    Ok(())
}

/// A host with the same component behind all that a store has around it, but for the retries.
fn open_host(runtime: &tokio::runtime::Runtime) -> Result<Host, Failure> {
    let component = larder_tests::plugin("kv-memory");
    let yaml = format!(
        "plugins: {{ m: {{ path: '{}' }} }}\nstores: {{ memory: {{ backend: m, retries: 0 }} }}",
        component.display()
    );
    Ok(runtime.block_on(Host::open(Config::from_yaml(&yaml)?.plan()?))?)
}

/// Nanoseconds of a get through the contract, one after the other.
fn get_each(store: &dyn KvStore, key: &Key, calls: u64) -> f64 {
    let watch = Stopwatch::start();
    block_on(async {
        for _ in 0..calls {
            assert!(store.get(key).await.is_ok_and(|found| found.is_some()));
        }
    });
    watch.nanos_per(calls)
}

/// Gets per second of several threads together, that begin at once.
fn per_second_on(threads: usize, store: &KvPlugin, calls: u64) -> f64 {
    let start = Arc::new(Barrier::new(threads + 1));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                let start = Arc::clone(&start);
                scope.spawn(move || {
                    // A key of its own, as callers have: a shared one is a counter that threads fight over.
                    let key = Key::new((500 + number).to_string());
                    start.wait();
                    assert!(key.is_ok_and(|key| get_each(store, &key, calls) > 0.0));
                })
            })
            .collect();
        start.wait();
        let watch = Stopwatch::start();
        let ended = workers.into_iter().all(|worker| worker.join().is_ok());
        assert!(ended, "a thread of the bench panicked");
        watch.per_second(calls * threads as u64)
    })
}
