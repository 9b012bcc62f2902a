//! `wasi:keyvalue/atomics`: increments are additions of the store, a swap is a commit with a check.

use bytes::Bytes;
use larder_core::{
    Capabilities, Commit, ErrorKind, Expectation, Key, Outcome, Result as LarderResult, Version,
};
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType},
};

use super::{
    WasiStoresView,
    keyvalue::{Answer, Bucket, DRAFT, DRAFT2, told},
};
use crate::bindings::wasi::StoreError;

/// A key as it was seen.
struct Cas {
    bucket: Bucket,
    key: Key,
    seen: Option<(Version, Bytes)>,
}

/// An error of `swap`.
#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum SwapError {
    #[component(name = "store-error")]
    Store(StoreError),
    /// A handle of the key as it is now.
    #[component(name = "cas-failed")]
    Failed(Resource<Cas>),
}

/// Links both drafts: the first has increments by positive numbers alone.
pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    let mut first = linker.instance(&format!("wasi:keyvalue/atomics@{DRAFT}"))?;
    first.func_wrap_async(
        "increment",
        |mut store, (bucket, key, delta): (Resource<Bucket>, String, u64)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((increment_unsigned(&bucket?, key, delta).await,)) })
        },
    )?;
    let mut second = linker.instance(&format!("wasi:keyvalue/atomics@{DRAFT2}"))?;
    second.func_wrap_async(
        "increment",
        |mut store, (bucket, key, delta): (Resource<Bucket>, String, i64)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((increment(&bucket?, key, delta).await,)) })
        },
    )?;
    second.resource("cas", ResourceType::host::<Cas>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<Cas>::new_own(rep))?;
        Ok(())
    })?;
    second.func_wrap_async("[static]cas.new", |mut store, (bucket, key): (Resource<Bucket>, String)| {
        let bucket = Bucket::of(&mut store, &bucket);
        Box::new(async move {
            Ok((match look(bucket?, key).await {
                Ok(cas) => Ok(store.data_mut().stores().table.push(cas)?),
                Err(error) => Err(error),
            },))
        })
    })?;
    second.func_wrap(
        "[method]cas.current",
        |mut store: StoreContextMut<'_, T>, (cas,): (Resource<Cas>,)| -> Result<Answer<Option<Bytes>>> {
            let cas = store.data_mut().stores().table.get(&cas)?;
            Ok((Ok(cas.seen.as_ref().map(|(_, value)| value.clone())),))
        },
    )?;
    second.func_wrap_async("swap", |mut store, (cas, value): (Resource<Cas>, Bytes)| {
        let cas = store.data_mut().stores().table.delete(cas);
        Box::new(async move {
            Ok((match swap(cas?, value).await {
                Ok(None) => Ok(()),
                Ok(Some(newer)) => Err(SwapError::Failed(store.data_mut().stores().table.push(newer)?)),
                Err(error) => Err(SwapError::Store(error)),
            },))
        })
    })
}

async fn increment(bucket: &Bucket, key: String, delta: i64) -> std::result::Result<i64, StoreError> {
    bucket.require(Capabilities::COUNTERS, "increment")?;
    let key = Key::new(key).map_err(|error| told(&error))?;
    match bucket.write(Commit::new().add(key, delta)).await.map_err(|error| told(&error))? {
        Outcome::Added(sum) => Ok(sum),
        _ => Err(StoreError::Other("the store answered something else than a sum".to_owned())),
    }
}

/// Counters are signed: what would leave their range, or is negative, is told.
async fn increment_unsigned(
    bucket: &Bucket,
    key: String,
    delta: u64,
) -> std::result::Result<u64, StoreError> {
    let delta = i64::try_from(delta)
        .map_err(|_| StoreError::Other(format!("a counter can't be incremented by {delta}")))?;
    let sum = increment(bucket, key, delta).await?;
    u64::try_from(sum).map_err(|_| {
        StoreError::Other(format!(
            "the counter was incremented, and is negative, {sum}: this draft can't say that"
        ))
    })
}

async fn look(bucket: Bucket, key: String) -> std::result::Result<Cas, StoreError> {
    bucket.require(Capabilities::VERSIONS, "compare and swap")?;
    let key = Key::new(key).map_err(|error| told(&error))?;
    seen(bucket, key).await.map_err(|error| told(&error))
}

async fn seen(bucket: Bucket, key: Key) -> LarderResult<Cas> {
    let seen = bucket.store.get(&key).await?.map(|entry| (entry.version, entry.value));
    Ok(Cas { bucket, key, seen })
}

/// None where it was swapped; else the key as it is now.
async fn swap(cas: Cas, value: Bytes) -> std::result::Result<Option<Cas>, StoreError> {
    let Cas { bucket, key, seen: before } = cas;
    let expect = match before {
        Some((version, _)) => Expectation::Version(version),
        None => Expectation::Absent,
    };
    match bucket.write(Commit::new().check(key.clone(), expect).put(key.clone(), value)).await {
        Ok(_) => Ok(None),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            seen(bucket, key).await.map(Some).map_err(|error| told(&error))
        }
        Err(error) => Err(told(&error)),
    }
}
