//! `wasi:keyvalue/store`, in both drafts: they differ in what a listing goes on from.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use larder_core::{
    Capabilities, Commit, Error, ErrorKind, Key, KeyRange, KvStore, Outcome, Result as LarderResult, Scan,
};
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType},
};

use super::WasiStoresView;
use crate::bindings::wasi::{KeyResponse, StoreError};

/// The drafts' versions.
pub(super) const DRAFT: &str = "0.2.0-draft";
pub(super) const DRAFT2: &str = "0.2.0-draft2";

/// Listings of a bucket that can be gone on with by number; the oldest is forgotten for another.
const CURSORS_MAX: usize = 16;

/// What a function of `wasi:keyvalue` answers.
pub(super) type Answer<T> = (std::result::Result<T, StoreError>,);

/// A store that a guest opened.
#[derive(Clone)]
pub(super) struct Bucket {
    name: Arc<str>,
    pub(super) store: Arc<dyn KvStore>,
    cursors: Arc<Mutex<Cursors>>,
}

/// Where listings go on, by number.
#[derive(Default)]
struct Cursors {
    next: u64,
    known: VecDeque<(u64, Key)>,
}

impl Bucket {
    pub(super) fn new(name: Arc<str>, store: Arc<dyn KvStore>) -> Self {
        Self { name, store, cursors: Arc::default() }
    }

    /// The bucket behind a handle; one that is none is a trap.
    pub(super) fn of<T: WasiStoresView>(
        store: &mut StoreContextMut<'_, T>,
        handle: &Resource<Bucket>,
    ) -> Result<Self> {
        Ok(store.data_mut().stores().table.get(handle)?.clone())
    }

    /// Refuses what the store has no power for.
    pub(super) fn require(&self, needed: Capabilities, what: &str) -> std::result::Result<(), StoreError> {
        if self.store.describe().capabilities.contains(needed) {
            return Ok(());
        }
        let name = &self.name;
        Err(StoreError::Other(format!("the store `{name}` can't {what}: its backend has no {needed}")))
    }

    /// Applies a commit of one write.
    pub(super) async fn write(&self, commit: Commit) -> LarderResult<Outcome> {
        let outcomes = self.store.commit(&commit).await?;
        let first = outcomes.into_iter().next();
        first.ok_or_else(|| Error::new(ErrorKind::Plugin, "the store answered nothing to a write"))
    }

    async fn page(&self, from: Option<Key>) -> LarderResult<(Vec<Arc<str>>, Option<Key>)> {
        let whole = KeyRange::prefix("");
        let range = match from {
            Some(from) => whole.resume(&from),
            None => whole,
        };
        let page = self.store.scan(&Scan::new(range).keys_only()).await?;
        Ok((page.entries.into_iter().map(|(key, _)| key.into_inner()).collect(), page.next))
    }

    fn cursors(&self) -> std::sync::MutexGuard<'_, Cursors> {
        self.cursors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a listing goes on from, as a draft has it.
pub(super) trait Cursor: ComponentType + Lift + Lower + Send + Sync + Sized + 'static {
    /// The key that it stands for.
    fn key(self, bucket: &Bucket) -> std::result::Result<Key, StoreError>;
    /// What stands for a key.
    fn of(key: Key, bucket: &Bucket) -> Self;
}

impl Cursor for String {
    fn key(self, _: &Bucket) -> std::result::Result<Key, StoreError> {
        Key::new(self).map_err(|error| told(&error))
    }

    fn of(key: Key, _: &Bucket) -> Self {
        key.as_str().to_owned()
    }
}

impl Cursor for u64 {
    fn key(self, bucket: &Bucket) -> std::result::Result<Key, StoreError> {
        let cursors = bucket.cursors();
        let known = cursors.known.iter().find(|(number, _)| *number == self).map(|(_, key)| key.clone());
        known
            .ok_or_else(|| StoreError::Other("this cursor is not known any more; list from the start".into()))
    }

    fn of(key: Key, bucket: &Bucket) -> Self {
        let mut cursors = bucket.cursors();
        cursors.next += 1;
        let number = cursors.next;
        cursors.known.push_back((number, key));
        if cursors.known.len() > CURSORS_MAX {
            cursors.known.pop_front();
        }
        number
    }
}

/// Links both drafts.
pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    link::<T, u64>(linker, DRAFT)?;
    link::<T, String>(linker, DRAFT2)
}

fn link<T: WasiStoresView, C: Cursor>(linker: &mut Linker<T>, draft: &str) -> Result<()> {
    let mut store = linker.instance(&format!("wasi:keyvalue/store@{draft}"))?;
    store.resource("bucket", ResourceType::host::<Bucket>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<Bucket>::new_own(rep))?;
        Ok(())
    })?;
    store.func_wrap("open", open::<T>)?;
    store.func_wrap_async(
        "[method]bucket.get",
        |mut store, (bucket, key): (Resource<Bucket>, Arc<str>)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((get(&bucket?, key).await.map_err(|e| told(&e)),)) })
        },
    )?;
    store.func_wrap_async(
        "[method]bucket.set",
        |mut store, (bucket, key, value): (Resource<Bucket>, Arc<str>, Bytes)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((set(&bucket?, key, value).await.map_err(|e| told(&e)),)) })
        },
    )?;
    store.func_wrap_async(
        "[method]bucket.delete",
        |mut store, (bucket, key): (Resource<Bucket>, Arc<str>)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((delete(&bucket?, key).await.map_err(|e| told(&e)),)) })
        },
    )?;
    store.func_wrap_async(
        "[method]bucket.exists",
        |mut store, (bucket, key): (Resource<Bucket>, Arc<str>)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move {
                let found = get(&bucket?, key).await;
                Ok((found.map(|value| value.is_some()).map_err(|e| told(&e)),))
            })
        },
    )?;
    store.func_wrap_async(
        "[method]bucket.list-keys",
        |mut store, (bucket, cursor): (Resource<Bucket>, Option<C>)| {
            let bucket = Bucket::of(&mut store, &bucket);
            Box::new(async move { Ok((list_keys(&bucket?, cursor).await,)) })
        },
    )
}

fn open<T: WasiStoresView>(
    mut store: StoreContextMut<'_, T>,
    (identifier,): (String,),
) -> Result<Answer<Resource<Bucket>>> {
    let context = store.data_mut().stores();
    match context.stores.bucket(&identifier) {
        Some(bucket) => Ok((Ok(context.table.push(bucket)?),)),
        None => Ok((Err(StoreError::NoSuchStore),)),
    }
}

async fn get(bucket: &Bucket, key: Arc<str>) -> LarderResult<Option<Bytes>> {
    Ok(bucket.store.get(&Key::new(key)?).await?.map(|entry| entry.value))
}

async fn set(bucket: &Bucket, key: Arc<str>, value: Bytes) -> LarderResult<()> {
    bucket.write(Commit::new().put(Key::new(key)?, value)).await.map(drop)
}

async fn delete(bucket: &Bucket, key: Arc<str>) -> LarderResult<()> {
    bucket.write(Commit::new().delete(Key::new(key)?)).await.map(drop)
}

async fn list_keys<C: Cursor>(
    bucket: &Bucket,
    cursor: Option<C>,
) -> std::result::Result<KeyResponse<C>, StoreError> {
    bucket.require(Capabilities::SCAN, "list its keys")?;
    let from = cursor.map(|cursor| cursor.key(bucket)).transpose()?;
    let (keys, next) = bucket.page(from).await.map_err(|error| told(&error))?;
    Ok(KeyResponse { keys, cursor: next.map(|next| C::of(next, bucket)) })
}

/// An error, as far as a guest may know it: its message, without what belongs to the host's configuration.
pub(super) fn told(error: &Error) -> StoreError {
    if error.kind() == ErrorKind::Denied {
        return StoreError::AccessDenied;
    }
    let doubt = if error.is_effect_unknown() { " (it may have been written all the same)" } else { "" };
    StoreError::Other(format!("{}: {}{doubt}", error.kind(), error.message()))
}
