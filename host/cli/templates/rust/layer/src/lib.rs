//! A key-value layer that refuses values that are too large, and passes everything else on.
//!
//! A plugin has one thread and is never entered twice, so that every method has `&mut self` and nothing is locked.

use larder_sdk::kv::{
    Change, Check, Description, Entry, KvLayer, NextKv, Outcome, Page, Put, Scan, VALUE_BYTES_MAX, Write,
};
use larder_sdk::{Error, Result, Settings};

/// The setting that says how large a value may be.
const VALUE_BYTES_MAX_SETTING: &str = "value-bytes-max";

/// The plugin.
#[derive(Debug)]
struct Guard {
    value_bytes_max: u32,
}

impl KvLayer for Guard {
    fn configure(mut settings: Settings) -> Result<Self> {
        let value_bytes_max = settings.parse(VALUE_BYTES_MAX_SETTING)?.unwrap_or(VALUE_BYTES_MAX);
        // What was not taken is refused by name.
        settings.finish()?;
        Ok(Self { value_bytes_max })
    }

    fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
        let mut description = next.describe()?;
        description.max_value_bytes = description.max_value_bytes.min(self.value_bytes_max);
        Ok(description)
    }

    fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
        next.get(key)
    }

    fn get_many(&mut self, next: &dyn NextKv, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        next.get_many(keys)
    }

    fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
        next.scan(scan)
    }

    fn commit(&mut self, next: &dyn NextKv, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        for Write { key, change } in &writes {
            if let Change::Put(Put { value, .. }) = change
                && value.len() > self.value_bytes_max as usize
            {
                let (bytes, max) = (value.len(), self.value_bytes_max);
                return Err(Error::invalid(format!("the value of `{key}` has {bytes} bytes, more than {max}")));
            }
        }
        next.commit(&checks, &writes)
    }
}

larder_sdk::export_kv_layer!(Guard);

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use larder_sdk::kv::{self, Features};

    use super::*;

    /// The store behind: it counts what arrives.
    #[derive(Default)]
    struct Next {
        writes: RefCell<Vec<Write>>,
    }

    impl NextKv for Next {
        fn describe(&self) -> Result<Description> {
            Ok(kv::description(Features::all()))
        }

        fn get(&self, _key: &str) -> Result<Option<Entry>> {
            Ok(None)
        }

        fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
            Ok(vec![None; keys.len()])
        }

        fn scan(&self, _scan: &Scan) -> Result<Page> {
            Ok(Page { entries: vec![], next: None })
        }

        fn commit(&self, _checks: &[Check], writes: &[Write]) -> Result<Vec<Outcome>> {
            self.writes.borrow_mut().extend_from_slice(writes);
            Ok(vec![Outcome::Written(1); writes.len()])
        }
    }

    fn put(value: &str) -> Vec<Write> {
        vec![Write { key: "a".into(), change: Change::Put(Put { value: value.into(), ttl_ms: None }) }]
    }

    #[test]
    fn a_value_that_is_too_large_never_arrives() {
        let (next, mut guard) = (Next::default(), Guard { value_bytes_max: 3 });
        assert!(matches!(guard.commit(&next, vec![], put("four")), Err(Error::Invalid(_))));
        assert!(next.writes.borrow().is_empty());
        assert_eq!(guard.commit(&next, vec![], put("six")), Ok(vec![Outcome::Written(1)]));
        assert_eq!(*next.writes.borrow(), put("six"));
    }

    #[test]
    fn the_limit_is_declared_and_never_raised() {
        let next = Next::default();
        assert_eq!(Guard { value_bytes_max: 3 }.describe(&next).unwrap().max_value_bytes, 3);
        assert_eq!(Guard { value_bytes_max: u32::MAX }.describe(&next).unwrap().max_value_bytes, VALUE_BYTES_MAX);
    }

    #[test]
    fn a_setting_that_is_no_number_is_refused_by_name() {
        let why = Guard::configure(Settings::from([(VALUE_BYTES_MAX_SETTING, "much")])).unwrap_err();
        assert!(matches!(why, Error::Invalid(text) if text.contains(VALUE_BYTES_MAX_SETTING)));
    }
}
