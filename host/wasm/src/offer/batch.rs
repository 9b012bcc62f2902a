//! `wasi:keyvalue/batch`. Nothing is promised of a whole batch, so a large one goes in portions, and a store without
//! transactions takes its keys one by one.
//!
//! The second draft's `get-many` was changed without another version: pairs that may be missing became keys whose values may
//! be. Which of them a guest means is in its types, so there the function is linked without types of its own, and answers as the guest's
//! types ask. That costs a step per byte; the others are typed.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use larder_core::{
    Capabilities, Commit, Error, Key, Result as LarderResult,
    limits::{COMMIT_BYTES_MAX, COMMIT_ITEMS_MAX},
};
use wasmtime::{
    Result, StoreContextMut, bail,
    component::{Linker, Resource, Val, types},
};

use super::{
    WasiStoresView,
    keyvalue::{Bucket, DRAFT, DRAFT2, told},
};
use crate::bindings::wasi::StoreError;

/// How many keys a store is asked for at once, so that few values past the limit are ever in memory.
const GET_MANY_PORTION: usize = 32;
/// Most bytes of values in one answer: what one call of a plugin may hand over, too.
const GET_MANY_BYTES_MAX: usize = 32 << 20;

/// Links both drafts.
pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    for draft in [DRAFT, DRAFT2] {
        let mut batch = linker.instance(&format!("wasi:keyvalue/batch@{draft}"))?;
        batch.func_wrap_async(
            "set-many",
            |mut store, (bucket, pairs): (Resource<Bucket>, Vec<(Arc<str>, Bytes)>)| {
                let bucket = Bucket::of(&mut store, &bucket);
                Box::new(async move { Ok((set_many(&bucket?, pairs).await.map_err(|e| told(&e)),)) })
            },
        )?;
        batch.func_wrap_async(
            "delete-many",
            |mut store, (bucket, keys): (Resource<Bucket>, Vec<Arc<str>>)| {
                let bucket = Bucket::of(&mut store, &bucket);
                Box::new(async move { Ok((delete_many(&bucket?, keys).await.map_err(|e| told(&e)),)) })
            },
        )?;
    }
    linker.instance(&format!("wasi:keyvalue/batch@{DRAFT}"))?.func_wrap_async(
        "get-many",
        |mut store, (bucket, keys): (Resource<Bucket>, Vec<Arc<str>>)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move {
                let found = get_many(&bucket?, &keys).await.map_err(|e| told(&e));
                let pairs = |found: Vec<Option<Bytes>>| -> Vec<Option<(Arc<str>, Bytes)>> {
                    keys.iter().zip(found).map(|(key, value)| Some((Arc::clone(key), value?))).collect()
                };
                Ok((found.map(pairs),))
            })
        },
    )?;
    linker
        .instance(&format!("wasi:keyvalue/batch@{DRAFT2}"))?
        .func_new_async("get-many", |store, ty, params, results| Box::new(answer(store, ty, params, results)))
}

/// How the guest's types want the answer.
#[derive(Clone, Copy)]
enum Form {
    Pairs,
    Keys,
}

async fn answer<T: WasiStoresView>(
    mut store: StoreContextMut<'_, T>,
    ty: types::ComponentFunc,
    params: &[Val],
    results: &mut [Val],
) -> Result<()> {
    let Some(form) = form(&ty) else {
        bail!("`wasi:keyvalue/batch@{DRAFT2}#get-many` is imported with types of no draft that larder knows");
    };
    let ([Val::Resource(handle), Val::List(keys)], [result]) = (params, results) else {
        bail!("`get-many` is called with other arguments than a bucket and keys");
    };
    let handle = handle.try_into_resource::<Bucket>(&mut store)?;
    let bucket = Bucket::of(&mut store, &handle)?;
    let texts = keys.iter().map(|key| match key {
        Val::String(key) => Ok(Arc::from(key.as_str())),
        _ => bail!("a key is no text"),
    });
    let keys = texts.collect::<Result<Vec<Arc<str>>>>()?;
    *result = match get_many(&bucket, &keys).await {
        Ok(found) => {
            let entries = keys.iter().zip(found).map(|(key, value)| entry(form, key, value));
            Val::Result(Ok(Some(Box::new(Val::List(entries.collect())))))
        }
        Err(error) => Val::Result(Err(Some(Box::new(error_value(told(&error)))))),
    };
    Ok(())
}

fn form(ty: &types::ComponentFunc) -> Option<Form> {
    let types::Type::Result(result) = ty.results().next()? else { return None };
    let types::Type::List(list) = result.ok()? else { return None };
    match list.ty() {
        types::Type::Option(_) => Some(Form::Pairs),
        types::Type::Tuple(_) => Some(Form::Keys),
        _ => None,
    }
}

fn entry(form: Form, key: &Arc<str>, value: Option<Bytes>) -> Val {
    let key = Val::String(key.as_ref().to_owned());
    let value = value.map(|value| Val::List(value.iter().map(|byte| Val::U8(*byte)).collect()));
    match form {
        Form::Pairs => Val::Option(value.map(|value| Box::new(Val::Tuple(vec![key, value])))),
        Form::Keys => Val::Tuple(vec![key, Val::Option(value.map(Box::new))]),
    }
}

fn error_value(error: StoreError) -> Val {
    let (case, payload) = match error {
        StoreError::NoSuchStore => ("no-such-store", None),
        StoreError::AccessDenied => ("access-denied", None),
        StoreError::Other(message) => ("other", Some(Box::new(Val::String(message)))),
    };
    Val::Variant(case.to_owned(), payload)
}

async fn get_many(bucket: &Bucket, keys: &[Arc<str>]) -> LarderResult<Vec<Option<Bytes>>> {
    let keys = keys.iter().cloned().map(Key::new).collect::<LarderResult<Vec<Key>>>()?;
    let mut values = Vec::with_capacity(keys.len());
    let mut bytes = 0;
    for portion in keys.chunks(GET_MANY_PORTION) {
        let found = bucket.store.get_many(portion).await?;
        bytes += found.iter().flatten().map(|entry| entry.value.len()).sum::<usize>();
        if bytes > GET_MANY_BYTES_MAX {
            let message =
                format!("the values have more than {GET_MANY_BYTES_MAX} bytes; ask for fewer at once");
            return Err(Error::invalid(message));
        }
        values.extend(found.into_iter().map(|entry| entry.map(|entry| entry.value)));
    }
    Ok(values)
}

/// Of a key that occurs twice the later value counts.
async fn set_many(bucket: &Bucket, pairs: Vec<(Arc<str>, Bytes)>) -> LarderResult<()> {
    let mut last = BTreeMap::new();
    for (key, value) in pairs {
        last.insert(Key::new(key)?, value);
    }
    let mut portions = Portions::new(bucket);
    for (key, value) in last {
        let bytes = key.len() + value.len();
        portions.write(bytes, |commit| commit.put(key, value)).await?;
    }
    portions.end().await
}

async fn delete_many(bucket: &Bucket, keys: Vec<Arc<str>>) -> LarderResult<()> {
    let mut keys = keys.into_iter().map(Key::new).collect::<LarderResult<Vec<Key>>>()?;
    keys.sort();
    keys.dedup();
    let mut portions = Portions::new(bucket);
    for key in keys {
        portions.write(key.len(), |commit| commit.delete(key)).await?;
    }
    portions.end().await
}

/// Writes, gathered into as few commits as the store takes.
struct Portions<'b> {
    bucket: &'b Bucket,
    items_max: usize,
    commit: Commit,
    bytes: usize,
}

impl<'b> Portions<'b> {
    fn new(bucket: &'b Bucket) -> Self {
        let has_transactions = bucket.store.describe().capabilities.contains(Capabilities::TRANSACTIONS);
        let items_max = if has_transactions { COMMIT_ITEMS_MAX } else { 1 };
        Self { bucket, items_max, commit: Commit::new(), bytes: 0 }
    }

    async fn write(&mut self, bytes: usize, add: impl FnOnce(Commit) -> Commit) -> LarderResult<()> {
        if self.commit.writes.len() == self.items_max || self.bytes + bytes > COMMIT_BYTES_MAX {
            self.end().await?;
        }
        self.commit = add(std::mem::take(&mut self.commit));
        self.bytes += bytes;
        Ok(())
    }

    async fn end(&mut self) -> LarderResult<()> {
        if self.commit.writes.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        self.bucket.store.commit(&std::mem::take(&mut self.commit)).await.map(drop)
    }
}
