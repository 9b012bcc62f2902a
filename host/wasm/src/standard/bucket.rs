//! A bucket of `wasi:keyvalue` as a key-value store.
//!
//! What the interfaces promise, and so what is declared:
//!
//! * get, set, delete, and `batch` for reading many keys, if it is there. Whether a delete found something is asked before it:
//!   right as long as nobody but this host writes to the bucket, which one instance at a time makes sure of within the host.
//! * `counters`, where `atomics` has compare-and-swap. They are swaps and not `increment`: that says neither how a counter
//!   is stored nor what becomes of one that is none.
//! * No `scan`: keys are listed in no order, and a listing that goes on may leave out keys that nobody touched.
//! * No `ttl`, no `versions` (a swap's handle lives in its instance, and equal values look the same), no `transactions`.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use wasmtime::component::{ComponentType, Lift, Lower, ResourceAny, TypedFunc};

use super::{
    settings,
    shape::{Batch, Keyvalue},
};
use crate::{
    bindings::{
        WitError, WitUnavailable,
        kv::{
            CommitParams, Features, Instances, ScanParams, WitChange, WitDescription, WitEntries, WitEntry,
            WitOutcome, WitPage, WitPut, WitWrite,
        },
        wasi::StoreError,
    },
    instance::Loader,
    lift::{Calls, Lifted, answered, bad, good, unsupported},
};

/// The setting that names the bucket; it is larder's, and not handed on.
const BUCKET: &str = "bucket";

/// How often a swap is tried again for one addition. Each of them failed because another succeeded, so this many mean a
/// component that never succeeds.
const SWAPS_MAX: u32 = 256;

impl From<StoreError> for WitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NoSuchStore => Self::Other("the component says: no such store".to_owned()),
            StoreError::AccessDenied => Self::Denied("the component says: access denied".to_owned()),
            StoreError::Other(message) => Self::Other(message),
        }
    }
}

/// An error of `swap`.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum SwapError {
    #[component(name = "store-error")]
    Store(StoreError),
    /// A handle of the value as it is now.
    #[component(name = "cas-failed")]
    Failed(ResourceAny),
}

type Answer<T> = (Result<T, StoreError>,);
type Func<P, T> = TypedFunc<P, Answer<T>>;
/// Pairs of key and value, none for what is not there.
type Pairs = Vec<Option<(Arc<str>, Bytes)>>;
/// Each key, with its value or none.
type Keys = Vec<(Arc<str>, Option<Bytes>)>;

/// `get-many` in either shape.
enum GetMany {
    Pairs(Func<(ResourceAny, Vec<&'static str>), Pairs>),
    Keys(Func<(ResourceAny, Vec<&'static str>), Keys>),
}

/// Compare-and-swap.
#[derive(Clone, Copy)]
struct Swaps {
    new: Func<(ResourceAny, &'static str), ResourceAny>,
    current: Func<(ResourceAny,), Option<Bytes>>,
    swap: TypedFunc<(ResourceAny, Bytes), (Result<(), SwapError>,)>,
}

/// The functions of the exported interfaces, and the bucket once it is open.
pub(crate) struct Bucket {
    open: Func<(String,), ResourceAny>,
    get: Func<(ResourceAny, &'static str), Option<Bytes>>,
    set: Func<(ResourceAny, Arc<str>, Bytes), ()>,
    delete: Func<(ResourceAny, Arc<str>), ()>,
    exists: Func<(ResourceAny, Arc<str>), bool>,
    get_many: Option<GetMany>,
    swaps: Option<Swaps>,
    reads_settings: bool,
    bucket: Option<ResourceAny>,
}

impl Bucket {
    pub(crate) fn load(shape: &Keyvalue, loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        let store = &shape.store;
        let get_many = match &shape.batch {
            None => None,
            Some((batch, Batch::Pairs)) => Some(GetMany::Pairs(loader.func(batch, "get-many")?)),
            Some((batch, Batch::Keys)) => Some(GetMany::Keys(loader.func(batch, "get-many")?)),
        };
        let swaps = match &shape.swaps {
            None => None,
            Some(atomics) => Some(Swaps {
                new: loader.func(atomics, "[static]cas.new")?,
                current: loader.func(atomics, "[method]cas.current")?,
                swap: loader.func(atomics, "swap")?,
            }),
        };
        Ok(Self {
            open: loader.func(store, "open")?,
            get: loader.func(store, "[method]bucket.get")?,
            set: loader.func(store, "[method]bucket.set")?,
            delete: loader.func(store, "[method]bucket.delete")?,
            exists: loader.func(store, "[method]bucket.exists")?,
            get_many,
            swaps,
            reads_settings: shape.reads_settings,
            bucket: None,
        })
    }

    /// Opens the bucket. The other settings lie ready for `wasi:config`.
    pub(crate) async fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        given: &[(String, String)],
    ) -> Lifted<()> {
        let identifier = match settings::take(calls, given, BUCKET, self.reads_settings) {
            Ok(identifier) => identifier,
            Err(error) => return bad(error),
        };
        let (opened,) = calls.call(self.open, (identifier.clone(),)).await?;
        match opened {
            Ok(bucket) => {
                self.bucket = Some(bucket);
                good(())
            }
            Err(StoreError::NoSuchStore) => bad(WitError::Invalid(format!(
                "the component has no bucket `{identifier}`; the setting `{BUCKET}` names another"
            ))),
            Err(StoreError::AccessDenied) => {
                bad(WitError::Denied(format!("the component denies access to its bucket `{identifier}`")))
            }
            Err(StoreError::Other(message)) => bad(WitError::Other(message)),
        }
    }

    /// There is nothing to ask: an open bucket is as much as the interface tells.
    pub(crate) async fn health(&mut self, _: &mut Calls<'_>) -> Lifted<()> {
        std::future::ready(self.bucket().map(|_| (Ok(()),))).await
    }

    pub(crate) async fn describe(&mut self, _: &mut Calls<'_>) -> Lifted<WitDescription> {
        let features = if self.swaps.is_some() { Features::COUNTERS } else { Features::default() };
        let limit = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let description = WitDescription {
            features,
            instances: Instances::One,
            max_key_bytes: limit(KEY_BYTES_MAX),
            max_value_bytes: limit(VALUE_BYTES_MAX),
        };
        std::future::ready(good(description)).await
    }

    pub(crate) async fn get(&mut self, calls: &mut Calls<'_>, key: &str) -> Lifted<Option<WitEntry>> {
        let found = answered!(calls.call(for_keys(&self.get), (self.bucket()?, key)).await);
        good(found.map(entry))
    }

    pub(crate) async fn get_many(&mut self, calls: &mut Calls<'_>, keys: &[&str]) -> Lifted<WitEntries> {
        let bucket = self.bucket()?;
        // Keys by position, as they came: a component that answers in another order is found out.
        let found: Keys = match &self.get_many {
            None => {
                let mut entries = Vec::with_capacity(keys.len());
                for key in keys {
                    let found = answered!(calls.call(for_keys(&self.get), (bucket, *key)).await);
                    entries.push(found.map(entry));
                }
                return good(entries);
            }
            Some(GetMany::Pairs(func)) => {
                let pairs = answered!(calls.call(for_many(func), (bucket, keys.to_vec())).await);
                let keyed = pairs.into_iter().zip(keys).map(|(pair, key)| match pair {
                    Some((found, value)) => (found, Some(value)),
                    None => (Arc::from(*key), None),
                });
                keyed.collect()
            }
            Some(GetMany::Keys(func)) => answered!(calls.call(for_many(func), (bucket, keys.to_vec())).await),
        };
        let wrong = found.iter().zip(keys).any(|((found, _), key)| &**found != *key);
        if wrong || found.len() != keys.len() {
            return bad(WitError::Other(
                "the component's `get-many` answers other keys than asked".to_owned(),
            ));
        }
        good(found.into_iter().map(|(_, value)| value.map(entry)).collect())
    }

    pub(crate) async fn scan(&mut self, _: &mut Calls<'_>, _: ScanParams) -> Lifted<WitPage> {
        std::future::ready(unsupported("`wasi:keyvalue` lists keys in no order")).await
    }

    /// One write without checks: nothing else is declared.
    pub(crate) async fn commit(
        &mut self,
        calls: &mut Calls<'_>,
        (checks, mut writes): CommitParams,
    ) -> Lifted<Vec<WitOutcome>> {
        let Some(WitWrite { key, change }) = writes.pop() else { return good(Vec::new()) };
        if !checks.is_empty() || !writes.is_empty() {
            return unsupported("`wasi:keyvalue` writes one key, without conditions");
        }
        let bucket = self.bucket()?;
        let outcome = match change {
            WitChange::Put(WitPut { ttl_ms: Some(_), .. }) => {
                return unsupported("`wasi:keyvalue` has no expiry");
            }
            WitChange::Put(WitPut { value, ttl_ms: None }) => {
                answered!(calls.call(self.set, (bucket, key, value)).await);
                WitOutcome::Written(0)
            }
            WitChange::Delete => {
                let existed = answered!(calls.call(self.exists, (bucket, key.clone())).await);
                if existed {
                    answered!(calls.call(self.delete, (bucket, key)).await);
                }
                WitOutcome::Deleted(existed)
            }
            WitChange::Add(delta) => WitOutcome::Added(answered!(self.add(calls, bucket, &key, delta).await)),
        };
        good(vec![outcome])
    }

    /// Adds by compare-and-swap.
    async fn add(&self, calls: &mut Calls<'_>, bucket: ResourceAny, key: &str, delta: i64) -> Lifted<i64> {
        let Some(swaps) = self.swaps else { return unsupported("the component has no compare-and-swap") };
        let mut cas = answered!(calls.call(for_keys(&swaps.new), (bucket, key)).await);
        for _ in 0..SWAPS_MAX {
            let (current,) = calls.call(swaps.current, (cas,)).await?;
            let sum = match current {
                Ok(current) => sum(current.as_deref(), delta),
                Err(error) => Err(error.into()),
            };
            let sum = match sum {
                Ok(sum) => sum,
                Err(error) => {
                    calls.drop(cas).await?;
                    return bad(error);
                }
            };
            let (swapped,) = calls.call(swaps.swap, (cas, Bytes::from(sum.to_string()))).await?;
            match swapped {
                Ok(()) => return good(sum),
                Err(SwapError::Store(error)) => return bad(error.into()),
                Err(SwapError::Failed(newer)) => cas = newer,
            }
        }
        calls.drop(cas).await?;
        let message = format!("{SWAPS_MAX} swaps of this counter failed in a row");
        bad(WitError::Unavailable(WitUnavailable { message, retry_after_ms: None }))
    }

    fn bucket(&self) -> wasmtime::Result<ResourceAny> {
        self.bucket.ok_or_else(|| wasmtime::format_err!("the bucket is not open"))
    }
}

/// A counter's next value; what is absent counts as 0.
fn sum(current: Option<&[u8]>, delta: i64) -> Result<i64, WitError> {
    let current = match current {
        None => 0,
        Some(value) => larder_core::counter::decode(value)
            .ok_or_else(|| WitError::Invalid("the stored value is no counter".to_owned()))?,
    };
    current
        .checked_add(delta)
        .ok_or_else(|| WitError::Invalid("the sum is past the range of a counter".to_owned()))
}

fn entry(value: Bytes) -> WitEntry {
    WitEntry { value, version: 0, expires_in_ms: None }
}

/// The function for keys of any shorter life.
fn for_keys<'k, T>(func: &Func<(ResourceAny, &'static str), T>) -> Func<(ResourceAny, &'k str), T> {
    *func
}

/// The same for many keys.
fn for_many<'k, T>(func: &Func<(ResourceAny, Vec<&'static str>), T>) -> Func<(ResourceAny, Vec<&'k str>), T> {
    *func
}
