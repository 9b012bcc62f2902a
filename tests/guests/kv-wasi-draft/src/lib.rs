//! A store in memory by the first draft of `wasi:keyvalue`, as somebody who never heard of larder would write it.

use std::{cell::RefCell, collections::HashMap};

mod draft {
    wit_bindgen::generate!({ path: "wit", world: "provider" });
}

use draft::exports::wasi::keyvalue::{
    atomics, batch,
    store::{self, BucketBorrow, Error, GuestBucket, KeyResponse},
};

/// How many keys a listing answers at once.
const KEYS_MAX: usize = 100;

thread_local! {
    static ENTRIES: RefCell<HashMap<String, Vec<u8>>> = RefCell::default();
}

struct Provider;

/// There is one bucket, `default`.
struct Bucket;

impl store::Guest for Provider {
    type Bucket = Bucket;

    fn open(identifier: String) -> Result<store::Bucket, Error> {
        if identifier == "default" { Ok(store::Bucket::new(Bucket)) } else { Err(Error::NoSuchStore) }
    }
}

impl GuestBucket for Bucket {
    fn get(&self, key: String) -> Result<Option<Vec<u8>>, Error> {
        ENTRIES.with_borrow(|entries| Ok(entries.get(&key).cloned()))
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

    fn list_keys(&self, cursor: Option<u64>) -> Result<KeyResponse, Error> {
        ENTRIES.with_borrow(|entries| {
            let start = usize::try_from(cursor.unwrap_or(0)).unwrap_or(usize::MAX);
            let keys: Vec<String> = entries.keys().skip(start).take(KEYS_MAX).cloned().collect();
            let end = start.saturating_add(keys.len());
            Ok(KeyResponse { keys, cursor: (end < entries.len()).then_some(end as u64) })
        })
    }
}

impl atomics::Guest for Provider {
    fn increment(_: BucketBorrow<'_>, key: String, delta: u64) -> Result<u64, Error> {
        ENTRIES.with_borrow_mut(|entries| {
            let stored = entries.get(&key).map_or(Ok(0), |value| {
                String::from_utf8_lossy(value).parse::<u64>().map_err(|e| Error::Other(e.to_string()))
            })?;
            let sum = stored.checked_add(delta).ok_or_else(|| Error::Other("too large".to_owned()))?;
            entries.insert(key, sum.to_string().into_bytes());
            Ok(sum)
        })
    }
}

impl batch::Guest for Provider {
    fn get_many(_: BucketBorrow<'_>, keys: Vec<String>) -> Result<Vec<Option<(String, Vec<u8>)>>, Error> {
        ENTRIES.with_borrow(|entries| {
            let one = |key: String| entries.get(&key).cloned().map(|value| (key, value));
            Ok(keys.into_iter().map(one).collect())
        })
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
