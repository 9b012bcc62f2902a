//! Counts what a store is asked and how it answers. Counters only, without time: cheap enough to be
//! always on.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use larder_core::{BoxFuture, Commit, Description, Entry, Key, KvStore, Outcome, Page, Result, Scan};

/// How often an operation was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OperationMetrics {
    /// Calls that were answered.
    pub calls: u64,
    /// Those that were answered with an error.
    pub errors: u64,
}

/// What a store did since it was opened. The counters are read one after the other, while calls go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metrics {
    /// Reads of one entry.
    pub get: OperationMetrics,
    /// Reads of many.
    pub get_many: OperationMetrics,
    /// Pages of scans.
    pub scan: OperationMetrics,
    /// Writes of every kind.
    pub commit: OperationMetrics,
    /// Entries that were asked for and there.
    pub hits: u64,
    /// Entries that were asked for and not there.
    pub misses: u64,
    /// Changes that were written.
    pub writes: u64,
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operations =
            [("get", self.get), ("get_many", self.get_many), ("scan", self.scan), ("commit", self.commit)];
        for (name, operation) in operations {
            write!(f, "{name} {} ({} errors), ", operation.calls, operation.errors)?;
        }
        write!(f, "{} hits, {} misses, {} writes", self.hits, self.misses, self.writes)
    }
}

#[derive(Debug, Default)]
struct Operation {
    calls: AtomicU64,
    errors: AtomicU64,
}

impl Operation {
    fn count<T>(&self, answer: &Result<T>) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if answer.is_err() {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&self) -> OperationMetrics {
        OperationMetrics {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }
}

/// The counters of one store, shared by all its handles.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    get: Operation,
    get_many: Operation,
    scan: Operation,
    commit: Operation,
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
}

impl Counters {
    pub(crate) fn read(&self) -> Metrics {
        Metrics {
            get: self.get.read(),
            get_many: self.get_many.read(),
            scan: self.scan.read(),
            commit: self.commit.read(),
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    fn found(&self, hits: usize, of: usize) {
        self.hits.fetch_add(hits as u64, Ordering::Relaxed);
        self.misses.fetch_add((of - hits) as u64, Ordering::Relaxed);
    }
}

/// A store whose calls are counted.
#[derive(Debug)]
pub(crate) struct Metered {
    next: Arc<dyn KvStore>,
    counters: Arc<Counters>,
}

impl Metered {
    pub(crate) fn new(next: Arc<dyn KvStore>, counters: Arc<Counters>) -> Self {
        Self { next, counters }
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Metered {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let answer = self.next.get(key).await;
            self.counters.get.count(&answer);
            if let Ok(entry) = &answer {
                self.counters.found(usize::from(entry.is_some()), 1);
            }
            answer
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            let answer = self.next.get_many(keys).await;
            self.counters.get_many.count(&answer);
            if let Ok(entries) = &answer {
                self.counters.found(entries.iter().flatten().count(), entries.len());
            }
            answer
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            let answer = self.next.scan(scan).await;
            self.counters.scan.count(&answer);
            answer
        })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            let answer = self.next.commit(commit).await;
            self.counters.commit.count(&answer);
            if let Ok(outcomes) = &answer {
                self.counters.writes.fetch_add(outcomes.len() as u64, Ordering::Relaxed);
            }
            answer
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.next.health()
    }
}

impl fmt::Display for Metered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "metrics({})", self.next)
    }
}
