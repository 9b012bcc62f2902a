//! Adds to each error which store it came from, in which operation, on which key.

use std::{fmt, sync::Arc};

use larder_core::{BoxFuture, Commit, Description, Entry, Error, Key, KvStore, Outcome, Page, Result, Scan};

/// A store whose errors say where they come from.
#[derive(Debug)]
pub(crate) struct Explained {
    next: Arc<dyn KvStore>,
    store: Arc<str>,
}

impl Explained {
    pub(crate) fn new(next: Arc<dyn KvStore>, store: Arc<str>) -> Self {
        Self { next, store }
    }

    fn explain(&self, error: Error, operation: &'static str, key: Option<&Key>) -> Error {
        let error = error.operation(operation);
        let error = match key {
            Some(key) if error.context("key").is_none() => error.with("key", key),
            _ => error,
        };
        error.with("store", &self.store)
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Explained {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.next.get(key).await.map_err(|e| self.explain(e, "get", Some(key))) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move { self.next.get_many(keys).await.map_err(|e| self.explain(e, "get_many", None)) })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.next.scan(scan).await.map_err(|e| self.explain(e, "scan", None)) })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        // Of a commit on one key that key is at fault; of a larger one only the backend can tell.
        let key = match commit.writes.as_slice() {
            [write] if commit.checks.iter().all(|check| check.key == write.key) => Some(&write.key),
            _ => None,
        };
        Box::pin(async move { self.next.commit(commit).await.map_err(|e| self.explain(e, "commit", key)) })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.next.health().await.map_err(|e| self.explain(e, "health", None)) })
    }
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "errors({})", self.next)
    }
}
