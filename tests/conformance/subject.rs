//! What the suites hand to the conformance crate: a name, and a way to open an empty store.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use larder_conformance::kv;
use larder_core::{BoxFuture, KvStore, ManualClock, Result};
use tempfile::TempDir;

/// Where a store may be opened.
pub(crate) struct Place {
    /// An empty folder of its own, removed when the next store is opened.
    pub(crate) folder: PathBuf,
    /// The time that it lives in.
    pub(crate) clock: Arc<ManualClock>,
}

/// A store that is being opened.
pub(crate) type Store = BoxFuture<'static, Result<Arc<dyn KvStore>>>;

/// A way to open empty stores, with a name.
pub(crate) struct Subject<F> {
    name: &'static str,
    clock: Arc<ManualClock>,
    folder: Mutex<Option<TempDir>>,
    open: F,
}

impl<F: Fn(Place) -> Store + Send + Sync> Subject<F> {
    pub(crate) fn new(name: &'static str, open: F) -> Self {
        Self { name, clock: Arc::default(), folder: Mutex::default(), open }
    }
}

impl<F: Fn(Place) -> Store + Send + Sync> kv::Subject for Subject<F> {
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        let folder = TempDir::new().expect("there is room for a folder");
        let place = Place { folder: folder.path().join("store"), clock: self.clock.clone() };
        // The store in the folder before has been dropped, as the suite promises.
        *self.folder.lock().expect("no test panics while it opens a store") = Some(folder);
        (self.open)(place)
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }
}
