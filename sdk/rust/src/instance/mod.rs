//! The one instance of a plugin in its component, and the adapters from the generated traits to the author's.

mod blob;
mod cell;
mod kv;
mod policy;

pub use blob::{BlobBackendExport, BlobLayerExport};
pub use cell::{Cell, HandoffExport, Hosted, Started};
pub use kv::{KvBackendExport, KvLayerExport};
pub use policy::{MergePolicyExport, PolicyExport};
