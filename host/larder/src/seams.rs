//! Where a host touches what tests replace: the clock, the spread of its waits, and each backend, just before its
//! guards are put in front of it.
//!
//! A host in production has nothing there: [`Production`] hands every backend on as it is, so that a call costs nothing
//! for it. [`testing`](crate::testing) puts a switch there.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use larder_core::{Clock, KvStore, SystemClock};
use opendal::Operator;

use crate::plan::StorePlan;

/// What the composition root asks while it assembles a host.
pub(crate) trait Seams: fmt::Debug + Send + Sync {
    /// The wall clock of what counts expiries in this process: memory and plugins.
    fn clock(&self) -> Arc<dyn Clock>;

    /// What spreads the waits of a store's repetitions.
    fn spread(&self, store: &str) -> u64;

    /// What stands where the backend of a key-value store was opened.
    fn kv(&self, name: &str, plan: &StorePlan, backend: Arc<dyn KvStore>) -> Arc<dyn KvStore>;

    /// What stands where the backend of a blob store was opened.
    fn blobs(&self, name: &str, plan: &StorePlan, backend: Operator) -> Operator;
}

/// The machine's clock, waits spread at random, backends as they are.
#[derive(Debug)]
pub(crate) struct Production;

impl Seams for Production {
    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn spread(&self, store: &str) -> u64 {
        // The standard library's hasher is seeded at random, which is all that spreading waits needs.
        RandomState::new().hash_one(store)
    }

    fn kv(&self, _: &str, _: &StorePlan, backend: Arc<dyn KvStore>) -> Arc<dyn KvStore> {
        backend
    }

    fn blobs(&self, _: &str, _: &StorePlan, backend: Operator) -> Operator {
        backend
    }
}
