//! What all tools have in common: each can stand in front of any store, of either kind, and of another tool.

use std::{fmt, sync::Arc};

use larder_core::KvStore;
use opendal::Operator;

use super::{blobs::WatchedBlobs, kv::WatchedKv, passage::Watch};

/// The part of a tool that calls pass through.
#[derive(Clone)]
pub struct Watcher(pub(super) Arc<dyn Watch>);

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// [`Faults`](super::Faults), [`Slow`](super::Slow) or a [`Recorder`](super::Recorder): something that stands in front of
/// a store, native or a plugin. They compose: what is put in front last sees a call first.
///
/// ```
/// use std::sync::Arc;
///
/// use larder::testing::{Fault, Faults, MemoryKv, Operation, Recorder, Tool};
///
/// let (recorder, faults) = (Recorder::new(), Faults::seeded(1).with(Fault::on(Operation::Get)));
/// let store = recorder.over_kv(faults.over_kv(Arc::new(MemoryKv::new())));
/// assert_eq!(store.to_string(), "recorder(faults(memory))");
/// ```
pub trait Tool {
    /// The part that calls pass through. Only the tools of this module can make one.
    #[doc(hidden)]
    fn watch(&self) -> Watcher;

    /// A key-value store behind this tool.
    fn over_kv(&self, store: Arc<dyn KvStore>) -> Arc<dyn KvStore> {
        Arc::new(WatchedKv::new(store, self.watch().0))
    }

    /// A blob store behind this tool: a layer of OpenDAL.
    fn over_blobs(&self, blobs: Operator) -> Operator {
        blobs.layer(WatchedBlobs(self.watch().0))
    }
}
