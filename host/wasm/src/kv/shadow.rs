//! Reads that two generations of a key-value plugin are asked, and what is a difference between their answers.

use std::{sync::Arc, time::Duration};

use larder_core::{Capabilities, Entry, Key, Result, Scan, Timestamp};

use super::{Get, GetMany, KvDescription};
use crate::{bindings::kv::KvExports, generation::Generation, swap::ask};

/// How far two looks at one expiry may be apart: a plugin says what is left, and each look is at its own moment.
const EXPIRY_TOLERANCE: Duration = Duration::from_secs(2);

/// A read.
#[derive(Debug, Clone)]
pub(crate) enum KvProbe {
    Get(Key),
    GetMany(Vec<Key>),
    Scan(Scan),
}

type Found = (Option<Key>, Option<Entry>);

/// What was found, in its order; a scan says where it goes on.
#[derive(Debug)]
pub(crate) struct KvAnswer {
    found: Vec<Found>,
    next: Option<Key>,
}

pub(super) async fn answer(generation: &Arc<Generation<KvExports>>, probe: &KvProbe) -> Result<KvAnswer> {
    let by_position = |found: Vec<Option<Entry>>| KvAnswer {
        found: found.into_iter().map(|entry| (None, entry)).collect(),
        next: None,
    };
    match probe {
        KvProbe::Get(key) => Ok(by_position(vec![ask(generation, Get(key.clone())).await?])),
        KvProbe::GetMany(keys) => Ok(by_position(ask(generation, GetMany(keys.clone())).await?)),
        KvProbe::Scan(scan) => {
            let page = ask(generation, scan.clone()).await?;
            let found = page.entries.into_iter().map(|(key, entry)| (Some(key), Some(entry))).collect();
            Ok(KvAnswer { found, next: page.next })
        }
    }
}

pub(super) fn name(probe: &KvProbe) -> (&'static str, &str) {
    match probe {
        KvProbe::Get(key) => ("get", key),
        KvProbe::GetMany(keys) => ("get_many", keys.first().map_or("", |key| key)),
        KvProbe::Scan(scan) => ("scan", &scan.range.start),
    }
}

/// Versions mean something where both generations have them: they are the data's then, not an instance's.
pub(super) fn difference(
    about: (&KvDescription, &KvDescription),
    old: &KvAnswer,
    new: &KvAnswer,
) -> Option<&'static str> {
    let has = |about: &KvDescription, what| about.store.capabilities.contains(what);
    let both = |what| has(about.0, what) && has(about.1, what);
    if old.found.len() != new.found.len() {
        return Some("number of entries");
    }
    let differs = |((old_key, old), (new_key, new)): (&Found, &Found)| {
        if old_key != new_key {
            return Some("keys");
        }
        match (old, new) {
            (None, None) => None,
            (Some(old), Some(new)) if old.value != new.value => Some("value"),
            (Some(old), Some(new)) if !same_expiry(old.expires_at, new.expires_at) => Some("expiry"),
            (Some(old), Some(new)) if both(Capabilities::VERSIONS) && old.version != new.version => {
                Some("version")
            }
            (Some(_), Some(_)) => None,
            _ => Some("presence"),
        }
    };
    let different = old.found.iter().zip(&new.found).find_map(differs);
    // Pages may end where they like; only a page that is the last must be that in both.
    different.or_else(|| (old.next.is_some() != new.next.is_some()).then_some("end of the range"))
}

fn same_expiry(old: Option<Timestamp>, new: Option<Timestamp>) -> bool {
    match (old, new) {
        (None, None) => true,
        (Some(Timestamp(old)), Some(Timestamp(new))) => {
            u128::from(old.abs_diff(new)) <= EXPIRY_TOLERANCE.as_millis()
        }
        _ => false,
    }
}
