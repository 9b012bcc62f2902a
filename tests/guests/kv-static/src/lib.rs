//! A backend of fixed data that any number of instances may serve: `0` to `999`, each with 100 bytes. For the
//! bench of a pool; it can't be written.

use std::collections::HashMap;

use larder_sdk::kv::{self, Check, Description, Entry, Features, KvBackend, Outcome, Page, Scan, Write};
use larder_sdk::{Error, Result, Settings};

/// The plugin.
#[derive(Debug)]
pub struct KvStatic(HashMap<String, Vec<u8>>);

impl KvBackend for KvStatic {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self((0..1_000).map(|n| (n.to_string(), vec![b'x'; 100])).collect()))
    }

    fn describe(&self) -> Description {
        kv::description(Features::empty())
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.0.get(key).map(|value| Entry { value: value.clone(), version: 0, expires_in_ms: None }))
    }

    fn scan(&mut self, _scan: &Scan) -> Result<Page> {
        Err(Error::Unsupported("scan".into()))
    }

    fn commit(&mut self, _checks: Vec<Check>, _writes: Vec<Write>) -> Result<Vec<Outcome>> {
        Err(Error::Denied("the data is fixed".into()))
    }
}

larder_sdk::export_kv_backend!(KvStatic);
