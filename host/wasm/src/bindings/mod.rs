//! The contract's types as they cross into a component, written by hand from `wit/` instead of generated:
//! one Rust type serves imports and exports, texts are `Arc<str>` and values `Bytes`, so that a key is not copied on the
//! way in and a value only once on the way out. wasmtime compares them with the component's own types when
//! it is loaded; a mistake here is refused there.

pub(crate) mod blob;
pub(crate) mod kv;
mod types;
pub(crate) mod wasi;

pub(crate) use types::{Answer, Handoff, Lifecycle, WitError, WitUnavailable};

/// The version of the contract that this host speaks.
pub(crate) const VERSION: &str = "0.1.0";
pub(crate) const LIFECYCLE: &str = "larder:store/lifecycle@0.1.0";
pub(crate) const HANDOFF: &str = "larder:store/handoff@0.1.0";
pub(crate) const LOG: &str = "larder:store/log@0.1.0";
pub(crate) const BLOB: &str = "larder:store/blob@0.1.0";
pub(crate) const KV: &str = "larder:store/kv@0.1.0";
