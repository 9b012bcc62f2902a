//! A version 0.0.9 of the contract that never was, with one world: what an older version may lack, and how it is lifted.
//!
//! Its WIT is that of the guest `kv-first-version`. Against 0.1.0 it has no `get-many`, no time to live, no pages and no word on
//! instances; its entries are tuples, its errors fewer.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX};
use wasmtime::component::{ComponentType, Lift, Lower, TypedFunc, flags};

use crate::{
    bindings::{
        WitError, WitUnavailable,
        kv::{
            CommitParams, Features, Instances, ScanParams, WitChange, WitDescription, WitEntries, WitEntry,
            WitExpectation, WitKeyedEntry, WitOutcome, WitPage,
        },
    },
    instance::Loader,
    lift::{Calls, Lifted, answered, bad, good, unsupported},
};

pub(super) const VERSION: &str = "0.0.9";
const LIFECYCLE: &str = "larder:store/lifecycle@0.0.9";
const KV: &str = "larder:store/kv@0.0.9";

flags! {
    OldFeatures {
        #[component(name = "scan")]
        const SCAN;
        #[component(name = "versions")]
        const VERSIONS;
        #[component(name = "counters")]
        const COUNTERS;
    }
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct OldDescription {
    features: OldFeatures,
    #[component(name = "max-key-bytes")]
    max_key_bytes: u32,
    #[component(name = "max-value-bytes")]
    max_value_bytes: u32,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum OldError {
    #[component(name = "invalid")]
    Invalid(String),
    #[component(name = "unsupported")]
    Unsupported(String),
    #[component(name = "conflict")]
    Conflict(String),
    #[component(name = "unavailable")]
    Unavailable(String),
    #[component(name = "other")]
    Other(String),
}

impl From<OldError> for WitError {
    fn from(old: OldError) -> Self {
        match old {
            OldError::Invalid(message) => Self::Invalid(message),
            OldError::Unsupported(message) => Self::Unsupported(message),
            OldError::Conflict(key) => Self::Conflict(key),
            OldError::Unavailable(message) => {
                Self::Unavailable(WitUnavailable { message, retry_after_ms: None })
            }
            OldError::Other(message) => Self::Other(message),
        }
    }
}

/// One change of one key, with what must be so.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum OldChange {
    #[component(name = "put")]
    Put(Bytes),
    #[component(name = "delete")]
    Delete,
    #[component(name = "add")]
    Add(i64),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum OldExpectation {
    #[component(name = "anything")]
    Anything,
    #[component(name = "absent")]
    Absent,
    #[component(name = "present")]
    Present,
    #[component(name = "version")]
    Version(u64),
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(variant)]
enum OldOutcome {
    #[component(name = "written")]
    Written(u64),
    #[component(name = "deleted")]
    Deleted(bool),
    #[component(name = "added")]
    Added(i64),
}

/// Most entries that are asked for at once: with values of the largest size, what one call may hand over.
const SCAN_ENTRIES_MAX: usize = 3;

/// Value and version.
type OldEntry = (Bytes, u64);
type Answer<T> = (Result<T, OldError>,);
/// Key and entry.
type OldRow = (Arc<str>, OldEntry);
type RangeParams = (Arc<str>, Option<Arc<str>>, u32);
type WriteParams = (Arc<str>, OldExpectation, Option<OldChange>);

/// The functions of `lifecycle` and `kv`.
pub(crate) struct Kv {
    configure: TypedFunc<(Vec<(String, String)>,), Answer<()>>,
    health: TypedFunc<(), Answer<()>>,
    describe: TypedFunc<(), Answer<OldDescription>>,
    get: TypedFunc<(&'static str,), Answer<Option<OldEntry>>>,
    scan: TypedFunc<RangeParams, Answer<Vec<OldRow>>>,
    write: TypedFunc<WriteParams, Answer<Option<OldOutcome>>>,
}

impl Kv {
    pub(super) fn load(loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        Ok(Self {
            configure: loader.func(LIFECYCLE, "configure")?,
            health: loader.func(LIFECYCLE, "health")?,
            describe: loader.func(KV, "describe")?,
            get: loader.func(KV, "get")?,
            scan: loader.func(KV, "scan")?,
            write: loader.func(KV, "write")?,
        })
    }

    pub(super) async fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        settings: &[(String, String)],
    ) -> Lifted<()> {
        answered!(calls.call(self.configure, (settings.to_vec(),)).await);
        good(())
    }

    pub(super) async fn health(&mut self, calls: &mut Calls<'_>) -> Lifted<()> {
        answered!(calls.call(self.health, ()).await);
        good(())
    }

    pub(super) async fn describe(&mut self, calls: &mut Calls<'_>) -> Lifted<WitDescription> {
        let old = answered!(calls.call(self.describe, ()).await);
        let pairs = [
            (OldFeatures::SCAN, Features::SCAN),
            (OldFeatures::VERSIONS, Features::VERSIONS),
            (OldFeatures::COUNTERS, Features::COUNTERS),
        ];
        let mut features = Features::default();
        for (had, has) in pairs {
            if old.features & had == had {
                features |= has;
            }
        }
        good(WitDescription {
            features,
            // It does not say so, and one instance is always right.
            instances: Instances::One,
            max_key_bytes: old.max_key_bytes,
            max_value_bytes: old.max_value_bytes,
        })
    }

    pub(super) async fn get(&mut self, calls: &mut Calls<'_>, key: &str) -> Lifted<Option<WitEntry>> {
        let found = answered!(calls.call(self.get_for(), (key,)).await);
        good(found.map(entry))
    }

    pub(super) async fn get_many(&mut self, calls: &mut Calls<'_>, keys: &[&str]) -> Lifted<WitEntries> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            let found = answered!(calls.call(self.get_for(), (*key,)).await);
            entries.push(found.map(entry));
        }
        good(entries)
    }

    pub(super) async fn scan(
        &mut self,
        calls: &mut Calls<'_>,
        (start, end, limit, keys_only): ScanParams,
    ) -> Lifted<WitPage> {
        let limit = limit.min(PAGE_ENTRIES_MAX) as usize;
        let (mut page, mut bytes, mut from) = (WitPage { entries: Vec::new(), next: None }, 0, start);
        loop {
            // One more than is wanted, since that is where the next page begins; and few at once, for their values.
            let asked = (limit - page.entries.len() + 1).min(SCAN_ENTRIES_MAX);
            let params = (from.clone(), end.clone(), u32::try_from(asked).unwrap_or(u32::MAX));
            let mut found = answered!(calls.call(self.scan, params).await);
            let last = if found.len() == asked { found.pop().map(|(key, _)| key) } else { None };
            for (key, (value, version)) in found {
                let value = if keys_only { Bytes::new() } else { value };
                bytes += key.len() + value.len();
                if page.entries.len() == limit || (bytes > PAGE_BYTES_MAX && !page.entries.is_empty()) {
                    page.next = Some(key);
                    return good(page);
                }
                page.entries.push(WitKeyedEntry { key, entry: entry((value, version)) });
            }
            match last {
                None => return good(page),
                Some(next) if page.entries.len() == limit => {
                    page.next = Some(next);
                    return good(page);
                }
                Some(next) => from = next,
            }
        }
    }

    /// One write, and at most the check on its key: it declares no transactions.
    pub(super) async fn commit(
        &mut self,
        calls: &mut Calls<'_>,
        (checks, mut writes): CommitParams,
    ) -> Lifted<Vec<WitOutcome>> {
        let write = writes.pop();
        let checked = checks.first().map(|check| &check.key);
        let Some(key) = write.as_ref().map(|write| &write.key).or(checked).cloned() else {
            return good(Vec::new());
        };
        if !writes.is_empty() || checks.iter().any(|check| check.key != key) {
            return unsupported("commits over several keys");
        }
        let mut expect = OldExpectation::Anything;
        for check in checks {
            expect = match both(expect, check.expect) {
                Some(both) => both,
                None => return bad(WitError::Conflict(key.as_ref().to_owned())),
            };
        }
        let change = match write.map(|write| write.change) {
            None => None,
            Some(WitChange::Put(put)) if put.ttl_ms.is_some() => return unsupported("a time to live"),
            Some(WitChange::Put(put)) => Some(OldChange::Put(put.value)),
            Some(WitChange::Delete) => Some(OldChange::Delete),
            Some(WitChange::Add(delta)) => Some(OldChange::Add(delta)),
        };
        let outcome = answered!(calls.call(self.write, (key, expect, change)).await);
        good(outcome.map(new_outcome).into_iter().collect())
    }

    /// The function for keys of any shorter life.
    fn get_for<'k>(&self) -> TypedFunc<(&'k str,), Answer<Option<OldEntry>>> {
        self.get
    }
}

/// What must be so where two things must; none where that can't be.
fn both(one: OldExpectation, other: WitExpectation) -> Option<OldExpectation> {
    match (one, other) {
        (OldExpectation::Anything | OldExpectation::Absent, WitExpectation::Absent) => {
            Some(OldExpectation::Absent)
        }
        (OldExpectation::Anything | OldExpectation::Present, WitExpectation::Present) => {
            Some(OldExpectation::Present)
        }
        (OldExpectation::Anything | OldExpectation::Present, WitExpectation::Version(version)) => {
            Some(OldExpectation::Version(version))
        }
        (OldExpectation::Version(version), WitExpectation::Present) => Some(OldExpectation::Version(version)),
        (OldExpectation::Version(one), WitExpectation::Version(other)) if one == other => {
            Some(OldExpectation::Version(one))
        }
        _ => None,
    }
}

fn entry((value, version): OldEntry) -> WitEntry {
    WitEntry { value, version, expires_in_ms: None }
}

fn new_outcome(old: OldOutcome) -> WitOutcome {
    match old {
        OldOutcome::Written(version) => WitOutcome::Written(version),
        OldOutcome::Deleted(existed) => WitOutcome::Deleted(existed),
        OldOutcome::Added(value) => WitOutcome::Added(value),
    }
}
