//! Cache policies: what a tier keeps.
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use larder_sdk::policy::{Batch, CachePolicy, Limits, Slot};
//! use larder_sdk::{Result, Settings, export_cache_policy};
//!
//! /// The oldest goes first.
//! struct Fifo(VecDeque<Slot>);
//!
//! impl CachePolicy for Fifo {
//!     fn configure(settings: Settings) -> Result<Self> {
//!         settings.finish().map(|()| Fifo(VecDeque::new()))
//!     }
//!
//!     fn resize(&mut self, _limits: Limits) -> Result<()> {
//!         Ok(())
//!     }
//!
//!     fn observe(&mut self, batch: Batch) {
//!         self.0.retain(|slot| !batch.removed.contains(slot));
//!         self.0.extend(batch.inserted.iter().map(|insert| insert.slot));
//!     }
//!
//!     fn victims(&mut self, _bytes: u64, max: u32) -> Vec<Slot> {
//!         self.0.iter().copied().take(max as usize).collect() // the host stops when it has room
//!     }
//! }
//!
//! export_cache_policy!(Fifo);
//! ```

use crate::{Result, Settings};

pub use crate::bindings::policy::exports::larder::store::policy::{Batch, Insert, Limits, Slot};

/// A cache policy. It decides and never acts; the host asks it in batches and never on a hit.
pub trait CachePolicy: Sized + 'static {
    /// Makes the instance.
    ///
    /// # Errors
    /// `invalid` for a setting that is unknown, missing or makes no sense, naming it.
    fn configure(settings: Settings) -> Result<Self>;

    /// Is the policy usable?
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// How much the tier may hold; called after `configure` and at each change.
    ///
    /// # Errors
    /// `unsupported` or `invalid` where the policy can't work within these limits.
    fn resize(&mut self, limits: Limits) -> Result<()>;

    /// Takes note of what happened, at most 1,024 events, to be replayed in the order of the batch's fields.
    fn observe(&mut self, batch: Batch);

    /// For each candidate, by position: shall it be let in? Unless overridden, all are.
    fn admit(&mut self, candidates: &[Insert]) -> Vec<bool> {
        vec![true; candidates.len()]
    }

    /// The next to go, best first, at most `max`, until `bytes` are free.
    fn victims(&mut self, bytes: u64, max: u32) -> Vec<Slot>;
}
