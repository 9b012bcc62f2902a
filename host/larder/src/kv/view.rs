//! A handle as a store: what is composed on it sees the keys of its namespace alone, without their prefix.

use std::fmt;

use larder_core::{
    BoxFuture, Commit, Description, Entry, Error, Key, KvStore, Outcome, Page, Result, Scan,
    limits::KEY_BYTES_MAX,
};

use super::Kv;

/// The part of a store that a handle is of.
pub(super) struct View(pub(super) Kv);

impl View {
    fn key(&self, key: &Key) -> Result<Key> {
        self.0.key(key.as_str())
    }

    /// The same checks and writes under the keys of the store.
    fn within(&self, commit: &Commit) -> Result<Commit> {
        let mut within = commit.clone();
        let checks = within.checks.iter_mut().map(|check| &mut check.key);
        for key in checks.chain(within.writes.iter_mut().map(|write| &mut write.key)) {
            *key = self.key(key)?;
        }
        Ok(within)
    }

    async fn page(&self, scan: &Scan) -> Result<Page> {
        let range = self.0.namespace.range(&scan.range.start, scan.range.end.as_deref());
        let page = self.0.store.scan(&Scan { range, ..scan.clone() }).await?;
        let strip = |key| self.0.namespace.strip(key);
        let entries = page.entries.into_iter().map(|(key, entry)| Ok((strip(key)?, entry)));
        Ok(Page { entries: entries.collect::<Result<_>>()?, next: page.next.map(strip).transpose()? })
    }

    fn hide(&self, error: Error) -> Error {
        self.0.hide(error)
    }
}

#[deny(clippy::missing_trait_methods)]
impl KvStore for View {
    fn describe(&self) -> Description {
        let whole = self.0.store.describe();
        let max = whole.key_bytes_max.min(KEY_BYTES_MAX);
        Description { key_bytes_max: max.saturating_sub(self.0.namespace.len()), ..whole }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.0.store.get(&self.key(key)?).await.map_err(|error| self.hide(error)) })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            let keys = keys.iter().map(|key| self.key(key)).collect::<Result<Vec<Key>>>()?;
            self.0.store.get_many(&keys).await.map_err(|error| self.hide(error))
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.page(scan).await.map_err(|error| self.hide(error)) })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(
            async move { self.0.store.commit(&self.within(commit)?).await.map_err(|error| self.hide(error)) },
        )
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.0.store.health()
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.store, self.0.namespace)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View({self})")
    }
}
