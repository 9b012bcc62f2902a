//! Adapters of key-value backends and layers.

use std::marker::PhantomData;

use super::cell::{self, Hosted, Started};
use crate::{
    Error, Result, Settings,
    bindings::{
        kv::{exports::larder::store::kv as exported, larder::store::kv as imported},
        lifecycle::exports::larder::store::lifecycle,
    },
    kv::{
        Check, Description, Entry, Features, ITEMS_MAX, KvBackend, KvLayer, NextKv, Outcome, Page, Scan,
        Write, refuse_undeclared,
    },
};

/// Adapts a [`KvBackend`].
#[derive(Debug)]
pub struct KvBackendExport<P>(PhantomData<P>);

impl<P: KvBackend + Hosted<Description = Description>> lifecycle::Guest for KvBackendExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| {
            let plugin = P::configure(Settings::new(settings))?;
            let description = plugin.describe();
            Ok(Started { plugin, description })
        })
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

impl<P: KvBackend + Hosted<Description = Description>> exported::Guest for KvBackendExport<P> {
    fn describe() -> Result<Description> {
        cell::call::<P, _>(|started| Ok(started.description))
    }

    fn get(key: String) -> Result<Option<Entry>> {
        cell::call::<P, _>(|started| {
            started.description.check_key(&key)?;
            started.plugin.get(&key)
        })
    }

    fn get_many(keys: Vec<String>) -> Result<Vec<Option<Entry>>> {
        cell::call::<P, _>(|started| {
            check_many(&started.description, &keys)?;
            started.plugin.get_many(&keys)
        })
    }

    fn scan(start: String, end: Option<String>, limit: u32, keys_only: bool) -> Result<Page> {
        cell::call::<P, _>(|started| {
            if !started.description.features.contains(Features::SCAN) {
                return Err(Error::unsupported("this backend can't scan"));
            }
            if limit == 0 {
                return Err(Error::invalid("a scan of at most 0 entries"));
            }
            started.plugin.scan(&Scan { start, end, limit, keys_only })
        })
    }

    fn commit(checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        cell::call::<P, _>(|started| {
            refuse_undeclared(&started.description, &checks, &writes)?;
            started.plugin.commit(checks, writes)
        })
    }
}

fn check_many(description: &Description, keys: &[String]) -> Result<()> {
    if keys.len() > ITEMS_MAX {
        return Err(Error::invalid(format!("{} keys at once, more than {ITEMS_MAX}", keys.len())));
    }
    keys.iter().try_for_each(|key| description.check_key(key))
}

/// Adapts a [`KvLayer`].
#[derive(Debug)]
pub struct KvLayerExport<P>(PhantomData<P>);

impl<P: KvLayer + Hosted<Description = ()>> lifecycle::Guest for KvLayerExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| Ok(Started { plugin: P::configure(Settings::new(settings))?, description: () }))
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

impl<P: KvLayer + Hosted<Description = ()>> exported::Guest for KvLayerExport<P> {
    fn describe() -> Result<Description> {
        cell::call::<P, _>(|started| started.plugin.describe(&HostKv))
    }

    fn get(key: String) -> Result<Option<Entry>> {
        cell::call::<P, _>(|started| started.plugin.get(&HostKv, &key))
    }

    fn get_many(keys: Vec<String>) -> Result<Vec<Option<Entry>>> {
        cell::call::<P, _>(|started| started.plugin.get_many(&HostKv, &keys))
    }

    fn scan(start: String, end: Option<String>, limit: u32, keys_only: bool) -> Result<Page> {
        let scan = Scan { start, end, limit, keys_only };
        cell::call::<P, _>(|started| started.plugin.scan(&HostKv, &scan))
    }

    fn commit(checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        cell::call::<P, _>(|started| started.plugin.commit(&HostKv, checks, writes))
    }
}

/// The store that the host linked behind this layer.
struct HostKv;

impl NextKv for HostKv {
    fn describe(&self) -> Result<Description> {
        imported::describe()
    }

    fn get(&self, key: &str) -> Result<Option<Entry>> {
        imported::get(key)
    }

    fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        imported::get_many(keys)
    }

    fn scan(&self, scan: &Scan) -> Result<Page> {
        imported::scan(&scan.start, scan.end.as_deref(), scan.limit, scan.keys_only)
    }

    fn commit(&self, checks: &[Check], writes: &[Write]) -> Result<Vec<Outcome>> {
        imported::commit(checks, writes)
    }
}
