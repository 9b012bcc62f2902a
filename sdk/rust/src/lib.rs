//! Write a larder plugin in Rust: a trait per world, one typed [`Error`], and one export macro each.
//!
//! | world | trait | export |
//! |---|---|---|
//! | `kv-backend` | [`kv::KvBackend`] | [`export_kv_backend!`] |
//! | `kv-backend-handoff` | the same and [`Handoff`] | `export_kv_backend!(Type, handoff)` |
//! | `kv-layer` | [`kv::KvLayer`] | [`export_kv_layer!`] |
//! | `blob-backend` | [`blob::BlobBackend`] | [`export_blob_backend!`] |
//! | `blob-layer` | [`blob::BlobLayer`] | [`export_blob_layer!`] |
//! | `cache-policy` | [`policy::CachePolicy`] | [`export_cache_policy!`] |
//! | `merge-policy` | [`merge::MergePolicy`] | [`export_merge_policy!`] |
//!
//! The instance is the author's own type, made by its `configure` from the [`Settings`] of the configuration. A
//! plugin is single-threaded and never entered twice, so every method has `&mut self` and no locks are needed. The
//! whole of a plugin that keeps entries in memory:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use larder_sdk::{Error, Result, Settings, export_kv_backend};
//! use larder_sdk::kv::{self, Change, Check, Description, Entry, Features, KvBackend, Outcome, Put, Write};
//!
//! struct Shelf {
//!     entries: BTreeMap<String, Vec<u8>>,
//! }
//!
//! impl KvBackend for Shelf {
//!     fn configure(settings: Settings) -> Result<Self> {
//!         settings.finish()?; // no settings: any that is given is refused by name
//!         Ok(Shelf { entries: BTreeMap::new() })
//!     }
//!
//!     fn describe(&self) -> Description {
//!         // Owns its data, so there is one of it. What is not declared never arrives: the SDK refuses it.
//!         kv::description(Features::empty()).owning_its_data()
//!     }
//!
//!     fn get(&mut self, key: &str) -> Result<Option<Entry>> {
//!         Ok(self.entries.get(key).map(|value| Entry { value: value.clone(), version: 0, expires_in_ms: None }))
//!     }
//!
//!     fn commit(&mut self, _checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
//!         let one = |Write { key, change }| match change {
//!             Change::Put(Put { value, .. }) => {
//!                 self.entries.insert(key, value);
//!                 Ok(Outcome::Written(0))
//!             }
//!             Change::Delete => Ok(Outcome::Deleted(self.entries.remove(&key).is_some())),
//!             Change::Add(_) => Err(Error::unsupported("counters")),
//!         };
//!         writes.into_iter().map(one).collect()
//!     }
//! }
//!
//! export_kv_backend!(Shelf);
//! ```
//!
//! With this in its `Cargo.toml`, `cargo build --release --target wasm32-wasip2` makes a component of it, and
//! `larder plugin check shelf.wasm` runs the conformance suite over that:
//!
//! ```toml
//! [lib]
//! crate-type = ["cdylib"]
//!
//! [dependencies]
//! larder-sdk = "0.1"
//!
//! [profile.release]
//! lto = true
//! panic = "abort"
//! strip = true
//! ```
//!
//! On any other target everything here compiles too, so that a plugin's logic is tested natively; what would call
//! the host does what is nearest: [`log!`] writes to standard error, [`clock`] asks the machine, [`folder`] and [`net`] use the
//! real system, [`http`] wants a scripted transport, and the host's store behind a layer answers `unsupported`.

#[doc(hidden)]
pub mod bindings;
pub mod blob;
pub mod clock;
mod error;
mod export;
pub mod folder;
pub mod http;
mod instance;
pub mod kv;
mod lifecycle;
mod log;
pub mod merge;
pub mod net;
pub mod policy;
pub mod random;
mod settings;
mod wants;

pub use bindings::lifecycle::larder::store::types::{Error, Unavailable};
pub use error::Result;
pub use lifecycle::Handoff;
pub use log::{Level, write_line};
pub use settings::Settings;

/// What the export macros expand to; no part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::instance::{
        BlobBackendExport, BlobLayerExport, Cell, HandoffExport, Hosted, KvBackendExport, KvLayerExport,
        MergePolicyExport, PolicyExport, Started,
    };
    pub use crate::wants::section;
}
