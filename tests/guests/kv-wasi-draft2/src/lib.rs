//! A store in memory by the second draft of `wasi:keyvalue`, as somebody who never heard of larder would write it.

use std::{cell::RefCell, collections::BTreeMap, ops::Bound};

mod draft {
    wit_bindgen::generate!({ path: "wit", world: "provider", generate_all });
}

use draft::{
    exports::wasi::keyvalue::{
        atomics::{self, Cas, CasError, GuestCas},
        batch,
        store::{self, BucketBorrow, Error, GuestBucket, KeyResponse},
    },
    wasi::config::store as config,
};

/// How many keys a listing answers at once.
const KEYS_MAX: usize = 100;

thread_local! {
    static ENTRIES: RefCell<BTreeMap<String, Vec<u8>>> = RefCell::default();
}

fn read(key: &str) -> Option<Vec<u8>> {
    ENTRIES.with_borrow(|entries| entries.get(key).cloned())
}

struct Provider;

/// There is one bucket, `default`, or as the setting `name` has it.
struct Bucket;

/// A key with the value that it had.
struct Swap {
    key: String,
    seen: Option<Vec<u8>>,
}

impl Swap {
    fn handle(key: String) -> Cas {
        let seen = read(&key);
        Cas::new(Self { key, seen })
    }
}

impl store::Guest for Provider {
    type Bucket = Bucket;

    fn open(identifier: String) -> Result<store::Bucket, Error> {
        let named = config::get("name").map_err(|error| Error::Other(format!("{error:?}")))?;
        let own = named.as_deref().unwrap_or("default");
        if identifier == own { Ok(store::Bucket::new(Bucket)) } else { Err(Error::NoSuchStore) }
    }
}

impl GuestBucket for Bucket {
    fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        Ok(read(&key))
    }

    fn set(&self, key: String, value: Vec<u8>) -> Result<(), Error> {
        ENTRIES.with_borrow_mut(|entries| entries.insert(key, value));
        Ok(())
    }

    fn delete(&self, key: String) -> Result<(), Error> {
        ENTRIES.with_borrow_mut(|entries| entries.remove(&key));
        Ok(())
    }

    fn exists(&self, key: String) -> Result<bool, Error> {
        ENTRIES.with_borrow(|entries| Ok(entries.contains_key(&key)))
    }

    fn list_keys(&self, cursor: Option<String>) -> Result<KeyResponse, Error> {
        ENTRIES.with_borrow(|entries| {
            let after = cursor.map_or(Bound::Unbounded, Bound::Excluded);
            let keys: Vec<String> =
                entries.range((after, Bound::Unbounded)).take(KEYS_MAX).map(|(key, _)| key.clone()).collect();
            let cursor = keys.last().filter(|_| keys.len() == KEYS_MAX).cloned();
            Ok(KeyResponse { keys, cursor })
        })
    }
}

impl GuestCas for Swap {
    fn new(_: BucketBorrow<'_>, key: String) -> Result<Cas, Error> {
        Ok(Swap::handle(key))
    }

    fn current(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.seen.clone())
    }
}

impl atomics::Guest for Provider {
    type Cas = Swap;

    fn increment(_: BucketBorrow<'_>, _: String, _: i64) -> Result<i64, Error> {
        // Not all that export this have it, and the host must not need it.
        Err(Error::Other("there are no increments here".to_owned()))
    }

    fn swap(cas: Cas, value: Vec<u8>) -> Result<(), CasError> {
        let Swap { key, seen } = cas.into_inner();
        if read(&key) != seen {
            return Err(CasError::CasFailed(Swap::handle(key)));
        }
        ENTRIES.with_borrow_mut(|entries| entries.insert(key, value));
        Ok(())
    }
}

impl batch::Guest for Provider {
    fn get_many(_: BucketBorrow<'_>, keys: Vec<String>) -> Result<Vec<(String, Option<Vec<u8>>)>, Error> {
        Ok(keys.into_iter().map(|key| (key.clone(), read(&key))).collect())
    }

    fn set_many(_: BucketBorrow<'_>, key_values: Vec<(String, Vec<u8>)>) -> Result<(), Error> {
        ENTRIES.with_borrow_mut(|entries| entries.extend(key_values));
        Ok(())
    }

    fn delete_many(_: BucketBorrow<'_>, keys: Vec<String>) -> Result<(), Error> {
        ENTRIES.with_borrow_mut(|entries| entries.retain(|key, _| !keys.contains(key)));
        Ok(())
    }
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "what the generated macro expands to")]
mod exported {
    use super::{Provider, draft};

    draft::export!(Provider with_types_in draft);
}
