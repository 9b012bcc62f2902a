//! Records: one per commit, so that a commit is there whole or not at all.
//!
//! ```text
//! record = mark:u32 sum:u32 length:u32 body            sum = crc32c of salt, offset of the record, length, body
//! body   = write*
//! write  = kind:u8 key_bytes:u16 value_bytes:u32 value_sum:u32 version:u64 expires_at_ms:u64 (0: never) key value
//! ```
//!
//! The checksum covers the segment's salt and the record's own offset: bytes that a user stored and that look like a
//! record are none, wherever they lie. Each value has a checksum of its own, so that reading one value does not need
//! the rest of its record.

use super::segment::Segment;

/// Size of what comes before the body.
pub(crate) const HEADER_BYTES: usize = 12;

/// A longer body is no record: four times what a commit of the contract can hold.
pub(crate) const BODY_BYTES_MAX: usize = 64 << 20;

/// Size of what comes before key and value of a write.
const WRITE_BYTES: usize = 27;

/// What every record begins with; a search for records behind damage looks for it.
pub(crate) const MARK: [u8; 4] = *b"\xA7klr";

const KIND_PUT: u8 = 1;
const KIND_DELETE: u8 = 2;

/// A write as it is in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Logged<'a> {
    /// The entry as it is from here on.
    Put { key: &'a str, value: &'a [u8], value_sum: u32, version: u64, expires_at: Option<u64> },
    /// There is none from here on.
    Delete { key: &'a str, version: u64 },
}

/// A record that is being made.
#[derive(Debug)]
pub(crate) struct RecordWriter {
    bytes: Vec<u8>,
}

impl RecordWriter {
    pub(crate) fn new() -> Self {
        Self { bytes: vec![0; HEADER_BYTES] }
    }

    /// Size so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds a write; answers where in the record its value lies.
    pub(crate) fn push(&mut self, write: &Logged<'_>) -> usize {
        let (kind, key, value, value_sum, version, expires_at) = match *write {
            Logged::Put { key, value, value_sum, version, expires_at } => {
                (KIND_PUT, key, value, value_sum, version, expires_at.unwrap_or(0))
            }
            Logged::Delete { key, version } => (KIND_DELETE, key, &[][..], 0, version, 0),
        };
        let bytes = &mut self.bytes;
        bytes.push(kind);
        // Bounded by the contract: 2,048 and 8 MiB.
        bytes.extend((key.len() as u16).to_le_bytes());
        bytes.extend((value.len() as u32).to_le_bytes());
        bytes.extend(value_sum.to_le_bytes());
        bytes.extend(version.to_le_bytes());
        bytes.extend(expires_at.to_le_bytes());
        bytes.extend(key.as_bytes());
        let value_at = bytes.len();
        bytes.extend(value);
        value_at
    }

    /// The bytes to be written at `offset` of `segment`.
    pub(crate) fn finish(mut self, segment: &Segment, offset: u64) -> Vec<u8> {
        let length = ((self.bytes.len() - HEADER_BYTES) as u32).to_le_bytes();
        let body = self.bytes.get(HEADER_BYTES..).unwrap_or_default();
        let sum = sum(segment, offset, &length, body).to_le_bytes();
        for (target, source) in self.bytes.iter_mut().zip([MARK, sum, length].as_flattened()) {
            *target = *source;
        }
        self.bytes
    }
}

/// What a write takes in a record.
pub(crate) fn write_bytes(key: &str, value_bytes: usize) -> u64 {
    (WRITE_BYTES + key.len() + value_bytes) as u64
}

fn sum(segment: &Segment, offset: u64, length: &[u8; 4], body: &[u8]) -> u32 {
    let sum = crc32c::crc32c(&segment.salt.to_le_bytes());
    let sum = crc32c::crc32c_append(sum, &offset.to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c_append(sum, length), body)
}

/// The length of the body that a record's header announces; none where it is no such header.
pub(crate) fn body_length(header: &[u8]) -> Option<usize> {
    let header: &[u8; HEADER_BYTES] = header.first_chunk()?;
    let length = u32::from_le_bytes(*header.last_chunk()?) as usize;
    (header.starts_with(&MARK) && length <= BODY_BYTES_MAX).then_some(length)
}

/// Whether these bytes are the record at `offset` of `segment`.
pub(crate) fn is_whole(segment: &Segment, offset: u64, record: &[u8]) -> bool {
    let Some((header, body)) = record.split_first_chunk::<HEADER_BYTES>() else { return false };
    let (Some(length), [.., l0, l1, l2, l3]) = (body_length(header), header) else { return false };
    let expected =
        header.get(4..8).and_then(|bytes| bytes.first_chunk()).map(|bytes| u32::from_le_bytes(*bytes));
    length == body.len() && expected == Some(sum(segment, offset, &[*l0, *l1, *l2, *l3], body))
}

/// Takes the next write from what is left of a record's body, and says where in the body its value lies; none where
/// it is no write.
pub(crate) fn next_write<'a>(body: &'a [u8], at: &mut usize) -> Option<(Logged<'a>, usize)> {
    let mut rest = body.get(*at..)?;
    let fixed: &[u8; WRITE_BYTES] = rest.split_off(..WRITE_BYTES)?.first_chunk()?;
    let (kind, fixed) = fixed.split_first()?;
    let number = |at: usize| Some(u64::from_le_bytes(*fixed.get(at..)?.first_chunk()?));
    let key_bytes = usize::from(u16::from_le_bytes(*fixed.first_chunk()?));
    let value_bytes = u32::from_le_bytes(*fixed.get(2..)?.first_chunk()?) as usize;
    let value_sum = u32::from_le_bytes(*fixed.get(6..)?.first_chunk()?);
    let (version, expires_at) = (number(10)?, number(18)?);
    let key = std::str::from_utf8(rest.split_off(..key_bytes)?).ok()?;
    let value = rest.split_off(..value_bytes)?;
    let value_at = *at + WRITE_BYTES + key_bytes;
    *at = value_at + value_bytes;
    let expires_at = (expires_at != 0).then_some(expires_at);
    match *kind {
        KIND_PUT => Some((Logged::Put { key, value, value_sum, version, expires_at }, value_at)),
        KIND_DELETE => Some((Logged::Delete { key, version }, value_at)),
        _ => None,
    }
}
