//! The contract of a key-value store, for those who implement one.

use std::{fmt, pin::Pin};

use crate::{Commit, Description, Entry, Key, KeyRange, Outcome, Result};

/// A boxed future, so that stores can be composed as `Arc<dyn KvStore>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What a scan returns of each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Want {
    /// Keys, values, versions, expiries.
    #[default]
    Entries,
    /// The same with empty values.
    Keys,
}

/// One page of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Which keys.
    pub range: KeyRange,
    /// At most this many entries, from 1 on; a page holds at most
    /// [`PAGE_ENTRIES_MAX`](crate::limits::PAGE_ENTRIES_MAX) whatever is asked.
    pub limit: u32,
    /// What of each entry.
    pub want: Want,
}

impl Scan {
    /// A page of the range, as large as pages get.
    pub fn new(range: KeyRange) -> Self {
        Self { range, limit: crate::limits::PAGE_ENTRIES_MAX, want: Want::Entries }
    }

    /// At most `limit` entries.
    #[must_use]
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// Keys without values.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.want = Want::Keys;
        self
    }
}

/// What a scan found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Entries in ascending order of keys.
    pub entries: Vec<(Key, Entry)>,
    /// Where the next page begins: the first key not returned, or none at the end of the range.
    /// A page may be short, or even empty, and have a next one.
    pub next: Option<Key>,
}

/// An ordered key-value store.
///
/// `Debug` and `Display` show the composition (`encrypt(file(./data))`), never a secret.
///
/// # Cancel safety
/// Dropping a future of `get`, `get_many`, `scan` or `health` loses nothing. Dropping that of `commit`
/// leaves open whether the commit happens; it happens whole or not at all.
pub trait KvStore: fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// What this store can do. May change when a plugin is swapped, never otherwise.
    fn describe(&self) -> Description;

    /// Reads one entry.
    ///
    /// # Behavior
    /// * A missing or expired entry is `Ok(None)`.
    /// * Sees every commit that was acknowledged before the call.
    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>>;

    /// Reads many entries, answered by position.
    ///
    /// # Behavior
    /// * As many answers as keys, in their order; a key may occur twice.
    /// * No keys are answered with an empty list.
    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>>;

    /// Reads one page of a range, ascending by the bytes of the keys.
    ///
    /// # Behavior
    /// * Without the capability `scan`: `unsupported`. A limit of 0 is `invalid`.
    /// * Continued from a key, not from a cursor: any instance answers any page.
    /// * A write during a scan of several pages may or may not be seen; an untouched entry is seen
    ///   exactly once.
    /// * Expired entries are not returned.
    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>>;

    /// Applies all checks and writes, or nothing.
    ///
    /// # Behavior
    /// * Outcomes by position of the writes.
    /// * A check that does not hold is `conflict` and names its key; nothing is written.
    /// * Checks see the state before the writes.
    /// * `Add` on a value that is no counter, or past the range of `i64`, is `invalid`; nothing is written.
    /// * What needs a capability that the store lacks is `unsupported`; nothing is written.
    /// * Acknowledged means durable, on a durable store.
    /// * An error with effect `unknown` leaves open whether the commit happened.
    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>>;

    /// Is the service behind this store reachable and usable?
    fn health(&self) -> BoxFuture<'_, Result<()>>;
}
