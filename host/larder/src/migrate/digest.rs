//! Digests of sets: the sum of the SHA-256 of their members. The order does not matter, so that parts can be digested
//! apart and added, and two stores agree whatever pages they answer in. It finds what went wrong, not who forges.

use std::fmt;

use larder_core::Entry;
use sha2::{Digest as _, Sha256};

/// Count and digest of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digest {
    pub(super) count: u64,
    /// 256 bits, the lowest first.
    sum: [u64; 4],
}

impl Digest {
    /// Adds an entry: key, value, and whether it expires. When it does is no part of it: two clocks never agree.
    pub(super) fn entry(&mut self, key: &str, entry: &Entry) {
        let expires = [u8::from(entry.expires_at.is_some())];
        self.member(&[key.as_bytes(), &entry.value, &expires]);
    }

    /// Adds a member of several parts.
    pub(super) fn member(&mut self, parts: &[&[u8]]) {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let mut carry = false;
        for (sum, bytes) in self.sum.iter_mut().zip(hash.as_chunks::<8>().0) {
            let (added, one) = sum.overflowing_add(u64::from_le_bytes(*bytes));
            let (added, two) = added.overflowing_add(u64::from(carry));
            (*sum, carry) = (added, one || two);
        }
        self.count += 1;
    }

    /// Reads what `Display` wrote; none where it is nothing of the kind.
    pub(super) fn parse(count: u64, text: &str) -> Option<Self> {
        let mut sum = [0; 4];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (i, word) in sum.iter_mut().rev().enumerate() {
            *word = u64::from_str_radix(text.get(i * 16..(i + 1) * 16)?, 16).ok()?;
        }
        Some(Self { count, sum })
    }
}

/// The digest in hexadecimal, without the count.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sum.iter().rev().try_for_each(|word| write!(f, "{word:016x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_everything_else_does() {
        let of = |members: &[&[&[u8]]]| {
            let mut digest = Digest::default();
            members.iter().for_each(|parts| digest.member(parts));
            digest
        };
        let (a, b): (&[&[u8]], &[&[u8]]) = (&[b"a", b"1"], &[b"b", b"2"]);
        assert_eq!(of(&[a, b]), of(&[b, a]));
        assert_ne!(of(&[a, b]), of(&[a]));
        assert_ne!(of(&[a, a]), of(&[b, b]));
        assert_ne!(of(&[&[b"ab", b""]]), of(&[&[b"a", b"b"]]), "parts have edges");
    }

    #[test]
    fn it_reads_back_as_it_was_written() {
        let mut digest = Digest::default();
        for i in 0..100_u64 {
            digest.member(&[&i.to_le_bytes()]);
        }
        assert_eq!(Digest::parse(100, &digest.to_string()), Some(digest));
        for bad in ["", "x", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(Digest::parse(0, bad), None);
        }
    }
}
