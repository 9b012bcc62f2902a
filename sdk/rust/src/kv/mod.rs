//! Key-value backends and layers.
//!
//! [`KvBackend`] keeps entries, [`KvLayer`] sits in front of another store, which it reaches through [`NextKv`]. The
//! types are the contract's own. What a backend does not [describe](KvBackend::describe) never reaches it: the SDK
//! refuses it as the contract demands.
//!
//! A layer that lets nothing be written:
//!
//! ```
//! use larder_sdk::kv::{Check, Description, Entry, KvLayer, NextKv, Outcome, Page, Scan, Write};
//! use larder_sdk::{Error, Result, Settings, export_kv_layer};
//!
//! struct ReadOnly;
//!
//! impl KvLayer for ReadOnly {
//!     fn configure(settings: Settings) -> Result<Self> {
//!         settings.finish().map(|()| ReadOnly)
//!     }
//!
//!     fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
//!         next.describe()
//!     }
//!
//!     fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
//!         next.get(key)
//!     }
//!
//!     fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
//!         next.scan(scan)
//!     }
//!
//!     fn commit(&mut self, _: &dyn NextKv, _: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
//!         Err(Error::denied(format!("{} writes to a store that is only read", writes.len())))
//!     }
//! }
//!
//! export_kv_layer!(ReadOnly);
//! ```

pub mod counter;
mod declared;
mod page;

use crate::{Error, Result, Settings};

pub use crate::bindings::kv::larder::store::kv::{
    Change, Check, Description, Entry, Expectation, Features, Instances, KeyedEntry, Outcome, Page, Put,
    Write,
};
pub use declared::{description, refuse_undeclared};
pub use page::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX, PageBuilder, Scan};

/// The longest key of the contract, in bytes.
pub const KEY_BYTES_MAX: u32 = 2_048;

/// The largest value of the contract, in bytes.
pub const VALUE_BYTES_MAX: u32 = 8 << 20;

/// Most keys and values of one commit of several writes together, in bytes.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;

/// The longest time to live, in milliseconds: a hundred years. Longer is a mistake of units.
pub const TTL_MS_MAX: u64 = 100 * 365 * 24 * 3_600 * 1_000;

/// Most keys of one `get_many`, and most checks and most writes of one commit.
pub const ITEMS_MAX: usize = 1_000;

/// A key-value backend.
pub trait KvBackend: Sized + 'static {
    /// Makes the instance.
    ///
    /// # Errors
    /// `invalid` for a setting that is unknown, missing or makes no sense, naming it; any other where the backend
    /// can't be used. The plugin is then kept out of service.
    fn configure(settings: Settings) -> Result<Self>;

    /// What this backend is. Asked once, after `configure`.
    fn describe(&self) -> Description;

    /// Is the service behind this plugin reachable and usable?
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// Reads one entry.
    ///
    /// # Behavior
    /// * A missing or expired entry is `Ok(None)`.
    /// * Sees every commit that was answered before the call.
    ///
    /// # Errors
    /// Any but `conflict` and `indeterminate`.
    fn get(&mut self, key: &str) -> Result<Option<Entry>>;

    /// Reads many entries, answered by position.
    ///
    /// # Behavior
    /// * As many answers as keys, in their order; a key may occur twice.
    ///
    /// # Errors
    /// As of [`get`](Self::get); one fails all.
    fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Reads one page of a range. Called only where `scan` is declared. [`PageBuilder`] holds the limits.
    ///
    /// # Behavior
    /// * Ascending by the bytes of the keys, without expired entries.
    /// * Continued from a key, in any instance: an entry that nobody touches is seen exactly once.
    ///
    /// # Errors
    /// Any but `conflict` and `indeterminate`.
    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        let _ = scan;
        Err(Error::unsupported("this backend can't scan"))
    }

    /// Applies all checks and writes, or nothing.
    ///
    /// # Behavior
    /// * Only what was declared arrives: without `transactions` at most one write, and checks on its key only;
    ///   without `versions` no checks; without `ttl` and `counters` none of those.
    /// * The checks see the state before the writes; one that does not hold is `conflict` with its key.
    /// * Outcomes by position of the writes; a key is written at most once.
    /// * Answered when it is as durable as the backend promises.
    ///
    /// # Errors
    /// `indeterminate` or `other` where it may have happened; with any other kind nothing was written.
    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>>;
}

/// The store behind a layer.
///
/// In a component it is the host's; a native test puts any implementation in its place.
pub trait NextKv {
    /// What the next store is; may change between calls, when it is swapped.
    ///
    /// # Errors
    /// Those of the next store.
    fn describe(&self) -> Result<Description>;

    /// Reads one entry.
    ///
    /// # Errors
    /// Those of the next store.
    fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Reads many entries, answered by position.
    ///
    /// # Errors
    /// Those of the next store.
    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Entry>>>;

    /// Reads one page of a range.
    ///
    /// # Errors
    /// Those of the next store.
    fn scan(&self, scan: &Scan) -> Result<Page>;

    /// Applies all checks and writes, or nothing.
    ///
    /// # Errors
    /// Those of the next store.
    fn commit(&self, checks: &[Check], writes: &[Write]) -> Result<Vec<Outcome>>;
}

/// A layer in front of another store.
///
/// `get`, `scan`, `commit` and `describe` have no default on purpose: a layer that forgets one would let values
/// around itself. One that only watches passes them on, in a line each.
pub trait KvLayer: Sized + 'static {
    /// Makes the instance. The next store can't be called yet.
    ///
    /// # Errors
    /// As of [`KvBackend::configure`].
    fn configure(settings: Settings) -> Result<Self>;

    /// What the store is, seen through this layer: usually [`NextKv::describe`] without what the layer can't do.
    ///
    /// # Errors
    /// Those of the next store.
    fn describe(&mut self, next: &dyn NextKv) -> Result<Description>;

    /// Is the layer usable? The host asks the next store itself.
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// As of [`KvBackend::get`].
    fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>>;

    /// Reads many entries, answered by position; unless overridden, one by one through [`get`](Self::get).
    ///
    /// # Errors
    /// As of [`KvBackend::get_many`].
    fn get_many(&mut self, next: &dyn NextKv, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        keys.iter().map(|key| self.get(next, key)).collect()
    }

    /// Reads one page of a range.
    ///
    /// # Errors
    /// As of [`KvBackend::scan`].
    fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page>;

    /// Applies all checks and writes, or nothing.
    ///
    /// # Errors
    /// As of [`KvBackend::commit`].
    fn commit(&mut self, next: &dyn NextKv, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>>;
}
