//! A layer that passes everything on: what a hop costs, and the least that a layer is.

use larder_sdk::kv::{Check, Description, Entry, KvLayer, NextKv, Outcome, Page, Scan, Write};
use larder_sdk::{Result, Settings, export_kv_layer};

/// The plugin.
#[derive(Debug)]
pub struct KvPass;

impl KvLayer for KvPass {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self)
    }

    fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
        next.describe()
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
        next.commit(&checks, &writes)
    }
}

export_kv_layer!(KvPass);
