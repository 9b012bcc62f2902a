//! A value as it is stored: a head of its version and its expiry, then its bytes.

use larder_sdk::{Error, Result, kv};

/// What an envelope begins with: whose it is, and which form it has.
const MAGIC: [u8; 4] = *b"LMC1";

/// The head, in bytes: the magic word, the version, the expiry.
const HEAD_BYTES: usize = 4 + 8 + 8;

/// What memcached needs of an item for itself and its longest key, with room to spare.
const ITEM_OVERHEAD_BYTES: u32 = 512;

/// How long memcached keeps an entry after it has expired, in seconds. Its clock is not ours and counts seconds, and what it
/// drops it drops for good; so it only sweeps, and each read looks at the head.
const KEPT_AFTER_S: u64 = 60;

/// Longest relative time of memcached, in seconds: it takes a larger number for a date.
const KEPT_MAX_S: u64 = 30 * 24 * 3_600;

/// What stands before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) version: u64,
    /// Milliseconds since the Unix epoch, by the host's clock.
    pub(crate) expires_at_ms: Option<u64>,
}

/// A stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) head: Head,
    pub(crate) value: Vec<u8>,
}

impl Envelope {
    /// Reads what was stored.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Result<Self> {
        let number = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
        let head = bytes
            .split_at_checked(HEAD_BYTES)
            .and_then(|(head, _)| head.strip_prefix(&MAGIC))
            .and_then(|numbers| numbers.split_at_checked(8))
            .and_then(|(version, expiry)| Some((number(version)?, number(expiry)?)));
        let Some((version, expiry)) = head else {
            return Err(Error::corrupt("what is stored was not written by this plugin"));
        };
        bytes.drain(..HEAD_BYTES);
        Ok(Self { head: Head { version, expires_at_ms: (expiry > 0).then_some(expiry) }, value: bytes })
    }

    /// Stands for a value that is there and can't be read.
    pub(crate) fn unreadable() -> Self {
        Self { head: Head { version: 0, expires_at_ms: None }, value: Vec::new() }
    }
}

/// A value with its head.
pub(crate) fn seal(head: Head, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&head.version.to_be_bytes());
    bytes.extend_from_slice(&head.expires_at_ms.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}

/// How long memcached is to keep an entry, in seconds; none: until it needs the room.
pub(crate) fn kept_for(expires_at_ms: u64, now_ms: u64) -> Option<u64> {
    let seconds = expires_at_ms.saturating_sub(now_ms).div_ceil(1_000).saturating_add(KEPT_AFTER_S);
    (seconds <= KEPT_MAX_S).then_some(seconds)
}

/// The largest value that fits an item of this many bytes.
pub(crate) fn value_bytes_max(item_bytes_max: u32) -> u32 {
    let head = u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX);
    item_bytes_max.saturating_sub(head + ITEM_OVERHEAD_BYTES).min(kv::VALUE_BYTES_MAX)
}
