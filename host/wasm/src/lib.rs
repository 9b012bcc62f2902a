//! Runs WebAssembly components as storage backends and layers.
//!
//! A component of world `kv-backend` or `kv-layer` becomes a [`KvStore`](larder_core::KvStore)
//! ([`KvPlugin`]), one of world `blob-backend` or `blob-layer` an OpenDAL operator ([`BlobPlugin`]). Nothing is granted by default; each call has a deadline, each instance a memory
//! limit; a trap costs the instance and never the host; a plugin can be swapped while it is called.
//!
//! How a call travels: a slot of `seats`, or the `pool` of the current generation, hands out an instance, the call is armed
//! with its budget, what comes back is checked in `convert`, and the instance goes back, or is dropped if it
//! trapped.
//!
//! Two ways to call ([`Mode`]): *inline* on the caller's thread, for plugins that can't block; *fiber*
//! for those that can. This is the only crate that knows wasmtime.

mod bindings;
mod blob;
mod blob_import;
mod budget;
mod compiled;
mod compiler;
mod convert;
mod engine;
mod file_read;
mod generation;
mod hand_over;
mod inspect;
mod instance;
mod job;
mod kv;
mod kv_import;
mod lift;
mod log;
mod network;
mod never_blocks;
mod offer;
mod options;
mod plugin;
mod pool;
mod prepared;
mod queue;
mod request;
mod seats;
mod source;
mod standard;
mod state;
mod supervision;
mod swap;
mod usage;
mod versions;
mod wants;

pub use blob::BlobPlugin;
pub use compiler::Compilations;
pub use engine::Engine;
pub use inspect::{Inspection, World, inspect};
pub use kv::KvPlugin;
pub use network::{HttpGrant, Resolver, SystemResolver, TcpGrant};
pub use offer::{WasiStores, WasiStoresCtx, WasiStoresView, add_to_linker};
pub use options::{Access, EngineOptions, FolderGrant, Grants, Mode, PluginLimits, PluginOptions};
pub use source::Source;
pub use supervision::{LastError, PluginReport, PluginState, Remedy, SupervisionRules, is_refusal};
pub use swap::{
    Audit, AuditRecord, ReadySwap, ShadowOptions, SwapGroup, SwapOptions, SwapStep, Swapped, SwitchedSwap,
};
pub use usage::Usage;
pub use wants::{Want, WantKind};
