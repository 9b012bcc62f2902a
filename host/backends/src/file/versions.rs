//! Versions that never come back, not even after a crash.
//!
//! A counter that were written with each commit would cost every commit one more page. So a block of
//! versions is reserved ahead, in the same transaction as the first write that needs it, and a store
//! that is opened begins past the last reserved one.

use larder_core::Version;

/// How many versions are reserved at a time. 64 bits last for 2^44 openings.
const RESERVED_AT_ONCE: u64 = 1 << 20;

#[derive(Debug)]
pub(super) struct Versions {
    last: u64,
    reserved: u64,
}

impl Versions {
    /// Begins past `reserved`, which was read from the database.
    pub(super) fn after(reserved: u64) -> Self {
        Self { last: reserved, reserved }
    }

    /// The same after the database was opened again: nothing that was handed out comes back.
    pub(super) fn reopened(&mut self, reserved: u64) {
        self.last = self.last.max(reserved);
        self.reserved = reserved;
    }

    pub(super) fn next(&mut self) -> Version {
        self.last += 1;
        Version(self.last)
    }

    /// What has to be written before the versions handed out so far may be committed, if anything.
    pub(super) fn to_reserve(&self) -> Option<u64> {
        (self.last > self.reserved).then_some(self.last + RESERVED_AT_ONCE)
    }

    /// The reservation is durable.
    pub(super) fn reserved(&mut self, reserved: u64) {
        self.reserved = reserved;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_handed_out_once_whatever_became_of_its_commit() {
        let mut versions = Versions::after(10);
        assert_eq!(versions.to_reserve(), None);
        assert_eq!(versions.next(), Version(11));
        // The reservation never became durable, and the database was opened again.
        assert!(versions.to_reserve().is_some());
        versions.reopened(10);
        assert_eq!(versions.next(), Version(12));
        let reserved = versions.to_reserve().unwrap();
        versions.reserved(reserved);
        assert_eq!(versions.to_reserve(), None);
        assert_eq!(Versions::after(reserved).next(), Version(reserved + 1));
    }
}
