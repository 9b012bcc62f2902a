//! What the drafts of `wasi:keyvalue` have in common, in both directions.

use std::sync::Arc;

use wasmtime::component::{ComponentType, Lift, Lower};

/// An error of `store`.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum StoreError {
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

/// A part of a listing, whose cursor is a number or a text.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct KeyResponse<C> {
    pub(crate) keys: Vec<Arc<str>>,
    pub(crate) cursor: Option<C>,
}
