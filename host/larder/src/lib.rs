//! A persistence host for data fetchers: key-value state and blobs behind one configuration, with WebAssembly plugins.

pub mod blobs;
