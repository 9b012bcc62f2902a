//! A key-value store behind a tool.

use std::{fmt, sync::Arc};

use larder_core::{BoxFuture, Commit, Description, Entry, Error, Key, KvStore, Outcome, Page, Result, Scan};

use super::{
    answer::{self, Answer},
    call::Call,
    passage::{Watch, through},
};

/// Each call passes the tool before the store.
#[derive(Debug)]
pub(super) struct WatchedKv {
    next: Arc<dyn KvStore>,
    watch: Arc<dyn Watch>,
}

impl WatchedKv {
    pub(super) fn new(next: Arc<dyn KvStore>, watch: Arc<dyn Watch>) -> Self {
        Self { next, watch }
    }

    async fn pass<T>(
        &self,
        call: Call,
        ask: BoxFuture<'_, Result<T>>,
        done: impl FnOnce(&T) -> String,
    ) -> Result<T> {
        through(&*self.watch, &call, ask, |error: Error| error, |answer| Answer::of(answer, done)).await
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for WatchedKv {
    fn describe(&self) -> Description {
        self.next.describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.pass(Call::get(key), self.next.get(key), answer::entry))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.pass(Call::get_many(keys), self.next.get_many(keys), |found| answer::entries(found)))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.pass(Call::scan(scan), self.next.scan(scan), answer::page))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.pass(Call::commit(commit), self.next.commit(commit), |done| answer::outcomes(done)))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.pass(Call::health(), self.next.health(), |()| "ok".to_owned()))
    }
}

impl fmt::Display for WatchedKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.watch.name() {
            "" => self.next.fmt(f),
            name => write!(f, "{name}({})", self.next),
        }
    }
}
