//! A persistence host for data fetchers: key-value state and blobs behind one configuration, with
//! WebAssembly plugins.
//!
//! ```text
//! Config (what was typed) -> Plan (what it means; prints itself) -> Host (open) -> Kv, Blobs
//! ```
//!
//! This crate is the only composition root: it knows every backend, and nothing behind it knows another.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! use larder::{Config, Host};
//!
//! let config = Config::from_yaml("
//!   persistence: { state_backend: file }
//!   storage: { backend: file, file: { path: ./data/ } }
//! ")?;
//! # let config = config.relative_to(folder.path());
//! let host = Host::open(config.plan()?).await?;
//!
//! host.kv("state")?.set("cursor", &42).await?;
//! host.blobs("storage")?.put("pages/1.html", "<p>hello").await?;
//! host.close().await
//! # }).unwrap();
//! ```

mod application;
mod assemble;
pub mod backends;
pub mod blobs;
pub mod check;
pub mod config;
pub mod control;
mod host;
pub mod kv;
pub mod migrate;
mod plan;
mod plugins;
mod seams;
mod stack;
mod storage;
pub mod testing;
pub mod wasi;
mod watching;

pub use application::{
    application_host, close_application_kv_store, configure_application_kv_store, kv_store,
};
pub use blobs::{BlobReader, BlobWriter, Blobs};
pub use config::{Config, Environment, StoreKind};
pub use host::Host;
pub use kv::{CommitBuilder, Kv, ScanOptions, ScanStream, SetOptions, Versioned};
pub use larder_core::{
    Capabilities, Clock, Commit, Description, Effect, Entry, Error, ErrorKind, Expectation, Key, KeyRange,
    KvStore, Outcome, Result, SystemClock, Timestamp, Version,
};
pub use larder_wasm::{
    AuditRecord, HttpGrant, Inspection, LastError, Mode, PluginReport, PluginState, ShadowOptions, Source,
    SwapOptions, SwapStep, Swapped, TcpGrant, Want, WantKind, World,
};
pub use plan::{CACHE, Comparison, ControlAddress, Plan, STATE, STORAGE, compiled_folder};
pub use plugins::{PluginStatus, Plugins};
pub use stack::{Metrics, OperationMetrics};
pub use storage::{FileStorage, PipelineStorage};
