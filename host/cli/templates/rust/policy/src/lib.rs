//! A cache policy: what was used last stays longest.
//!
//! A plugin has one thread and is never entered twice, so that every method has `&mut self` and nothing is locked.

use std::collections::{BTreeMap, HashMap};

use larder_sdk::policy::{Batch, CachePolicy, Insert, Limits, Slot};
use larder_sdk::{Result, Settings};

/// The plugin. Each resident slot is in both tables, under the same moment.
#[derive(Debug, Default)]
struct Lru {
    /// Slots by when they were used last, and their sizes in bytes.
    by_moment: BTreeMap<u64, (Slot, u32)>,
    moments: HashMap<Slot, u64>,
    moment_last: u64,
    limits: Option<Limits>,
}

impl CachePolicy for Lru {
    fn configure(settings: Settings) -> Result<Self> {
        settings.finish()?;
        Ok(Self::default())
    }

    fn resize(&mut self, limits: Limits) -> Result<()> {
        self.limits = Some(limits);
        Ok(())
    }

    fn observe(&mut self, batch: Batch) {
        for slot in batch.removed {
            self.forget(slot);
        }
        for Insert { slot, bytes, .. } in batch.inserted {
            self.forget(slot);
            self.remember(slot, bytes);
        }
        for slot in batch.hits {
            // A hit may tell of a slot that was freed since.
            if let Some(bytes) = self.forget(slot) {
                self.remember(slot, bytes);
            }
        }
    }

    fn admit(&mut self, candidates: &[Insert]) -> Vec<bool> {
        let bytes_max = self.limits.as_ref().map_or(u64::MAX, |limits| limits.bytes_max);
        candidates.iter().map(|candidate| u64::from(candidate.bytes) <= bytes_max).collect()
    }

    fn victims(&mut self, bytes: u64, max: u32) -> Vec<Slot> {
        let (mut freed, mut victims) = (0, Vec::new());
        for (slot, size) in self.by_moment.values().take(max as usize) {
            if freed >= bytes {
                break;
            }
            freed += u64::from(*size);
            victims.push(*slot);
        }
        victims
    }
}

impl Lru {
    fn remember(&mut self, slot: Slot, bytes: u32) {
        self.moment_last += 1;
        self.by_moment.insert(self.moment_last, (slot, bytes));
        self.moments.insert(slot, self.moment_last);
    }

    /// Answers its size, where it was there.
    fn forget(&mut self, slot: Slot) -> Option<u32> {
        let moment = self.moments.remove(&slot)?;
        self.by_moment.remove(&moment).map(|(_, bytes)| bytes)
    }
}

larder_sdk::export_cache_policy!(Lru);

#[cfg(test)]
mod tests {
    use super::*;

    fn insert(slot: Slot) -> Insert {
        Insert { slot, key_hash: u64::from(slot), bytes: 10, cost_us: 0, ttl_ms: None }
    }

    fn observed(inserted: &[Slot], hits: &[Slot], removed: &[Slot]) -> Batch {
        Batch {
            removed: removed.to_vec(),
            inserted: inserted.iter().map(|slot| insert(*slot)).collect(),
            hits: hits.to_vec(),
            misses: vec![],
        }
    }

    #[test]
    fn what_was_used_last_goes_last() {
        let mut lru = Lru::default();
        lru.observe(observed(&[0, 1, 2], &[0], &[]));
        assert_eq!(lru.victims(30, 10), [1, 2, 0]);
    }

    #[test]
    fn no_more_go_than_are_needed_or_allowed() {
        let mut lru = Lru::default();
        lru.observe(observed(&[0, 1, 2], &[], &[]));
        assert_eq!(lru.victims(11, 10), [0, 1]);
        assert_eq!(lru.victims(100, 1), [0]);
    }

    #[test]
    fn a_slot_that_was_freed_is_no_victim_whatever_is_told_of_it() {
        let mut lru = Lru::default();
        lru.observe(observed(&[0, 1], &[], &[]));
        lru.observe(observed(&[], &[0], &[0]));
        assert_eq!(lru.victims(100, 10), [1]);
    }

    #[test]
    fn what_fits_into_no_cache_is_not_let_in() {
        let mut lru = Lru::default();
        lru.resize(Limits { entries_max: 10, bytes_max: 9 }).unwrap();
        assert_eq!(lru.admit(&[insert(0)]), [false]);
    }
}
