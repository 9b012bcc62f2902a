//! The envelope around each stored value: format, flags, version, expiry and a checksum.
//!
//! The checksum covers the key as well, so that a damaged key can't carry off another key's value.
//! The bytes are laid out in `FORMAT.md`.

use bytes::Bytes;
use larder_core::{Entry, Error, ErrorKind, Timestamp, Version};

/// Bytes in front of each value.
pub(super) const HEADER_BYTES: usize = 24;

/// Bytes of the header that the checksum covers; the checksum follows them.
const COVERED_BYTES: usize = 20;

/// The only format there is so far.
const FORMAT: u8 = 1;

/// Set where the entry expires.
const FLAG_EXPIRES: u8 = 1;

/// A header whose checksum held, and the value behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored<'a> {
    pub(super) version: Version,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) value: &'a [u8],
}

impl Stored<'_> {
    pub(super) fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }

    /// A copy that outlives the transaction: an entry that borrowed the page would keep a whole
    /// snapshot of the database from being reused.
    pub(super) fn to_entry(self) -> Entry {
        Entry {
            value: Bytes::copy_from_slice(self.value),
            version: self.version,
            expires_at: self.expires_at,
        }
    }
}

/// Writes the envelope of a value to `out`, which is emptied first.
pub(super) fn encode(
    key: &str,
    value: &[u8],
    version: Version,
    expires_at: Option<Timestamp>,
    out: &mut Vec<u8>,
) {
    out.clear();
    out.reserve(HEADER_BYTES + value.len());
    out.extend_from_slice(&[FORMAT, u8::from(expires_at.is_some()) * FLAG_EXPIRES, 0, 0]);
    out.extend_from_slice(&version.0.to_le_bytes());
    out.extend_from_slice(&expires_at.map_or(0, |at| at.0).to_le_bytes());
    let checksum = checksum(key.as_bytes(), out, value);
    out.extend_from_slice(&checksum.to_le_bytes());
    out.extend_from_slice(value);
}

/// Reads an envelope.
///
/// # Errors
/// `corrupt` where the checksum does not match; `unsupported` where a newer larder wrote it.
pub(super) fn decode<'a>(key: &[u8], stored: &'a [u8]) -> Result<Stored<'a>, Error> {
    let (header, value) = stored.split_first_chunk::<HEADER_BYTES>().ok_or_else(|| corrupt(key))?;
    let (covered, sum) = header.split_first_chunk::<COVERED_BYTES>().ok_or_else(|| corrupt(key))?;
    if checksum(key, covered, value).to_le_bytes() != sum {
        return Err(corrupt(key));
    }
    let [format, flags, ..] = *covered;
    if format != FORMAT || flags & !FLAG_EXPIRES != 0 {
        return Err(Error::unsupported("the value was written by a newer larder").with("format", format));
    }
    Ok(Stored { version: Version(number(covered, 4)), expires_at: expiry(covered), value })
}

/// The expiry that a header claims, without trust in it: enough to find the row of the expiry index
/// that an overwritten value leaves behind.
pub(super) fn expiry_unverified(stored: &[u8]) -> Option<Timestamp> {
    expiry(stored.first_chunk::<COVERED_BYTES>()?)
}

fn expiry(covered: &[u8; COVERED_BYTES]) -> Option<Timestamp> {
    let [_, flags, ..] = *covered;
    (flags & FLAG_EXPIRES != 0).then(|| Timestamp(number(covered, 12)))
}

fn number(covered: &[u8; COVERED_BYTES], at: usize) -> u64 {
    covered.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn checksum(key: &[u8], covered: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), covered), value)
}

fn corrupt(key: &[u8]) -> Error {
    Error::new(ErrorKind::Corrupt, "the checksum of the stored value does not match")
        .with("key", String::from_utf8_lossy(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_encoded_is_decoded() {
        let mut bytes = Vec::new();
        for expires_at in [None, Some(Timestamp(0)), Some(Timestamp(u64::MAX))] {
            encode("k", b"value", Version(7), expires_at, &mut bytes);
            let stored = decode(b"k", &bytes).unwrap();
            assert_eq!(
                (stored.version, stored.expires_at, stored.value),
                (Version(7), expires_at, &b"value"[..])
            );
            assert_eq!(expiry_unverified(&bytes), expires_at);
        }
    }

    #[test]
    fn any_flipped_bit_and_any_cut_is_corrupt() {
        let mut bytes = Vec::new();
        encode("key", b"some value", Version(7), Some(Timestamp(9)), &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(b"key", &flipped).unwrap_err().kind(), ErrorKind::Corrupt, "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert_eq!(decode(b"key", &bytes[..len]).unwrap_err().kind(), ErrorKind::Corrupt, "length {len}");
        }
    }

    #[test]
    fn a_value_under_another_key_is_corrupt() {
        let mut bytes = Vec::new();
        encode("key", b"value", Version(7), None, &mut bytes);
        let error = decode(b"kez", &bytes).unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::Corrupt, Some("kez")));
    }
}
