//! Bounds how many operations a backend has at once; more wait for their turn, first come, first served.

use std::{fmt, sync::Arc};

use larder_core::{
    BoxFuture, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result, Scan,
};
use tokio::sync::Semaphore;

/// A store with a limit on operations at once.
#[derive(Debug)]
pub(crate) struct Limited {
    next: Arc<dyn KvStore>,
    at_once_max: usize,
    permits: Semaphore,
}

impl Limited {
    pub(crate) fn new(next: Arc<dyn KvStore>, at_once_max: usize) -> Self {
        let permits = Semaphore::new(at_once_max.min(Semaphore::MAX_PERMITS));
        Self { next, at_once_max, permits }
    }

    async fn turn<T>(&self, call: BoxFuture<'_, Result<T>>) -> Result<T> {
        // The semaphore is never closed while the store is there.
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|e| Error::new(ErrorKind::Unavailable, "the store is closing").caused_by(e))?;
        call.await
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Limited {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.turn(self.next.get(key)))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.turn(self.next.get_many(keys)))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.turn(self.next.scan(scan)))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.turn(self.next.commit(commit)))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        // Asked also when all is busy: that is when one wants to know.
        self.next.health()
    }
}

impl fmt::Display for Limited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit({}, {})", self.at_once_max, self.next)
    }
}
