//! The key-value contract, from a component that exports something else.

use larder_core::limits::GET_MANY_MAX;

use crate::{
    bindings::{
        WitError,
        kv::{CommitParams, ScanParams, WitDescription, WitEntries, WitEntry, WitOutcome, WitPage},
    },
    instance::Loader,
    lift::{Calls, Contract, Lifted, bad},
    standard::Bucket,
    versions::OldKv,
};

/// What answers for `kv`.
pub(crate) enum KvLift {
    /// An older version of it.
    Old(OldKv),
    /// A bucket of `wasi:keyvalue`.
    Bucket(Box<Bucket>),
}

/// Passes a function on to whatever it is.
macro_rules! pass {
    ($self:ident, $func:ident($($argument:expr),*)) => {
        match $self {
            KvLift::Old(old) => old.$func($($argument),*).await,
            KvLift::Bucket(bucket) => bucket.$func($($argument),*).await,
        }
    };
}

impl KvLift {
    /// Finds the functions; none where the component keeps to this host's own contract, or is of another kind.
    pub(crate) fn load(loader: &mut Loader<'_>, contract: &Contract) -> wasmtime::Result<Option<Self>> {
        Ok(match contract {
            Contract::Own | Contract::Blobstore(_) => None,
            Contract::Old(old) => Some(Self::Old(OldKv::load(*old, loader)?)),
            Contract::Keyvalue(shape) => Some(Self::Bucket(Box::new(Bucket::load(shape, loader)?))),
        })
    }

    pub(crate) async fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        settings: &[(String, String)],
    ) -> Lifted<()> {
        pass!(self, configure(calls, settings))
    }

    pub(crate) async fn health(&mut self, calls: &mut Calls<'_>) -> Lifted<()> {
        pass!(self, health(calls))
    }

    pub(crate) async fn describe(&mut self, calls: &mut Calls<'_>) -> Lifted<WitDescription> {
        pass!(self, describe(calls))
    }

    pub(crate) async fn get(&mut self, calls: &mut Calls<'_>, key: &str) -> Lifted<Option<WitEntry>> {
        pass!(self, get(calls, key))
    }

    pub(crate) async fn get_many(&mut self, calls: &mut Calls<'_>, keys: &[&str]) -> Lifted<WitEntries> {
        // A component of this host's contract refuses this itself.
        if keys.len() > GET_MANY_MAX {
            let message = format!("{} keys at once, more than {GET_MANY_MAX}", keys.len());
            return bad(WitError::Invalid(message));
        }
        pass!(self, get_many(calls, keys))
    }

    pub(crate) async fn scan(&mut self, calls: &mut Calls<'_>, scan: ScanParams) -> Lifted<WitPage> {
        pass!(self, scan(calls, scan))
    }

    pub(crate) async fn commit(
        &mut self,
        calls: &mut Calls<'_>,
        commit: CommitParams,
    ) -> Lifted<Vec<WitOutcome>> {
        pass!(self, commit(calls, commit))
    }
}
