//! Versions that never come back: 64 random bits for each write.
//!
//! A counter in Redis would cost each commit one more write, and would go back where the server loses its last second,
//! or fails over: a version that somebody still holds would then be given a second time. Random ones can't go back, and
//! need no agreement between hosts. That a compare-and-set meets the one version it must not is one in 2^64 per write.

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use larder_core::Version;

/// A keyed hash (the key is random, from the operating system) of a number that counts.
#[derive(Debug)]
pub(super) struct Versions {
    key: RandomState,
    next: AtomicU64,
}

impl Versions {
    pub(super) fn new() -> Self {
        Self { key: RandomState::new(), next: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> Version {
        Version(self.key.hash_one(self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn two_stores_and_many_writes_give_each_version_once() {
        let (a, b) = (Versions::new(), Versions::new());
        let seen: HashSet<u64> = (0..20_000).flat_map(|_| [a.next().0, b.next().0]).collect();
        assert_eq!(seen.len(), 40_000);
    }
}
