//! The stores of a host for components that are no plugins, through the standard's interfaces.
//!
//! A fetcher that is itself a component imports `wasi:keyvalue` and `wasi:blobstore`, and the program that runs it
//! brings its own wasmtime, of the major version that larder uses. One call links the interfaces, and what stands behind the names
//! that the guest opens is chosen here, name by name: a store that is not granted is not there.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use larder::{Config, Host, wasi};
//!
//! let host = Host::open(Config::default().plan()?).await?;
//! // The guest opens the bucket `default`, and sees the namespace `fetcher` of the store `state`.
//! let state = host.default_kv()?.namespace("fetcher")?;
//! let stores = wasi::WasiStores::new().with_kv("default", state.view());
//! // The embedder's data implements `WasiStoresView` with them, and its linker takes `wasi::add_to_linker`.
//! # drop(stores);
//! # drop(state);
//! host.close().await
//! # }).unwrap();
//! ```
//!
//! The functions are async ones of the host: the embedder calls its guests by `instantiate_async` and `call_async`, on a Tokio
//! runtime, and links `wasmtime_wasi::p2` besides, on the same table.
//!
//! | interface | versions | what a store must be able to do |
//! |---|---|---|
//! | `wasi:keyvalue/store` | `0.2.0-draft`, `0.2.0-draft2` | `scan` for `list-keys` |
//! | `wasi:keyvalue/atomics` | the same | `counters` for `increment`, `versions` for `cas` |
//! | `wasi:keyvalue/batch` | the same, and both forms of the second's `get-many` | |
//! | `wasi:blobstore` | `0.2.0-draft` | |
//!
//! What it can't do is an error to the guest that says so. Errors carry a kind and a message, and nothing of the host's
//! configuration.

pub use larder_wasm::{WasiStores, WasiStoresCtx, WasiStoresView, add_to_linker};
