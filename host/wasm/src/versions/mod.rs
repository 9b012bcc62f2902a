//! Older versions of the contract, each with a binding module of its own that lifts it to the one which this host speaks.
//!
//! A version comes here when its successor is released: its types as they stood (`bindings` moves on), and for each function
//! of the newer contract how the older one answers it. What the older one lacks is not declared. 0.1.0 is the first that was
//! released, so a build that ships lifts none, and [`Old`] has no value. That the path works is shown by a version that never
//! was, in builds for tests alone: see `artificial`.

#[cfg(test)]
mod artificial;
#[cfg(test)]
mod tests;

use crate::{
    bindings::kv::{CommitParams, ScanParams, WitDescription, WitEntries, WitEntry, WitOutcome, WitPage},
    instance::Loader,
    lift::{Calls, Lifted},
};

/// A version that this host lifts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Old {
    #[cfg(test)]
    Artificial,
}

/// The versions that are lifted, by number.
const LIFTED: &[(&str, Old)] = &[
    #[cfg(test)]
    (artificial::VERSION, Old::Artificial),
];

impl Old {
    /// The one of this number.
    pub(crate) fn find(version: &str) -> Option<Self> {
        LIFTED.iter().find(|(number, _)| *number == version).map(|(_, old)| *old)
    }
}

/// `kv` of an older version.
pub(crate) enum OldKv {
    #[cfg(test)]
    Artificial(artificial::Kv),
}

#[cfg_attr(
    not(test),
    expect(
        clippy::unused_async,
        unused_variables,
        reason = "there is no older version yet, so nothing of this can be called"
    )
)]
impl OldKv {
    pub(crate) fn load(old: Old, loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        match old {
            #[cfg(test)]
            Old::Artificial => artificial::Kv::load(loader).map(Self::Artificial),
        }
    }

    pub(crate) async fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        settings: &[(String, String)],
    ) -> Lifted<()> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.configure(calls, settings).await,
        }
    }

    pub(crate) async fn health(&mut self, calls: &mut Calls<'_>) -> Lifted<()> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.health(calls).await,
        }
    }

    pub(crate) async fn describe(&mut self, calls: &mut Calls<'_>) -> Lifted<WitDescription> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.describe(calls).await,
        }
    }

    pub(crate) async fn get(&mut self, calls: &mut Calls<'_>, key: &str) -> Lifted<Option<WitEntry>> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.get(calls, key).await,
        }
    }

    pub(crate) async fn get_many(&mut self, calls: &mut Calls<'_>, keys: &[&str]) -> Lifted<WitEntries> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.get_many(calls, keys).await,
        }
    }

    pub(crate) async fn scan(&mut self, calls: &mut Calls<'_>, scan: ScanParams) -> Lifted<WitPage> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.scan(calls, scan).await,
        }
    }

    pub(crate) async fn commit(
        &mut self,
        calls: &mut Calls<'_>,
        commit: CommitParams,
    ) -> Lifted<Vec<WitOutcome>> {
        match *self {
            #[cfg(test)]
            Self::Artificial(ref mut kv) => kv.commit(calls, commit).await,
        }
    }
}
