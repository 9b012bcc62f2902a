//! A value as it is stored: a head of its expiry, then its bytes.
//!
//! The version is etcd's own (the revision of the last write of the key) and stands beside the value.

use larder_sdk::{Error, Result};

/// What an envelope begins with: whose it is, and which form it has.
const MAGIC: [u8; 4] = *b"LET1";

/// The head, in bytes: the magic word, the expiry.
pub(crate) const HEAD_BYTES: usize = 4 + 8;

/// A stored value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Envelope {
    /// Milliseconds since the Unix epoch, by the host's clock.
    pub(crate) expires_at_ms: Option<u64>,
    pub(crate) value: Vec<u8>,
}

impl Envelope {
    /// Reads what was stored.
    ///
    /// # Errors
    /// `corrupt`, where it was not written by this plugin.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Result<Self> {
        let expiry = bytes
            .split_at_checked(HEAD_BYTES)
            .and_then(|(head, _)| head.strip_prefix(&MAGIC))
            .and_then(|expiry| expiry.try_into().ok())
            .map(u64::from_be_bytes);
        let Some(expiry) = expiry else {
            return Err(Error::corrupt("what is stored was not written by this plugin"));
        };
        bytes.drain(..HEAD_BYTES);
        Ok(Self { expires_at_ms: (expiry > 0).then_some(expiry), value: bytes })
    }

    pub(crate) fn is_live(&self, now_ms: u64) -> bool {
        self.expires_at_ms.is_none_or(|at| at > now_ms)
    }
}

/// A value with its head.
pub(crate) fn seal(expires_at_ms: Option<u64>, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + value.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&expires_at_ms.unwrap_or(0).to_be_bytes());
    bytes.extend_from_slice(value);
    bytes
}
