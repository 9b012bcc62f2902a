//! The public face: one type over both dialects.

use std::fmt;

use larder_core::{BoxFuture, Commit, Description, Entry, Key, KvStore, Outcome, Page, Result, Scan};

use super::{
    SqlOptions,
    options::Target,
    postgres::Postgres,
    sqlite::Sqlite,
    store::{AnyStore, Store},
};

/// A durable key-value store in a table of a SQL database, with every capability.
///
/// Lives on the tokio runtime that it was connected on.
///
/// # Cancel safety
/// As the contract says. A dropped operation costs its connection, which is closed; a transaction that was open on
/// it is rolled back, unless its commit was on the way already.
pub struct SqlKv {
    store: Box<dyn AnyStore>,
}

impl SqlKv {
    /// Connects, and makes or moves on the table where that is needed.
    ///
    /// # Errors
    /// `config` where an option is out of its range or the database has no such schema; `unavailable` where the
    /// database does not answer in time; `denied` where it refuses; `unsupported` where a newer larder made the
    /// table; `corrupt` where a SQLite file is damaged, or is none.
    ///
    /// # Cancel safety
    /// Dropped, it leaves the table made or not made, and nothing in between.
    pub async fn connect(options: SqlOptions) -> Result<Self> {
        let name = options.to_string();
        let store = open(options).await;
        store.map(|store| Self { store }).map_err(|error| error.operation("open").with("store", name))
    }

    /// Ends the background task, waits for the operations that are under way, and closes the connections. Dropping
    /// the store ends the task and cuts the connections as they come free.
    ///
    /// # Errors
    /// None so far: what was acknowledged is durable before.
    ///
    /// # Cancel safety
    /// Dropped, it leaves the store closed for new operations.
    pub async fn close(&self) -> Result<()> {
        self.store.close().await;
        Ok(())
    }

    /// Removes everything that has expired by now, in bounded transactions, and answers how many entries that were.
    /// The store does it by itself every `cleanup_interval`.
    ///
    /// # Errors
    /// As any operation; sweeping again does no harm.
    ///
    /// # Cancel safety
    /// What was removed by then is removed.
    pub async fn sweep(&self) -> Result<u64> {
        self.store.sweep().await
    }
}

/// A future with a type of its own: the compiler does not see that the drivers' futures may be sent, once they are part
/// of another crate's.
fn open(options: SqlOptions) -> BoxFuture<'static, Result<Box<dyn AnyStore>>> {
    Box::pin(async move {
        options.check()?;
        let name = options.to_string();
        let (value_bytes_max, cleanup_interval) = (options.value_bytes_max, options.cleanup_interval);
        Ok(match &options.target {
            Target::Postgres(_) => {
                let driver = Postgres::connect(options).await.map_err(|fault| fault.error)?;
                Box::new(Store::new(driver, name, value_bytes_max, cleanup_interval)) as Box<dyn AnyStore>
            }
            Target::Sqlite(_) => {
                let driver = Sqlite::connect(options).await.map_err(|fault| fault.error)?;
                Box::new(Store::new(driver, name, value_bytes_max, cleanup_interval))
            }
        })
    })
}

impl KvStore for SqlKv {
    fn describe(&self) -> Description {
        self.store.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        self.store.get(key)
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        self.store.get_many(keys)
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        self.store.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        self.store.commit(commit)
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.store.health()
    }
}

impl fmt::Display for SqlKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.store, f)
    }
}

impl fmt::Debug for SqlKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.store, f)
    }
}
