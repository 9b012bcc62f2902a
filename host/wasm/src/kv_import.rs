//! The `kv` that a layer imports: the next store. A layer can't tell what stands behind it.

use std::sync::Arc;

use larder_core::{Clock, Error, Key, KeyRange, KvStore, Result, Scan, Want};
use wasmtime::{StoreContextMut, component::Linker};

use crate::{
    bindings::{
        Answer, KV,
        kv::{CommitParams, ScanParams, WitEntry, WitKeyedEntry, WitOutcome, WitPage},
    },
    convert,
    state::State,
};

/// Links `larder:store/kv` to the store's `next_kv`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut kv = linker.instance(KV)?;
    kv.func_wrap("describe", |store: StoreContextMut<'_, State>, (): ()| {
        answer(Behind::of(&store).map(|behind| convert::description_to_guest(behind.next.describe())))
    })?;
    kv.func_wrap_async("get", |store, (key,): (Arc<str>,)| {
        let behind = Behind::of(&store);
        Box::new(async move { answer(get(behind, key).await) })
    })?;
    kv.func_wrap_async("get-many", |store, (keys,): (Vec<Arc<str>>,)| {
        let behind = Behind::of(&store);
        Box::new(async move { answer(get_many(behind, keys).await) })
    })?;
    kv.func_wrap_async("scan", |store, params: ScanParams| {
        let behind = Behind::of(&store);
        Box::new(async move { answer(scan(behind, params).await) })
    })?;
    kv.func_wrap_async("commit", |store, params: CommitParams| {
        let behind = Behind::of(&store);
        Box::new(async move { answer(commit(behind, params).await) })
    })?;
    Ok(())
}

/// The next store and the clock that expiries are counted by.
struct Behind {
    next: Arc<dyn KvStore>,
    clock: Arc<dyn Clock>,
}

impl Behind {
    fn of(store: &StoreContextMut<'_, State>) -> Result<Self> {
        let state = store.data();
        let next = state.next_kv.clone().ok_or_else(|| Error::unsupported("there is no next store"))?;
        Ok(Self { next, clock: Arc::clone(&state.clock) })
    }
}

fn answer<T>(result: Result<T>) -> wasmtime::Result<Answer<T>> {
    Ok((result.map_err(|e| convert::error_to_guest(&e)),))
}

async fn get(behind: Result<Behind>, key: Arc<str>) -> Result<Option<WitEntry>> {
    let Behind { next, clock } = behind?;
    let found = next.get(&Key::new(key)?).await?;
    Ok(found.map(|entry| convert::entry_to_guest(entry, clock.now())))
}

async fn get_many(behind: Result<Behind>, keys: Vec<Arc<str>>) -> Result<Vec<Option<WitEntry>>> {
    let Behind { next, clock } = behind?;
    let keys = keys.into_iter().map(Key::new).collect::<Result<Vec<_>>>()?;
    let found = next.get_many(&keys).await?;
    let now = clock.now();
    Ok(found.into_iter().map(|entry| entry.map(|entry| convert::entry_to_guest(entry, now))).collect())
}

async fn scan(behind: Result<Behind>, (start, end, limit, keys_only): ScanParams) -> Result<WitPage> {
    let Behind { next, clock } = behind?;
    let want = if keys_only { Want::Keys } else { Want::Entries };
    let page = next.scan(&Scan { range: KeyRange { start, end }, limit, want }).await?;
    let now = clock.now();
    let entries = page.entries.into_iter().map(|(key, entry)| WitKeyedEntry {
        key: key.into_inner(),
        entry: convert::entry_to_guest(entry, now),
    });
    Ok(WitPage { entries: entries.collect(), next: page.next.map(Key::into_inner) })
}

async fn commit(behind: Result<Behind>, (checks, writes): CommitParams) -> Result<Vec<WitOutcome>> {
    let Behind { next, clock: _ } = behind?;
    let commit = convert::commit_from_guest(checks, writes)?;
    next.commit(&commit).await.map(convert::outcomes_to_guest)
}
