//! Key-value stores in SQL databases: PostgreSQL, shared by many hosts, and SQLite, shared by the processes of one.
//!
//! * A store has a table of its own. Its schema is versioned and moved on in a transaction when the store is opened;
//!   many hosts may open it for the first time together, and a newer schema is refused.
//! * Keys are binary columns, and so ordered by bytes whatever the database's collation; they hold any UTF-8.
//! * A read, and a write of one key with at most one check on it, is one statement. A commit of many puts is one, too.
//!   Every other commit takes its keys in ascending order, absent ones included, looks, decides and writes: no other
//!   writer comes between, and readers never see half of it (`docs/adr/0010-sql-commits-take-their-keys.md`). What the
//!   database gives up for the sake of another transaction is tried again, a bounded number of times.
//! * Versions are never used twice, also not after a delete and not by other processes: PostgreSQL draws them from the
//!   table's sequence, SQLite stores reserve them in blocks.
//! * Expiry is decided by one clock: in PostgreSQL the server's, so that all hosts agree, in SQLite the host's; an
//!   injected clock replaces either. A task of the store removes what has expired, in bounded steps.
//! * SQLite stores run in WAL mode and sync each commit. Each row carries checksums, which SQLite itself has not.
//! * Every wait has a limit: for a connection, for a statement on the server, for an answer from it.
//!
//! The table has the columns `key`, `version`, `expires_at` (milliseconds since the Unix epoch, or null) and `value`, in
//! SQLite also `checksum`. Beside it `larder_migrations` records the schema of each store, and in SQLite
//! `larder_versions` the versions that were handed out. Other programs may read all of it; what they write into a
//! SQLite table is `corrupt` without its checksum.
//!
//! The invariant: what was acknowledged is durable and whole, and an error says `unknown` wherever a write may have
//! happened.
//!
//! URLs: `postgres://user:password@host:port/database?sslmode=verify-full&table=state` and
//! `sqlite:///absolute/path.db`, `sqlite://relative/path.db` ([`SqlOptions::from_url`]).
//!
//! ```
//! use larder_backends::sql::{SqlKv, SqlOptions};
//! use larder_core::{Commit, Key, KvStore};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! let file = folder.path().join("state.db");
//! let store = SqlKv::connect(SqlOptions::from_url(&format!("sqlite://{}", file.display()))?).await?;
//! let key = Key::new("users/42")?;
//! store.commit(&Commit::new().put(key.clone(), "Ada")).await?;
//! assert_eq!(store.get(&key).await?.unwrap().value, "Ada");
//! store.close().await
//! # }).unwrap();
//! ```

mod driver;
mod error;
mod kv;
mod lease;
mod migrate;
mod name;
mod options;
mod page;
mod plan;
mod postgres;
mod sqlite;
mod store;
mod url;

pub use kv::SqlKv;
pub use options::SqlOptions;
