//! What a store holds under a key.

use std::{fmt, time::Duration};

use bytes::Bytes;

/// The version of an entry: opaque, a new one at each write of a key, compared only for equality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Version(pub u64);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A moment: milliseconds since the Unix epoch, by the clock of the store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This moment and `ttl` later, rounded up to a millisecond.
    #[must_use]
    pub fn after(self, ttl: Duration) -> Self {
        Self(self.0.saturating_add(millis_ceil(ttl)))
    }

    /// How long from `now` to this moment; zero where it has passed.
    pub fn since(self, now: Timestamp) -> Duration {
        Duration::from_millis(self.0.saturating_sub(now.0))
    }
}

/// A duration in milliseconds, rounded up, so that nothing lives shorter than was asked.
pub(crate) fn millis_ceil(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A value with its version and expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The bytes; empty where a scan asked for keys only.
    pub value: Bytes,
    /// The version of this write.
    pub version: Version,
    /// When it expires; it is never returned from that moment on.
    pub expires_at: Option<Timestamp>,
}
