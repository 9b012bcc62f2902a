//! The store in Redis against the bare `redis` crate: the same server, the same kind of connection, the same data.
//!
//! Both read and write 100 B under one of 10,000 keys. The store keeps an index and versions while it does; the bare
//! crate keeps nothing but the value. Scans are compared with themselves: 100 entries out of few keys and out of many.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that can't do what it measures has nothing to say"
)]

use std::{process::ExitCode, sync::Arc};

use futures::future::join_all;
use larder_backends::redis::{RedisKv, RedisOptions};
use larder_core::{Commit, Key, KeyRange, KvStore, Scan};
use larder_tests::{
    bench::{Bench, Stopwatch, Target, Unit},
    servers::redis::{RedisServer, RedisSettings},
};
use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection, cmd};
use tokio::runtime::Runtime;

const VALUE: &[u8] = &[7; 100];
const KEYS: usize = 10_000;
const KEYS_OF_MANY: usize = 1_000_000;
/// Many short rounds: what else the machine does comes and goes more slowly than they take turns.
const ROUNDS: u32 = 61;

/// How many read at the same time where reads are concurrent.
const READERS: u64 = 64;

/// How many entries a scan returns.
const SCANNED: usize = 100;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("redis-kv");
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let keys: Arc<[Key]> = (0..KEYS).map(|i| Key::new(format!("k{i:08}")).unwrap()).collect();
    let ours = Ours::open(&server, &runtime, "few", &keys);
    let bare = Bare::open(&server, &runtime, &keys);

    let calls = bench.calls(1_000);
    bench.ratio(
        "get",
        Unit::Nanos,
        Target::AtMost(1.15),
        ROUNDS,
        || ours.get(1, calls),
        || bare.get(1, calls),
    );
    bench.ratio("set", Unit::Nanos, Target::AtMost(1.6), ROUNDS, || ours.set(calls), || bare.set(calls));
    let each = bench.calls(16_000).div_ceil(READERS);
    bench.ratio(
        "get, 64 at once",
        Unit::Nanos,
        Target::AtMost(1.2),
        ROUNDS,
        || ours.get(READERS, each),
        || bare.get(READERS, each),
    );

    let many = if bench.is_smoke() { KEYS * 2 } else { KEYS_OF_MANY };
    let keys: Arc<[Key]> = (0..many).map(|i| Key::new(format!("k{i:08}")).unwrap()).collect();
    let much = Ours::open(&server, &runtime, "many", &keys);
    let scans = bench.calls(50);
    bench.ratio(
        "scan of 100, 1,000,000 keys to 10,000",
        Unit::Nanos,
        Target::AtMost(3.0),
        ROUNDS,
        || much.scan(scans),
        || ours.scan(scans),
    );
    bench.finish()
}

/// Values under names, as the crate's documentation does it.
struct Bare<'r> {
    connection: MultiplexedConnection,
    runtime: &'r Runtime,
    names: Arc<[String]>,
}

impl<'r> Bare<'r> {
    fn open(server: &RedisServer, runtime: &'r Runtime, keys: &[Key]) -> Self {
        let client = Client::open(server.url()).unwrap();
        // The waits that the store has too; the crate's own are shorter.
        let config =
            AsyncConnectionConfig::new().set_response_timeout(Some(std::time::Duration::from_secs(5)));
        let connecting = client.get_multiplexed_async_connection_with_config(&config);
        let connection = runtime.block_on(connecting).unwrap();
        // As long as the store's names are.
        let names = keys.iter().map(|key| format!("{{bare}}:{key}")).collect();
        let bare = Self { connection, runtime, names };
        bare.set(KEYS as u64);
        bare
    }

    /// Nanoseconds per read of all readers together, each with `gets` of them one after the other.
    fn get(&self, readers: u64, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        self.runtime.block_on(async {
            let tasks = (0..readers).map(|reader| {
                let (mut connection, names) = (self.connection.clone(), self.names.clone());
                self.runtime.spawn(async move {
                    for i in 0..gets {
                        let name = &names[at(names.len(), reader, i)];
                        let value: Option<Vec<u8>> =
                            cmd("GET").arg(name).query_async(&mut connection).await.unwrap();
                        assert_eq!(std::hint::black_box(value).unwrap().len(), VALUE.len());
                    }
                })
            });
            join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
        });
        watch.nanos_per(readers * gets)
    }

    /// Nanoseconds per write.
    fn set(&self, sets: u64) -> f64 {
        let watch = Stopwatch::start();
        let (mut connection, names) = (self.connection.clone(), self.names.clone());
        self.runtime.block_on(async {
            let task = self.runtime.spawn(async move {
                for i in 0..sets {
                    let name = &names[at(names.len(), 0, i)];
                    cmd("SET").arg(name).arg(VALUE).exec_async(&mut connection).await.unwrap();
                }
            });
            task.await.unwrap();
        });
        watch.nanos_per(sets)
    }
}

/// The store, called as a fetcher calls it: through the trait, from tasks.
struct Ours<'r> {
    store: Arc<dyn KvStore>,
    runtime: &'r Runtime,
    keys: Arc<[Key]>,
}

impl<'r> Ours<'r> {
    fn open(server: &RedisServer, runtime: &'r Runtime, prefix: &str, keys: &Arc<[Key]>) -> Self {
        let options = RedisOptions::from_url(&server.url()).unwrap().key_prefix(prefix);
        let store = runtime.block_on(RedisKv::connect(options)).unwrap();
        for keys in keys.chunks(1_000) {
            let commit = keys.iter().fold(Commit::new(), |commit, key| commit.put(key.clone(), VALUE));
            runtime.block_on(store.commit(&commit)).unwrap();
        }
        Self { store: Arc::new(store), runtime, keys: keys.clone() }
    }

    /// Nanoseconds per read of all readers together, each with `gets` of them one after the other.
    fn get(&self, readers: u64, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        self.runtime.block_on(async {
            let tasks = (0..readers).map(|reader| {
                let (store, keys) = (self.store.clone(), self.keys.clone());
                self.runtime.spawn(async move {
                    for i in 0..gets {
                        let entry = store.get(&keys[at(keys.len(), reader, i)]).await.unwrap();
                        assert_eq!(std::hint::black_box(entry).unwrap().value.len(), VALUE.len());
                    }
                })
            });
            join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
        });
        watch.nanos_per(readers * gets)
    }

    /// Nanoseconds per write.
    fn set(&self, sets: u64) -> f64 {
        let watch = Stopwatch::start();
        let (store, keys) = (self.store.clone(), self.keys.clone());
        self.runtime.block_on(async {
            let task = self.runtime.spawn(async move {
                for i in 0..sets {
                    let commit = Commit::new().put(keys[at(keys.len(), 0, i)].clone(), VALUE);
                    store.commit(&commit).await.unwrap();
                }
            });
            task.await.unwrap();
        });
        watch.nanos_per(sets)
    }

    /// Nanoseconds per scan of a prefix that 100 keys have.
    fn scan(&self, scans: u64) -> f64 {
        let prefixes = self.keys.len() / SCANNED;
        let watch = Stopwatch::start();
        let (store, keys) = (self.store.clone(), self.keys.clone());
        self.runtime.block_on(async {
            let task = self.runtime.spawn(async move {
                for i in 0..scans {
                    let first = &keys[at(prefixes, 0, i) * SCANNED];
                    let prefix = &first[..first.len() - 2];
                    let page = store.scan(&Scan::new(KeyRange::prefix(prefix)).limit(100)).await.unwrap();
                    assert_eq!(std::hint::black_box(page).entries.len(), SCANNED);
                }
            });
            task.await.unwrap();
        });
        watch.nanos_per(scans)
    }
}

/// Walks over all places in strides, each walker from another one on.
fn at(places: usize, walker: u64, i: u64) -> usize {
    usize::try_from(walker * 31 + i * 7919).unwrap() % places
}
