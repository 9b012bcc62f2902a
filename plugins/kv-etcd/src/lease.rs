//! Leases: how etcd is told to sweep what has expired.
//!
//! They only sweep. etcd counts whole seconds, by its own clock, and ends a lease late; whether an entry has expired says its
//! envelope. Each entry with a time to live has a lease of its own, so that the lease can be revoked when the entry is
//! overwritten or deleted: etcd keeps a lease that no key holds any more until its time is over, and that may be years.
//!
//! The number of a lease is chosen here and carries a mark, since revoking a lease deletes the keys that hold it: one that does
//! not carry the mark is somebody else's and left alone.

use larder_sdk::random;

/// How long etcd keeps an entry after it has expired, in seconds: the clocks of host and server may differ in their pace, and
/// what etcd drops is dropped for good.
const KEPT_AFTER_S: u64 = 60;

/// What the upper 16 bits of our leases are. The number stays positive.
const MARK: i64 = 0x4c45 << 48;

/// A number for a new lease: no other's, in all likelihood.
pub(crate) fn new_number() -> i64 {
    let mut bytes = [0; 8];
    random::fill(&mut bytes);
    MARK | (i64::from_le_bytes(bytes) & 0xffff_ffff_ffff)
}

/// Whether a lease was granted for one entry of this plugin.
pub(crate) fn is_ours(number: i64) -> bool {
    number >> 48 == MARK >> 48
}

/// How long a lease is to last, in seconds.
pub(crate) fn seconds(ttl_ms: u64) -> u64 {
    ttl_ms.div_ceil(1_000).saturating_add(KEPT_AFTER_S)
}
