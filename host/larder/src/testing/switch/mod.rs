//! Switches: what stands where the backend of a store was opened, and hands each call to the store of the moment.
//!
//! The invariant: a call (an attempt, where the host repeats it) is given to one store, once, and stays with it to its
//! end. A swap is one pointer that changes between two calls; nothing waits for it and nothing is lost.

mod blobs;
mod kv;

pub(super) use self::{blobs::BlobSwitch, kv::KvSwitch};
