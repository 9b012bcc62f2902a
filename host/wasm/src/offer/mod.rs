//! The stores of a host, for components that are no plugins: `wasi:keyvalue` and `wasi:blobstore` in the linker of an embedder.
//!
//! A fetcher that is itself a component opens buckets and containers by name. Which names there are, and what stands behind
//! each, is the embedder's choice: a store that was not named here is not there. Nothing of a guest is trusted: keys and paths are
//! checked, listings are bounded, and what a store can't do is an error that says so.
//!
//! The embedder brings its own wasmtime engine and store, of the version that larder uses, and calls its guests with the
//! `_async` functions. The guests' WASI (`wasmtime_wasi::p2`) must be in the same linker and use the same table, since
//! the bodies of blobs are its streams.
//!
//! The invariant: a compare-and-swap is one commit with a check, and an increment one addition of the store; where a store
//! has no such power, they fail instead of being made up.

mod atomics;
mod batch;
mod blob;
mod keyvalue;

use std::{collections::BTreeMap, fmt, sync::Arc};

use larder_core::KvStore;
use opendal::Operator;
use wasmtime::{
    Result,
    component::{Linker, ResourceTable},
};

/// The stores that a guest may open, by the names that it knows them under. Empty unless granted; cheap to clone.
#[derive(Clone, Default)]
pub struct WasiStores {
    kv: BTreeMap<Arc<str>, Arc<dyn KvStore>>,
    blobs: BTreeMap<Arc<str>, Operator>,
}

impl WasiStores {
    /// No store at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants a key-value store as the bucket `name`. Of two of one name the later counts.
    #[must_use]
    pub fn with_kv(mut self, name: impl Into<Arc<str>>, store: Arc<dyn KvStore>) -> Self {
        self.kv.insert(name.into(), store);
        self
    }

    /// Grants a blob store as the container `name`. Of two of one name the later counts.
    #[must_use]
    pub fn with_blobs(mut self, name: impl Into<Arc<str>>, operator: Operator) -> Self {
        self.blobs.insert(name.into(), operator);
        self
    }

    fn bucket(&self, name: &str) -> Option<keyvalue::Bucket> {
        let (name, store) = self.kv.get_key_value(name)?;
        Some(keyvalue::Bucket::new(Arc::clone(name), Arc::clone(store)))
    }

    fn container(&self, name: &str) -> Option<blob::Container> {
        let (name, operator) = self.blobs.get_key_value(name)?;
        Some(blob::Container { name: Arc::clone(name), operator: operator.clone() })
    }
}

impl fmt::Debug for WasiStores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasiStores")
            .field("kv", &self.kv.keys().collect::<Vec<_>>())
            .field("blobs", &self.blobs.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// What the functions need of an embedder's data.
#[derive(Debug)]
pub struct WasiStoresCtx<'a> {
    /// What the guest may open.
    pub stores: &'a WasiStores,
    /// Where its handles are: the same table as that of its WASI.
    pub table: &'a mut ResourceTable,
}

/// Implemented by the data of an embedder's wasmtime store.
pub trait WasiStoresView: Send + 'static {
    /// The stores and the table of this guest.
    fn stores(&mut self) -> WasiStoresCtx<'_>;
}

/// Links `wasi:keyvalue` (`store`, `atomics`, `batch`; the drafts `0.2.0-draft` and `0.2.0-draft2`) and `wasi:blobstore`
/// (`types`, `container`, `blobstore`; `0.2.0-draft`) to the stores of the guest.
///
/// # Errors
/// Where one of the names is in the linker already.
pub fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    keyvalue::add_to_linker(linker)?;
    atomics::add_to_linker(linker)?;
    batch::add_to_linker(linker)?;
    blob::add_to_linker(linker)
}
