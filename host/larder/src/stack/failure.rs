//! What a store does while a plugin of it fails: nothing is answered, or nothing is found, or another store answers.
//!
//! The other store takes what depends on nothing: reads by key, and plain puts and deletes. Checks, additions and scans depend
//! on what is stored; the other store has something else, so their error is handed on. A write of which nobody knows whether
//! it happened is never repeated there. Versions from there are marked, so that the two stores don't take each other's for
//! their own. What was written there stays there; how much it is is counted and told when the plugin is back.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use larder_core::{
    BoxFuture, Change, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result,
    Scan, Version,
};
use larder_wasm::KvPlugin;

/// What stands in for a plugin.
#[derive(Debug)]
pub(crate) enum StandIn {
    /// Nothing is found. Writes fail.
    Miss,
    /// Another store.
    Store(Fallback),
}

/// A store that stands in for another one.
#[derive(Debug)]
pub(crate) struct Fallback {
    name: String,
    store: Arc<dyn KvStore>,
    /// Marks its versions.
    mark: u64,
    /// Commits that it took since the plugin failed.
    taken: AtomicU64,
}

impl Fallback {
    pub(crate) fn new(name: &str, store: Arc<dyn KvStore>) -> Self {
        // At random, so that no version of either store is ever one of the other's by more than chance.
        let mark = RandomState::new().hash_one(name) | 1 << 63;
        Self { name: name.to_owned(), store, mark, taken: AtomicU64::new(0) }
    }

    fn marked(&self, mut entry: Entry) -> Entry {
        entry.version = Version(entry.version.0 ^ self.mark);
        entry
    }
}

/// A store whose plugins may fail.
#[derive(Debug)]
pub(crate) struct Covered {
    next: Arc<dyn KvStore>,
    /// The plugins of the store, its layers among them.
    plugins: Vec<KvPlugin>,
    stand_in: StandIn,
    name: Arc<str>,
}

impl Covered {
    pub(crate) fn new(
        next: Arc<dyn KvStore>,
        plugins: Vec<KvPlugin>,
        stand_in: StandIn,
        name: Arc<str>,
    ) -> Self {
        Self { next, plugins, stand_in, name }
    }

    /// Whether an error is a plugin's failure: its own kind, or that of a call which was not made. A layer tells of the plugin
    /// behind it in its own words, so the plugins themselves are asked.
    fn is_failure(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::Plugin => true,
            ErrorKind::Unavailable => self.plugins.iter().any(KvPlugin::is_refusing),
            _ => false,
        }
    }

    /// The plugin answered: what the other store took meanwhile is told.
    #[inline]
    fn recovered<T>(&self, answer: &Result<T>) {
        if let StandIn::Store(fallback) = &self.stand_in
            && answer.is_ok()
            && fallback.taken.load(Ordering::Relaxed) > 0
        {
            let commits = fallback.taken.swap(0, Ordering::Relaxed);
            tracing::warn!(
                store = &*self.name,
                fallback = fallback.name,
                commits,
                "the store's plugin is back; what the fallback took meanwhile is in the fallback alone, and \
                 `larder migrate --from-store {} --to-store {}` brings it over",
                fallback.name,
                self.name,
            );
        }
    }

    fn told(&self, error: &Error, fallback: &Fallback) {
        if fallback.taken.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(
                store = &*self.name,
                fallback = fallback.name,
                %error,
                "the store's plugin fails; writes go to the fallback, and stay there"
            );
        }
    }
}

/// Whether a commit depends on nothing that is stored.
fn is_plain(commit: &Commit) -> bool {
    commit.checks.is_empty() && !commit.writes.iter().any(|write| matches!(write.change, Change::Add(_)))
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl KvStore for Covered {
    /// What both can do, where there are two.
    fn describe(&self) -> Description {
        let own = self.next.describe();
        let StandIn::Store(fallback) = &self.stand_in else { return own };
        let other = fallback.store.describe();
        Description {
            capabilities: own.capabilities & other.capabilities,
            key_bytes_max: own.key_bytes_max.min(other.key_bytes_max),
            value_bytes_max: own.value_bytes_max.min(other.value_bytes_max),
        }
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            let answer = self.next.get(key).await;
            self.recovered(&answer);
            match (answer, &self.stand_in) {
                (Err(error), StandIn::Miss) if self.is_failure(&error) => Ok(None),
                (Err(error), StandIn::Store(fallback)) if self.is_failure(&error) => {
                    let found = fallback.store.get(key).await?;
                    Ok(found.map(|entry| fallback.marked(entry)))
                }
                (answer, _) => answer,
            }
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            let answer = self.next.get_many(keys).await;
            self.recovered(&answer);
            match (answer, &self.stand_in) {
                (Err(error), StandIn::Miss) if self.is_failure(&error) => Ok(vec![None; keys.len()]),
                (Err(error), StandIn::Store(fallback)) if self.is_failure(&error) => {
                    let found = fallback.store.get_many(keys).await?;
                    Ok(found.into_iter().map(|entry| entry.map(|entry| fallback.marked(entry))).collect())
                }
                (answer, _) => answer,
            }
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        // An empty page, or one of another store after one of this, would say that entries are gone which are not.
        self.next.scan(scan)
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            let answer = self.next.commit(commit).await;
            self.recovered(&answer);
            match (answer, &self.stand_in) {
                (Err(error), StandIn::Store(fallback))
                    if !error.is_effect_unknown() && is_plain(commit) && self.is_failure(&error) =>
                {
                    self.told(&error, fallback);
                    let outcomes = fallback.store.commit(commit).await?;
                    let marked = |outcome| match outcome {
                        Outcome::Written(Version(version)) => {
                            Outcome::Written(Version(version ^ fallback.mark))
                        }
                        other => other,
                    };
                    Ok(outcomes.into_iter().map(marked).collect())
                }
                (answer, _) => answer,
            }
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.next.health()
    }
}

impl fmt::Display for Covered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stand_in {
            StandIn::Miss => write!(f, "on failure nothing({})", self.next),
            StandIn::Store(fallback) => write!(f, "on failure {}({})", fallback.name, self.next),
        }
    }
}
