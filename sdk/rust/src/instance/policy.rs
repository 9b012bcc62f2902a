//! Adapters of cache and merge policies.

use std::marker::PhantomData;

use super::cell::{self, Hosted, Started};
use crate::{
    Result, Settings,
    bindings::{
        lifecycle::exports::larder::store::lifecycle, merge::exports::larder::store::merge,
        policy::exports::larder::store::policy,
    },
    merge::MergePolicy,
    policy::{Batch, CachePolicy, Insert, Limits, Slot},
};

/// Adapts a [`CachePolicy`].
#[derive(Debug)]
pub struct PolicyExport<P>(PhantomData<P>);

impl<P: CachePolicy + Hosted<Description = ()>> lifecycle::Guest for PolicyExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| Ok(Started { plugin: P::configure(Settings::new(settings))?, description: () }))
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

impl<P: CachePolicy + Hosted<Description = ()>> policy::Guest for PolicyExport<P> {
    fn resize(limits: Limits) -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.resize(limits))
    }

    fn observe(batch: Batch) {
        cell::call_infallible::<P, _>(|plugin| plugin.observe(batch));
    }

    fn admit(candidates: Vec<Insert>) -> Vec<bool> {
        cell::call_infallible::<P, _>(|plugin| plugin.admit(&candidates))
    }

    fn victims(bytes: u64, max: u32) -> Vec<Slot> {
        cell::call_infallible::<P, _>(|plugin| plugin.victims(bytes, max))
    }
}

/// Adapts a [`MergePolicy`].
#[derive(Debug)]
pub struct MergePolicyExport<P>(PhantomData<P>);

impl<P: MergePolicy + Hosted<Description = ()>> lifecycle::Guest for MergePolicyExport<P> {
    fn configure(settings: Vec<(String, String)>) -> Result<()> {
        cell::start::<P>(|| Ok(Started { plugin: P::configure(Settings::new(settings))?, description: () }))
    }

    fn health() -> Result<()> {
        cell::call::<P, _>(|started| started.plugin.health())
    }
}

impl<P: MergePolicy + Hosted<Description = ()>> merge::Guest for MergePolicyExport<P> {
    fn merge(key: String, base: Option<Vec<u8>>, ours: Vec<u8>, theirs: Vec<u8>) -> Result<Option<Vec<u8>>> {
        cell::call::<P, _>(|started| started.plugin.merge(&key, base, ours, theirs))
    }
}
