//! A store in memory, of a version of the contract that never was. The host's tests lift it to the one that is.

use std::{cell::RefCell, collections::BTreeMap};

mod first {
    wit_bindgen::generate!({ path: "wit", world: "kv-backend" });
}

use first::exports::larder::store::kv;
use first::exports::larder::store::{
    kv::{Change, Description, Entry, Expectation, Features, Outcome},
    lifecycle,
};
use first::larder::store::types::Error;

#[derive(Default)]
struct Table {
    entries: BTreeMap<String, Entry>,
    version: u64,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

struct First;

impl lifecycle::Guest for First {
    fn configure(settings: Vec<(String, String)>) -> Result<(), Error> {
        match settings.first() {
            None => Ok(()),
            Some((name, _)) => Err(Error::Invalid(format!("there is no setting `{name}`"))),
        }
    }

    fn health() -> Result<(), Error> {
        Ok(())
    }
}

impl kv::Guest for First {
    fn describe() -> Result<Description, Error> {
        Ok(Description { features: Features::all(), max_key_bytes: 2_048, max_value_bytes: 8 << 20 })
    }

    fn get(key: String) -> Result<Option<Entry>, Error> {
        TABLE.with_borrow(|table| Ok(table.entries.get(&key).cloned()))
    }

    fn scan(start: String, end: Option<String>, limit: u32) -> Result<Vec<(String, Entry)>, Error> {
        TABLE.with_borrow(|table| {
            let from = table.entries.range(start..);
            let within = from.take_while(|(key, _)| end.as_ref().is_none_or(|end| *key < end));
            Ok(within.take(limit as usize).map(|(key, entry)| (key.clone(), entry.clone())).collect())
        })
    }

    fn write(key: String, expect: Expectation, change: Option<Change>) -> Result<Option<Outcome>, Error> {
        TABLE.with_borrow_mut(|table| {
            let found = table.entries.get(&key);
            let holds = match expect {
                Expectation::Anything => true,
                Expectation::Absent => found.is_none(),
                Expectation::Present => found.is_some(),
                Expectation::Version(version) => found.is_some_and(|(_, at)| *at == version),
            };
            if !holds {
                return Err(Error::Conflict(key));
            }
            let version = table.version + 1;
            let outcome = match change {
                None => return Ok(None),
                Some(Change::Put(value)) => {
                    table.entries.insert(key, (value, version));
                    Outcome::Written(version)
                }
                Some(Change::Delete) => Outcome::Deleted(table.entries.remove(&key).is_some()),
                Some(Change::Add(delta)) => {
                    let sum = sum(found.map(|(value, _)| value.as_slice()), delta)?;
                    table.entries.insert(key, (sum.to_string().into_bytes(), version));
                    Outcome::Added(sum)
                }
            };
            table.version = version;
            Ok(Some(outcome))
        })
    }
}

fn sum(stored: Option<&[u8]>, delta: i64) -> Result<i64, Error> {
    let stored = match stored {
        None => Some(0),
        Some(value) => std::str::from_utf8(value).ok().and_then(|text| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(number)
        }),
    };
    let stored = stored.ok_or_else(|| Error::Invalid("this is no counter".to_owned()))?;
    stored.checked_add(delta).ok_or_else(|| Error::Invalid("the sum is too large".to_owned()))
}

#[cfg(target_arch = "wasm32")]
#[expect(unsafe_code, reason = "what the generated macro expands to")]
mod exported {
    use super::{First, first};

    first::export!(First with_types_in first);
}
