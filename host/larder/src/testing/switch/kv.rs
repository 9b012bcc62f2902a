//! The switch of a key-value store.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use larder_core::{BoxFuture, Commit, Description, Entry, Key, KvStore, Outcome, Page, Result, Scan};

/// Hands each call to the store of the moment. Cheap to clone; the clones are one switch.
#[derive(Clone)]
pub(in crate::testing) struct KvSwitch {
    current: Arc<RwLock<Arc<dyn KvStore>>>,
}

impl KvSwitch {
    pub(in crate::testing) fn new(store: Arc<dyn KvStore>) -> Self {
        Self { current: Arc::new(RwLock::new(store)) }
    }

    pub(in crate::testing) fn current(&self) -> Arc<dyn KvStore> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a store made of the one that is there in its place, and answers what was there.
    pub(in crate::testing) fn swap(
        &self,
        make: impl FnOnce(Arc<dyn KvStore>) -> Arc<dyn KvStore>,
    ) -> Arc<dyn KvStore> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let next = make(Arc::clone(&current));
        std::mem::replace(&mut *current, next)
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for KvSwitch {
    fn describe(&self) -> Description {
        self.current().describe()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move { self.current().get(key).await })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move { self.current().get_many(keys).await })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move { self.current().scan(scan).await })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move { self.current().commit(commit).await })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move { self.current().health().await })
    }
}

impl fmt::Display for KvSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.current().fmt(f)
    }
}

impl fmt::Debug for KvSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KvSwitch({self})")
    }
}
