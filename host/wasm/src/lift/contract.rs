//! What a component keeps to: this host's version of the contract, an older one, or an interface of WASI.

use std::sync::Arc;

use wasmtime::component::InstancePre;

use crate::{
    standard::{Blobstore, Keyvalue},
    state::State,
    versions::Old,
};

/// What a component keeps to.
#[derive(Debug, Clone)]
pub(crate) enum Contract {
    /// The version that this host speaks.
    Own,
    /// An older one.
    Old(Old),
    /// `wasi:keyvalue`, of this shape.
    Keyvalue(Arc<Keyvalue>),
    /// `wasi:blobstore`.
    Blobstore(Arc<Blobstore>),
}

/// A linked component with what it keeps to.
#[derive(Clone)]
pub(crate) struct Linked {
    pub(crate) pre: InstancePre<State>,
    pub(crate) contract: Contract,
}
