//! The embedded key-value store against bare redb with the same durability.
//!
//! Both write 100 B under one of 2,000 keys and wait for the sync; both read such a value into bytes of
//! their own. The stores lie in the target folder, for temporary folders are often in memory, where a
//! sync costs nothing and there is nothing to compare.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that can't do what it measures has nothing to say"
)]

use std::{process::ExitCode, sync::Arc};

use bytes::Bytes;
use futures::future::join_all;
use larder_backends::file::{FileKv, FileOptions};
use larder_core::{Commit, Key, KvStore};
use larder_tests::bench::{Bench, Stopwatch, Target, Unit};
use redb::{Database, ReadableDatabase, TableDefinition};
use tokio::runtime::Runtime;

const TABLE: TableDefinition<'static, &'static [u8], &'static [u8]> = TableDefinition::new("entries");
const VALUE: &[u8] = &[7; 100];
const KEYS: usize = 2_000;
const ROUNDS: u32 = 7;

/// How many write at the same time where writes are grouped.
const WRITERS: u64 = 64;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("file-kv");
    let folder = tempfile::Builder::new().prefix("file-kv-").tempdir_in(larder_tests::target_dir()).unwrap();
    let keys: Arc<[Key]> = (0..KEYS).map(|i| Key::new(format!("k{i:08}")).unwrap()).collect();
    let bare =
        Bare { database: Database::create(folder.path().join("bare.redb")).unwrap(), keys: keys.clone() };
    let store = FileKv::open(folder.path().join("store"), FileOptions::default()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let ours = Ours { store: Arc::new(store), runtime, keys };
    bare.fill();
    ours.fill();

    let commits = bench.calls(300);
    bench.ratio(
        "commit, one writer",
        Unit::Nanos,
        Target::AtMost(1.15),
        ROUNDS,
        || ours.commit(1, commits),
        || bare.commit(commits),
    );
    let gets = bench.calls(200_000);
    bench.ratio("get", Unit::Nanos, Target::AtMost(1.3), ROUNDS, || ours.get(gets), || bare.get(gets));
    bench.ratio(
        "commits, 64 writers to one",
        Unit::PerSecond,
        Target::AtLeast(5.0),
        ROUNDS,
        || 1e9 / ours.commit(WRITERS, commits / 4),
        || 1e9 / ours.commit(1, commits),
    );
    bench.finish()
}

/// redb as its documentation uses it.
struct Bare {
    database: Database,
    keys: Arc<[Key]>,
}

impl Bare {
    fn fill(&self) {
        let write = self.database.begin_write().unwrap();
        {
            let mut table = write.open_table(TABLE).unwrap();
            for key in self.keys.iter() {
                table.insert(key.as_bytes(), VALUE).unwrap();
            }
        }
        write.commit().unwrap();
    }

    /// Nanoseconds per commit.
    fn commit(&self, commits: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..commits {
            let write = self.database.begin_write().unwrap();
            write.open_table(TABLE).unwrap().insert(pick(&self.keys, 0, i).as_bytes(), VALUE).unwrap();
            write.commit().unwrap();
        }
        watch.nanos_per(commits)
    }

    /// Nanoseconds per read.
    fn get(&self, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..gets {
            let table = self.database.begin_read().unwrap().open_table(TABLE).unwrap();
            let value = table.get(pick(&self.keys, 0, i).as_bytes()).unwrap().unwrap();
            std::hint::black_box(Bytes::copy_from_slice(value.value()));
        }
        watch.nanos_per(gets)
    }
}

/// The store, called as a fetcher calls it: through the trait, from tasks.
struct Ours {
    store: Arc<dyn KvStore>,
    runtime: Runtime,
    keys: Arc<[Key]>,
}

impl Ours {
    fn fill(&self) {
        for keys in self.keys.chunks(500) {
            let commit = keys.iter().fold(Commit::new(), |commit, key| commit.put(key.clone(), VALUE));
            self.runtime.block_on(self.store.commit(&commit)).unwrap();
        }
    }

    /// Nanoseconds per commit of all writers together, each with `commits` of them one after the other.
    fn commit(&self, writers: u64, commits: u64) -> f64 {
        let watch = Stopwatch::start();
        self.runtime.block_on(async {
            let tasks = (0..writers).map(|writer| {
                let (store, keys) = (self.store.clone(), self.keys.clone());
                self.runtime.spawn(async move {
                    for i in 0..commits {
                        let commit = Commit::new().put(pick(&keys, writer, i).clone(), VALUE);
                        store.commit(&commit).await.unwrap();
                    }
                })
            });
            join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
        });
        watch.nanos_per(writers * commits)
    }

    /// Nanoseconds per read.
    fn get(&self, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        self.runtime.block_on(async {
            for i in 0..gets {
                std::hint::black_box(self.store.get(pick(&self.keys, 0, i)).await.unwrap().unwrap());
            }
        });
        watch.nanos_per(gets)
    }
}

/// Walks over all keys in strides, each writer from another one on.
fn pick(keys: &[Key], writer: u64, i: u64) -> &Key {
    let at = usize::try_from(writer * 31 + i * 7).unwrap() % keys.len();
    &keys[at]
}
