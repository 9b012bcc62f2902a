//! The head in front of each value: 24 bytes with version and deadline, so that a read is one `GET`.
//!
//! A value without the head was written by somebody else. It is an entry all the same: its version is made of its
//! bytes, its expiry is asked of the server (`read.lua`).

use bytes::{Buf, Bytes};
use larder_core::{Entry, Timestamp, Version};
use redis::{RedisWrite, ToRedisArgs};

/// What a head begins with. No text begins so (0xFF is in no UTF-8), and no compressed, pickled or packed format that
/// is in use does. The last byte is the format's number.
pub(super) const MAGIC: [u8; 8] = *b"\xFFlarder\x01";

/// Magic, version, deadline.
pub(super) const HEAD_BYTES: usize = 24;

/// Magic and version: a head whose deadline a script adds.
pub(super) type HalfHead = [u8; 16];

/// What a stored string is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// Written by a store.
    Entry(Entry),
    /// Written by another client; the bytes are the value.
    Plain(Vec<u8>),
}

/// Reads a stored string.
pub(super) fn decode(bytes: Vec<u8>) -> Stored {
    let Some((head, _)) = bytes.split_first_chunk::<HEAD_BYTES>() else { return Stored::Plain(bytes) };
    if head.first_chunk() != Some(&MAGIC) {
        return Stored::Plain(bytes);
    }
    let version = Version(number(head, 8));
    let deadline = number(head, 16);
    let expires_at = (deadline != 0).then_some(Timestamp(deadline));
    let mut value = Bytes::from(bytes);
    value.advance(HEAD_BYTES);
    Stored::Entry(Entry { value, version, expires_at })
}

fn number(head: &[u8; HEAD_BYTES], at: usize) -> u64 {
    let bytes = head.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_be_bytes(bytes.unwrap_or_default())
}

pub(super) fn half_head(version: Version) -> HalfHead {
    let mut head = [0; 16];
    let (magic, number) = head.split_at_mut(MAGIC.len());
    magic.copy_from_slice(&MAGIC);
    number.copy_from_slice(&version.0.to_be_bytes());
    head
}

/// A value without expiry in its envelope, as an argument that is not copied together first.
#[derive(Debug)]
pub(super) struct Lasting<'v> {
    pub(super) version: Version,
    pub(super) value: &'v [u8],
}

impl ToRedisArgs for Lasting<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        use std::io::Write;
        let mut argument = out.writer_for_next_arg();
        let parts: [&[u8]; 3] = [&half_head(self.version), &[0; 8], self.value];
        for part in parts {
            // It writes into memory, which does not fail.
            drop(argument.write_all(part));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let entry = Lasting { version: Version(0x0102_0304_0506_0708), value: b"\0value" };
        let args = entry.to_redis_args();
        assert_eq!(args.len(), 1);
        assert_eq!(
            decode(args[0].clone()),
            Stored::Entry(Entry {
                value: Bytes::from_static(b"\0value"),
                version: Version(0x0102_0304_0506_0708),
                expires_at: None
            })
        );
    }

    #[test]
    fn a_deadline_is_read_from_the_head() {
        let mut bytes = half_head(Version(7)).to_vec();
        bytes.extend(1_767_225_600_123_u64.to_be_bytes());
        let Stored::Entry(entry) = decode(bytes) else { panic!("an entry") };
        assert_eq!((entry.expires_at, entry.value.len()), (Some(Timestamp(1_767_225_600_123)), 0));
    }

    #[test]
    fn everything_else_is_a_plain_value() {
        for plain in ["", "42", "a text that is longer than a head would be"] {
            assert_eq!(decode(plain.into()), Stored::Plain(plain.into()));
        }
        let mut short = half_head(Version(1)).to_vec();
        assert!(matches!(decode(short.clone()), Stored::Plain(_)));
        short.extend([0; 8]);
        short[7] = 2;
        assert!(matches!(decode(short), Stored::Plain(_)), "a head of another format");
    }
}
