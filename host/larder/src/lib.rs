//! A persistence host for data fetchers: key-value state and blobs behind one configuration, with
//! WebAssembly plugins.
//!
//! ```text
//! Config (what was typed) -> Plan (what it means; prints itself) -> Host (open) -> Kv, Blobs
//! ```
//!
//! This crate is the only composition root: it knows every backend, and nothing behind it knows another.

mod assemble;
pub mod config;
mod host;
pub mod kv;
mod plan;
mod plugins;
mod stack;

pub use config::{Config, Environment, StoreKind};
pub use host::Host;
pub use kv::{CommitBuilder, Kv, ScanOptions, ScanStream, SetOptions, Versioned};
pub use larder_core::{
    Capabilities, Clock, Commit, Description, Effect, Entry, Error, ErrorKind, Key, KeyRange, KvStore,
    Outcome, Result, SystemClock, Timestamp, Version,
};
pub use plan::{CACHE, Plan, STATE, STORAGE};
pub use plugins::Plugins;
pub use stack::{Metrics, OperationMetrics};
