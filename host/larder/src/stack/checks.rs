//! Refuses what the store does not declare, and what is over a limit, before anything else sees it.

use std::{fmt, sync::Arc};

use larder_core::{BoxFuture, Commit, Description, Entry, Error, Key, KvStore, Outcome, Page, Result, Scan};

/// A store behind its own description.
#[derive(Debug)]
pub(crate) struct Checked {
    next: Arc<dyn KvStore>,
    value_bytes_max: Option<usize>,
}

impl Checked {
    /// `value_bytes_max` lowers the store's own limit, never raises it.
    pub(crate) fn new(next: Arc<dyn KvStore>, value_bytes_max: Option<usize>) -> Self {
        Self { next, value_bytes_max }
    }
}

fn refuse<'a, T: Send + 'a>(error: Error) -> BoxFuture<'a, Result<T>> {
    Box::pin(std::future::ready(Err(error)))
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Checked {
    fn describe(&self) -> Description {
        let mut description = self.next.describe();
        if let Some(max) = self.value_bytes_max {
            description.value_bytes_max = description.value_bytes_max.min(max);
        }
        description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        match self.describe().check_key(key) {
            Ok(()) => self.next.get(key),
            Err(error) => refuse(error),
        }
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        match self.describe().check_keys(keys) {
            Ok(()) => self.next.get_many(keys),
            Err(error) => refuse(error),
        }
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        match self.describe().check_scan(scan) {
            Ok(()) => self.next.scan(scan),
            Err(error) => refuse(error),
        }
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        match self.describe().check_commit(commit) {
            Ok(()) => self.next.commit(commit),
            Err(error) => refuse(error),
        }
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.next.health()
    }
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checks({})", self.next)
    }
}
