//! The store of either dialect: the contract of a key-value store in terms of a [`Driver`].

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use larder_core::{BoxFuture, Commit, Description, Entry, Error, Key, KvStore, Outcome, Page, Result, Scan};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    driver::{Answer, Driver, Transaction},
    error::Fault,
    plan::{self, Plan, Steps},
};

/// How often a commit is tried that the database gives up for the sake of another transaction.
const TRIES_MAX: u32 = 8;
/// Before the second try; doubled before each further one.
const WAIT_FIRST: Duration = Duration::from_millis(2);
/// Most expired entries that one transaction removes: bounds how long it holds their rows.
const SWEEP_ROWS: u32 = 1_000;

pub(super) struct Store<D> {
    description: Description,
    name: String,
    driver: Arc<D>,
    sweeper: Mutex<Option<JoinHandle<()>>>,
}

impl<D: Driver> Store<D> {
    /// A store called `name` in errors, with its sweeper, unless `cleanup_interval` is zero.
    pub(super) fn new(driver: D, name: String, value_bytes_max: usize, cleanup_interval: Duration) -> Self {
        let driver = Arc::new(driver);
        let description = Description { value_bytes_max, ..Description::full() };
        let sweeper = (!cleanup_interval.is_zero())
            .then(|| tokio::spawn(sweep_on(driver.clone(), name.clone(), cleanup_interval)));
        Self { description, name, driver, sweeper: Mutex::new(sweeper) }
    }

    async fn commit_once(&self, commit: &Commit) -> Answer<Vec<Outcome>> {
        match Plan::of(commit, D::ADDS_AT_ONCE) {
            Plan::Nothing => Ok(Vec::new()),
            Plan::Look => {
                let keys = plan::keys(commit);
                let states = self.driver.states(&keys).await?;
                plan::check(&commit.checks, &plan::by_key(&keys, &states))?;
                Ok(Vec::new())
            }
            Plan::One { write, expect } => match (self.driver.write(write, expect).await?, expect) {
                (Some(outcome), _) => Ok(vec![outcome]),
                (None, Some(expect)) => Err(plan::conflict(expect, &write.key).into()),
                (None, None) => self.in_transaction(commit).await,
            },
            Plan::Puts(puts) => self.driver.put_all(&puts).await,
            Plan::Transaction => self.in_transaction(commit).await,
        }
    }

    async fn in_transaction(&self, commit: &Commit) -> Answer<Vec<Outcome>> {
        let keys = plan::keys(commit);
        let mut transaction = self.driver.begin(&keys, commit.writes.len()).await?;
        let states = transaction.states(&keys).await?;
        let steps = match Steps::decide(commit, &keys, &states) {
            Ok(steps) => steps,
            Err(error) => {
                // The answer stands, whatever becomes of the transaction; the connection is closed where it failed.
                if let Err(fault) = transaction.roll_back().await {
                    tracing::debug!(error = %fault.error.chain(), store = %self.name, "rolling back");
                }
                return Err(error.into());
            }
        };
        let written = transaction.write(&steps.puts(), &steps.deletes, &steps.absent).await?;
        let outcomes = steps.outcomes(&written)?;
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn commit_with_retries(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        let mut tries = 1;
        loop {
            let fault = match self.commit_once(commit).await {
                Ok(outcomes) => return Ok(outcomes),
                Err(fault) => fault,
            };
            if !fault.again {
                return Err(fault.error);
            }
            if tries == TRIES_MAX {
                return Err(fault.error.with("tries", tries));
            }
            sleep(WAIT_FIRST * (1 << (tries - 1))).await;
            tries += 1;
        }
    }

    fn stop_sweeper(&self) -> Option<JoinHandle<()>> {
        let sweeper = self.sweeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        sweeper.inspect(JoinHandle::abort)
    }
}

/// A store without its dialect.
pub(super) trait AnyStore: KvStore {
    /// Removes everything that has expired, and answers how many entries that were.
    fn sweep(&self) -> BoxFuture<'_, Result<u64>>;

    /// Ends the sweeper, waits for the operations under way, and closes the connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

impl<D: Driver> AnyStore for Store<D> {
    fn sweep(&self) -> BoxFuture<'_, Result<u64>> {
        Box::pin(named("sweep", async { sweep_all(&*self.driver).await.map_err(|fault| fault.error) }))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            if let Some(sweeper) = self.stop_sweeper() {
                // It was told to stop; that it did is all there is to know.
                drop(sweeper.await);
            }
            self.driver.close().await;
        })
    }
}

impl<D: Driver> KvStore for Store<D> {
    fn describe(&self) -> Description {
        self.description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(named("get", async move {
            self.description.check_key(key)?;
            self.driver.get(key).await.map_err(|fault| fault.error)
        }))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(named("get_many", async move {
            self.description.check_keys(keys)?;
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            self.driver.get_many(keys).await.map_err(|fault| fault.error)
        }))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(named("scan", async move {
            self.description.check_scan(scan)?;
            if scan.range.is_empty() {
                return Ok(Page::default());
            }
            self.driver.scan(scan).await.map_err(|fault| fault.error)
        }))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(named("commit", async move {
            self.description.check_commit(commit)?;
            self.commit_with_retries(commit).await
        }))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(named("health", async { self.driver.health().await.map_err(|fault| fault.error) }))
    }
}

async fn named<T>(operation: &'static str, work: impl Future<Output = Result<T>> + Send) -> Result<T> {
    work.await.map_err(|error: Error| error.operation(operation))
}

impl<D> Drop for Store<D> {
    fn drop(&mut self) {
        let sweeper = self.sweeper.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(sweeper) = sweeper.take() {
            sweeper.abort();
        }
    }
}

impl<D> fmt::Display for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<D> fmt::Debug for Store<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

async fn sweep_all<D: Driver>(driver: &D) -> Result<u64, Fault> {
    let mut swept = 0;
    loop {
        let rows = driver.sweep(SWEEP_ROWS).await?;
        swept += rows;
        if rows < u64::from(SWEEP_ROWS) {
            return Ok(swept);
        }
    }
}

/// The sweeper: a task of the store, and gone with it.
async fn sweep_on<D: Driver>(driver: Arc<D>, name: String, interval: Duration) {
    loop {
        sleep(interval).await;
        match sweep_all(&*driver).await {
            Ok(0) => {}
            Ok(swept) => tracing::debug!(store = %name, swept, "removed expired entries"),
            Err(fault) => {
                tracing::warn!(store = %name, error = %fault.error.chain(), "removing expired entries");
            }
        }
    }
}
