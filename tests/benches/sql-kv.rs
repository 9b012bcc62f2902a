//! The SQL key-value stores against bare `sqlx` with the same statements, on pools with the same settings.
//!
//! Both write 100 B under one of 2,000 keys of a table of the same shape, and both read such a value into bytes of
//! their own. The SQLite files lie in the target folder, for temporary folders are often in memory, where a sync costs
//! nothing and there is nothing to compare. PostgreSQL is a server of this machine, started by the bench.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a bench that can't do what it measures has nothing to say"
)]

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use larder_backends::sql::{SqlKv, SqlOptions};
use larder_core::{Commit, Key, KvStore};
use larder_tests::{
    bench::{Bench, Stopwatch, Target, Unit},
    servers::postgres::Postgres,
};
use sqlx::{
    ConnectOptions as _, PgPool, Row as _, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    query,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

const VALUE: &[u8] = &[7; 100];
const KEYS: usize = 2_000;
/// Few, so that both sides have opened all of them: calls take turns on what is open, and many connections are slower
/// than few.
const CONNECTIONS: u32 = 2;
/// Many short rounds: every call goes through another thread or process, and so through the scheduler.
const ROUNDS: u32 = 41;

fn main() -> ExitCode {
    let mut bench = Bench::from_args("sql-kv");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let keys: Arc<[Key]> = (0..KEYS).map(|i| Key::new(format!("k{i:08}")).unwrap()).collect();
    runtime.block_on(async {
        let folder =
            tempfile::Builder::new().prefix("sql-kv-").tempdir_in(larder_tests::target_dir()).unwrap();
        let url = format!("sqlite://{}", folder.path().join("ours.db").display());
        let ours = Ours::open(&url, keys.clone()).await;
        let bare = BareSqlite::open(&folder.path().join("bare.db"), keys.clone()).await;
        compare(&mut bench, "SQLite", &ours, &bare).await;

        let server = Postgres::start().unwrap();
        let ours = Ours::open(&server.url(), keys.clone()).await;
        let bare = BarePostgres::open(&server.url(), keys.clone()).await;
        compare(&mut bench, "PostgreSQL", &ours, &bare).await;
    });
    bench.finish()
}

async fn compare(bench: &mut Bench, name: &str, ours: &Ours, bare: &impl Bare) {
    let (gets, puts) = (bench.calls(500), bench.calls(50));
    let target = Target::AtMost(1.2);
    let what = format!("{name}: get");
    bench
        .ratio_async(
            &what,
            Unit::Nanos,
            target,
            ROUNDS,
            async || ours.get(gets).await,
            async || bare.get(gets).await,
        )
        .await;
    let what = format!("{name}: set");
    bench
        .ratio_async(
            &what,
            Unit::Nanos,
            target,
            ROUNDS,
            async || ours.put(puts).await,
            async || bare.put(puts).await,
        )
        .await;
}

/// The store, called as a fetcher calls it: through the trait.
struct Ours {
    store: Arc<dyn KvStore>,
    keys: Arc<[Key]>,
}

impl Ours {
    async fn open(url: &str, keys: Arc<[Key]>) -> Self {
        let options = SqlOptions::from_url(url).unwrap().connections_max(CONNECTIONS);
        let store = SqlKv::connect(options).await.unwrap();
        for keys in keys.chunks(500) {
            let commit = keys.iter().fold(Commit::new(), |commit, key| commit.put(key.clone(), VALUE));
            store.commit(&commit).await.unwrap();
        }
        Self { store: Arc::new(store), keys }
    }

    /// Nanoseconds per read.
    async fn get(&self, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..gets {
            std::hint::black_box(self.store.get(pick(&self.keys, i)).await.unwrap().unwrap());
        }
        watch.nanos_per(gets)
    }

    /// Nanoseconds per write.
    async fn put(&self, puts: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..puts {
            let commit = Commit::new().put(pick(&self.keys, i).clone(), VALUE);
            std::hint::black_box(self.store.commit(&commit).await.unwrap());
        }
        watch.nanos_per(puts)
    }
}

/// The same without the store.
trait Bare {
    async fn get(&self, gets: u64) -> f64;
    async fn put(&self, puts: u64) -> f64;
}

struct BareSqlite {
    writer: SqlitePool,
    readers: SqlitePool,
    version: AtomicI64,
    keys: Arc<[Key]>,
}

impl BareSqlite {
    async fn open(file: &std::path::Path, keys: Arc<[Key]>) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = |connections| {
            let options = options.clone();
            async move {
                let pool = SqlitePoolOptions::new().max_connections(connections).test_before_acquire(false);
                pool.connect_with(options).await.unwrap()
            }
        };
        let bare = Self {
            writer: pool(1).await,
            readers: pool(CONNECTIONS - 1).await,
            version: AtomicI64::new(1),
            keys,
        };
        query(
            "CREATE TABLE t (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, expires_at INTEGER, \
             checksum INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
        )
        .execute(&bare.writer)
        .await
        .unwrap();
        query("CREATE INDEX i ON t (expires_at) WHERE expires_at IS NOT NULL")
            .execute(&bare.writer)
            .await
            .unwrap();
        let mut filling = bare.writer.begin().await.unwrap();
        for key in bare.keys.iter() {
            bare.insert(key, 0).execute(&mut *filling).await.unwrap();
        }
        filling.commit().await.unwrap();
        bare
    }

    fn insert(
        &self,
        key: &Key,
        version: i64,
    ) -> sqlx::query::Query<'static, sqlx::Sqlite, <sqlx::Sqlite as sqlx::Database>::Arguments> {
        query(
            "INSERT INTO t (key, version, expires_at, checksum, value) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at, \
             checksum = excluded.checksum, value = excluded.value",
        )
        .bind(key.as_bytes().to_vec())
        .bind(version)
        .bind(None::<i64>)
        .bind(1_i64 << 60)
        .bind(VALUE.to_vec())
    }
}

impl Bare for BareSqlite {
    async fn get(&self, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..gets {
            let statement = query("SELECT key, version, expires_at, checksum, value FROM t WHERE key = ?1");
            let row = statement.bind(pick(&self.keys, i).as_bytes().to_vec());
            let row = row.fetch_optional(&self.readers).await.unwrap().unwrap();
            let value = Bytes::copy_from_slice(row.get(4));
            std::hint::black_box((value, row.get::<i64, _>(1), row.get::<Option<i64>, _>(2)));
        }
        watch.nanos_per(gets)
    }

    async fn put(&self, puts: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..puts {
            // A new one each time: SQLite writes nothing where a row stays as it is.
            let version = self.version.fetch_add(1, Ordering::Relaxed);
            self.insert(pick(&self.keys, i), version).execute(&self.writer).await.unwrap();
        }
        watch.nanos_per(puts)
    }
}

struct BarePostgres {
    pool: PgPool,
    keys: Arc<[Key]>,
}

impl BarePostgres {
    async fn open(url: &str, keys: Arc<[Key]>) -> Self {
        let options: PgConnectOptions = url.parse().unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .connect_with(options.disable_statement_logging())
            .await
            .unwrap();
        query(
            "CREATE TABLE t (key bytea PRIMARY KEY, version bigint GENERATED BY DEFAULT AS IDENTITY NOT NULL, \
             expires_at bigint, value bytea NOT NULL)",
        )
        .execute(&pool)
        .await
        .unwrap();
        query("CREATE INDEX ON t (expires_at) WHERE expires_at IS NOT NULL").execute(&pool).await.unwrap();
        let bare = Self { pool, keys };
        let all: Vec<&[u8]> = bare.keys.iter().map(|key| key.as_bytes()).collect();
        let fill = query("INSERT INTO t (key, value) SELECT k, $2 FROM unnest($1::bytea[]) AS k");
        fill.bind(all).bind(VALUE).execute(&bare.pool).await.unwrap();
        bare
    }
}

impl Bare for BarePostgres {
    async fn get(&self, gets: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..gets {
            let statement = query(
                "SELECT e.value, e.version, e.expires_at FROM t AS e WHERE e.key = $1 AND (e.expires_at IS NULL OR \
                 e.expires_at > coalesce($2::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint))",
            );
            let row = statement.bind(pick(&self.keys, i).as_bytes()).bind(None::<i64>);
            let row = row.fetch_optional(&self.pool).await.unwrap().unwrap();
            let value = Bytes::copy_from_slice(row.get(0));
            std::hint::black_box((value, row.get::<i64, _>(1), row.get::<Option<i64>, _>(2)));
        }
        watch.nanos_per(gets)
    }

    async fn put(&self, puts: u64) -> f64 {
        let watch = Stopwatch::start();
        for i in 0..puts {
            let statement = query(
                "INSERT INTO t AS e (key, value, expires_at) VALUES ($1, $2, \
                 coalesce($4::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) + $3::bigint) \
                 ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, \
                 expires_at = excluded.expires_at RETURNING version",
            );
            let put = statement
                .bind(pick(&self.keys, i).as_bytes())
                .bind(VALUE)
                .bind(None::<i64>)
                .bind(None::<i64>);
            std::hint::black_box(put.fetch_optional(&self.pool).await.unwrap().unwrap().get::<i64, _>(0));
        }
        watch.nanos_per(puts)
    }
}

/// Walks over all keys in strides.
fn pick(keys: &[Key], i: u64) -> &Key {
    &keys[usize::try_from(i * 7).unwrap() % keys.len()]
}
