//! `wit/kv.wit`.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc, flags};

use super::{Answer, KV};
use crate::{instance::Loader, lift::KvLift};

flags! {
    Features {
        #[component(name = "scan")]
        const SCAN;
        #[component(name = "ttl")]
        const TTL;
        #[component(name = "versions")]
        const VERSIONS;
        #[component(name = "transactions")]
        const TRANSACTIONS;
        #[component(name = "counters")]
        const COUNTERS;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub(crate) enum Instances {
    #[component(name = "many")]
    Many,
    #[component(name = "one")]
    One,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitDescription {
    pub(crate) features: Features,
    pub(crate) instances: Instances,
    #[component(name = "max-key-bytes")]
    pub(crate) max_key_bytes: u32,
    #[component(name = "max-value-bytes")]
    pub(crate) max_value_bytes: u32,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitEntry {
    pub(crate) value: Bytes,
    pub(crate) version: u64,
    #[component(name = "expires-in-ms")]
    pub(crate) expires_in_ms: Option<u64>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitKeyedEntry {
    pub(crate) key: Arc<str>,
    pub(crate) entry: WitEntry,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitPage {
    pub(crate) entries: Vec<WitKeyedEntry>,
    pub(crate) next: Option<Arc<str>>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WitExpectation {
    #[component(name = "absent")]
    Absent,
    #[component(name = "present")]
    Present,
    #[component(name = "version")]
    Version(u64),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitCheck {
    pub(crate) key: Arc<str>,
    pub(crate) expect: WitExpectation,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitPut {
    pub(crate) value: Bytes,
    #[component(name = "ttl-ms")]
    pub(crate) ttl_ms: Option<u64>,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WitChange {
    #[component(name = "put")]
    Put(WitPut),
    #[component(name = "delete")]
    Delete,
    #[component(name = "add")]
    Add(i64),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
pub(crate) struct WitWrite {
    pub(crate) key: Arc<str>,
    pub(crate) change: WitChange,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
pub(crate) enum WitOutcome {
    #[component(name = "written")]
    Written(u64),
    #[component(name = "deleted")]
    Deleted(bool),
    #[component(name = "added")]
    Added(i64),
}

/// Parameters of `scan`.
pub(crate) type ScanParams = (Arc<str>, Option<Arc<str>>, u32, bool);
/// Parameters of `commit`.
pub(crate) type CommitParams = (Vec<WitCheck>, Vec<WitWrite>);

/// Answers of `get-many`, by position.
pub(crate) type WitEntries = Vec<Option<WitEntry>>;

/// What answers for `kv` in an instance.
pub(crate) enum KvExports {
    /// The component itself.
    Own(KvFuncs),
    /// A component of another contract.
    Lifted(KvLift),
}

/// The functions of an exported `kv`. Keys that are read are borrowed for the call: `'static` stands for any shorter life.
pub(crate) struct KvFuncs {
    pub(crate) describe: TypedFunc<(), Answer<WitDescription>>,
    pub(crate) get: TypedFunc<(&'static str,), Answer<Option<WitEntry>>>,
    pub(crate) get_many: TypedFunc<(Vec<&'static str>,), Answer<WitEntries>>,
    pub(crate) scan: TypedFunc<ScanParams, Answer<WitPage>>,
    pub(crate) commit: TypedFunc<CommitParams, Answer<Vec<WitOutcome>>>,
}

impl KvFuncs {
    pub(crate) fn load(loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        Ok(Self {
            describe: loader.func(KV, "describe")?,
            get: loader.func(KV, "get")?,
            get_many: loader.func(KV, "get-many")?,
            scan: loader.func(KV, "scan")?,
            commit: loader.func(KV, "commit")?,
        })
    }
}
