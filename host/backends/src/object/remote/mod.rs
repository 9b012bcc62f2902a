//! What stands between a remote object service and larder's promises.
//!
//! OpenDAL speaks to the service; this layer, directly on top of it and under retries and timeouts, adds what the
//! contract asks for and the service or OpenDAL leaves open:
//!
//! * a write whose answer was lost and that is repeated is never wrongly called a conflict (`write`),
//! * a read that is resumed or goes on in another request stays with one version of the blob (`read`),
//! * listings ascend by the bytes of the paths, also where a service answers folders and blobs apart (`list`),
//! * metadata may hold any text, and what a service makes up is not told as written (`metadata`),
//! * parts have the size, and are on their way in the number, that the store was opened with.
//!
//! What can't be kept is not declared: appending (not atomic), conditional copies and deletes (an answer that is
//! lost can't be told from a condition that does not hold).

mod copy;
mod list;
mod metadata;
mod read;
mod service;
#[cfg(test)]
mod tests;
mod write;

use std::sync::Arc;

use opendal::raw::{Layer, Servicer};

use self::service::RemoteService;

/// How blobs are sent, and what is particular about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remote {
    /// Smallest part, in bytes; all but the last have it unless the caller asks for larger ones.
    pub(super) part_bytes: usize,
    /// How many parts may be on their way at once, unless the caller asks for more than one.
    pub(super) parts_in_flight: usize,
    /// Whether conditions on writes are believed to be kept.
    pub(super) conditions: Conditions,
    /// What is particular about the service.
    pub(super) traits: Traits,
}

/// Whether a service keeps the conditions of writes. Some that speak a protocol with conditions ignore them, and
/// overwrite what they must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Conditions {
    /// As its protocol says.
    #[default]
    Kept,
    /// It ignores them: they are not declared, and refused.
    Ignored,
}

/// What is particular about a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Traits {
    /// The content type that the service makes up where none was written.
    pub(super) default_content_type: Option<&'static str>,
    /// Longest key of the service in bytes, the store's prefix included.
    pub(super) key_bytes_max: usize,
    /// Most bytes of user metadata, names and values together.
    pub(super) user_metadata_bytes_max: usize,
    /// Most parts of one blob.
    pub(super) parts_max: usize,
}

impl Layer for Remote {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(RemoteService::new(inner, *self))
    }
}
