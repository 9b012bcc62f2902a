//! The index: where in the log each live entry lies.
//!
//! The one invariant: it holds exactly what a replay of the log would make of it, but for expired entries that were
//! swept. Small values stay in memory beside their place, up to a budget.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map},
    ops::Bound,
};

use super::record;

/// Values up to this size are kept in memory, as long as [`Index::resident_bytes_max`] allows.
const RESIDENT_VALUE_BYTES_MAX: usize = 512;

/// What an entry costs in memory besides its key and value: nodes, lengths, the slot. An estimate from above.
const ENTRY_BYTES: u64 = 128;

/// Where an entry lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) segment: u64,
    pub(crate) value_at: u64,
    pub(crate) value_bytes: usize,
    pub(crate) value_sum: u32,
    pub(crate) version: u64,
    pub(crate) expires_at: Option<u64>,
    /// The value, where it is small.
    pub(crate) resident: Option<Box<[u8]>>,
}

impl Slot {
    /// Whether it can be returned at `now`.
    pub(crate) fn is_live(&self, now: u64) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// Slots by key.
#[derive(Debug, Default)]
pub(crate) struct Index {
    slots: BTreeMap<String, Slot>,
    expiries: BTreeSet<(u64, String)>,
    live_bytes: u64,
    memory_bytes: u64,
    resident_bytes: u64,
    resident_bytes_max: u64,
}

impl Index {
    pub(crate) fn new(resident_bytes_max: u64) -> Self {
        Self { resident_bytes_max, ..Self::default() }
    }

    /// What the live entries take in the log.
    pub(crate) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// About what the index takes in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    /// The slot of a key, expired or not.
    pub(crate) fn get(&self, key: &str) -> Option<&Slot> {
        self.slots.get(key)
    }

    /// Slots from `start` (inclusive) to `end` (exclusive, above `start`).
    pub(crate) fn range(&self, start: &str, end: Option<&str>) -> btree_map::Range<'_, String, Slot> {
        let end = end.map_or(Bound::Unbounded, Bound::Excluded);
        self.slots.range::<str, _>((Bound::Included(start), end))
    }

    /// Puts a slot in the place of what was there; `value` is kept where it is small.
    pub(crate) fn put(&mut self, key: String, mut slot: Slot, value: &[u8]) {
        self.remove(&key);
        let resident_bytes = self.resident_bytes + value.len() as u64;
        slot.resident = None;
        if value.len() <= RESIDENT_VALUE_BYTES_MAX && resident_bytes <= self.resident_bytes_max {
            slot.resident = Some(value.into());
            self.resident_bytes = resident_bytes;
        }
        self.live_bytes += record::write_bytes(&key, slot.value_bytes);
        self.memory_bytes += memory_bytes(&key, &slot);
        if let Some(at) = slot.expires_at {
            self.expiries.insert((at, key.clone()));
        }
        self.slots.insert(key, slot);
    }

    /// The same entry lies elsewhere now.
    pub(crate) fn moved(&mut self, key: &str, segment: u64, value_at: u64) {
        if let Some(slot) = self.slots.get_mut(key) {
            (slot.segment, slot.value_at) = (segment, value_at);
        }
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, key: &str) {
        let Some((key, slot)) = self.slots.remove_entry(key) else { return };
        self.live_bytes -= record::write_bytes(&key, slot.value_bytes);
        self.memory_bytes -= memory_bytes(&key, &slot);
        self.resident_bytes -= slot.resident.as_ref().map_or(0, |value| value.len() as u64);
        if let Some(at) = slot.expires_at {
            self.expiries.remove(&(at, key));
        }
    }

    /// Forgets up to `limit` expired entries.
    pub(crate) fn sweep(&mut self, now: u64, limit: usize) {
        for _ in 0..limit {
            match self.expiries.first() {
                Some((at, key)) if *at <= now => {
                    let key = key.clone();
                    self.remove(&key);
                }
                _ => return,
            }
        }
    }
}

fn memory_bytes(key: &str, slot: &Slot) -> u64 {
    let expiry = if slot.expires_at.is_some() { key.len() as u64 + ENTRY_BYTES / 2 } else { 0 };
    ENTRY_BYTES + key.len() as u64 + expiry + slot.resident.as_ref().map_or(0, |value| value.len() as u64)
}
