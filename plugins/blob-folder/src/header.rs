//! What a blob's file begins with.
//!
//! ```text
//! 0   8  "larderB1"
//! 8   4  where the content begins (little-endian, as all numbers)
//! 12  4  bytes of the fields
//! 16  4  CRC-32C of bytes 8 to 16 and the fields
//! 20     fields: each a length (4) and text. entity tag, path, content type, condition, then names and values;
//!        those of content type and condition begin with `+`, or are empty where there is none
//! ```
//!
//! The header is written before the content, so it says nothing of the content's size: the file's own size does.

use larder_sdk::blob::{Condition, PutOptions};
use larder_sdk::{Error, Result};

const MAGIC: &[u8; 8] = b"larderB1";
const FIXED_BYTES: usize = 20;

/// What is read of a file first: enough for nearly every header.
pub(crate) const FIRST_READ_BYTES: usize = 1 << 10;

/// The most that a header has: the contract's longest path and metadata fit well.
pub(crate) const HEADER_BYTES_MAX: usize = 64 << 10;

/// Content that comes in parts begins at a multiple of this, so that parts fall on whole pages.
const PAGE_BYTES: usize = 4 << 10;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Header {
    /// Where the content begins. Set when the header is written or read.
    pub(crate) content_at: u64,
    pub(crate) etag: String,
    pub(crate) path: String,
    pub(crate) content_type: Option<String>,
    pub(crate) user: Vec<(String, String)>,
    /// What must hold when the blob becomes visible.
    pub(crate) condition: Option<Condition>,
}

/// Where content begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Right after the header: for small blobs.
    Next,
    /// At the next page.
    Aligned,
}

impl Header {
    pub(crate) fn new(etag: String, path: &str, options: PutOptions) -> Self {
        let PutOptions { content_type, user, condition } = options;
        Self { content_at: 0, etag, path: path.to_owned(), content_type, user, condition }
    }

    /// The header's bytes, with what fills up to the content.
    pub(crate) fn encode(&mut self, content: Content) -> Result<Vec<u8>> {
        let condition = match &self.condition {
            None => String::new(),
            Some(Condition::Absent) => "+".to_owned(),
            Some(Condition::Etag(etag)) => format!("+{etag}"),
        };
        let content_type = self.content_type.as_ref().map_or_else(String::new, |text| format!("+{text}"));
        let mut fields = Vec::new();
        let texts = [&self.etag, &self.path, &content_type, &condition];
        for text in texts.into_iter().chain(self.user.iter().flat_map(|(name, value)| [name, value])) {
            fields.extend_from_slice(&u32_bytes(text.len())?);
            fields.extend_from_slice(text.as_bytes());
        }
        let mut content_at = FIXED_BYTES + fields.len();
        if content == Content::Aligned {
            content_at = content_at.next_multiple_of(PAGE_BYTES);
        }
        if content_at > HEADER_BYTES_MAX {
            return Err(Error::invalid("the metadata of the blob is too large"));
        }
        let lengths = [u32_bytes(content_at)?, u32_bytes(fields.len())?].concat();
        let crc = crc32c(&[&lengths, &fields]);
        let mut bytes = [MAGIC.as_slice(), &lengths, &crc.to_le_bytes(), &fields].concat();
        bytes.resize(content_at, 0);
        self.content_at = content_at as u64;
        Ok(bytes)
    }

    /// How many bytes of a file the header needs, from the first ones.
    pub(crate) fn needs(bytes: &[u8]) -> Result<usize> {
        let fixed = bytes.get(..FIXED_BYTES).filter(|fixed| fixed.starts_with(MAGIC)).ok_or_else(damaged)?;
        let fields = u32_at(fixed, 12).ok_or_else(damaged)?;
        let needs = FIXED_BYTES.saturating_add(fields);
        if needs > HEADER_BYTES_MAX { Err(damaged()) } else { Ok(needs) }
    }

    /// Reads a header whose bytes are all there.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let needs = Self::needs(bytes)?;
        let (Some(lengths), Some(crc), Some(fields), Some(content_at)) =
            (bytes.get(8..16), bytes.get(16..20), bytes.get(FIXED_BYTES..needs), u32_at(bytes, 8))
        else {
            return Err(damaged());
        };
        if crc32c(&[lengths, fields]).to_le_bytes() != crc || content_at < needs {
            return Err(damaged());
        }
        let mut rest = fields;
        let mut texts = Vec::new();
        while !rest.is_empty() {
            let length = u32_at(rest, 0).ok_or_else(damaged)?;
            let (text, behind) =
                rest.get(4..).and_then(|rest| rest.split_at_checked(length)).ok_or_else(damaged)?;
            texts.push(String::from_utf8(text.to_vec()).map_err(|_| damaged())?);
            rest = behind;
        }
        let mut texts = texts.into_iter();
        let (Some(etag), Some(path), Some(content_type), Some(condition)) =
            (texts.next(), texts.next(), texts.next(), texts.next())
        else {
            return Err(damaged());
        };
        let mut user = Vec::new();
        while let Some(name) = texts.next() {
            user.push((name, texts.next().ok_or_else(damaged)?));
        }
        Ok(Self {
            content_at: content_at as u64,
            etag,
            path,
            content_type: content_type.strip_prefix('+').map(str::to_owned),
            user,
            condition: condition.strip_prefix('+').map(|etag| match etag {
                "" => Condition::Absent,
                etag => Condition::Etag(etag.to_owned()),
            }),
        })
    }
}

fn damaged() -> Error {
    Error::corrupt("the header of the blob's file is damaged")
}

fn u32_bytes(number: usize) -> Result<[u8; 4]> {
    let number =
        u32::try_from(number).map_err(|_| Error::invalid("the metadata of the blob is too large"))?;
    Ok(number.to_le_bytes())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let number = bytes.get(at..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_le_bytes(*number)).ok()
}

/// CRC-32C bit by bit: a header has a few hundred bytes.
fn crc32c(pieces: &[&[u8]]) -> u32 {
    let mut crc = u32::MAX;
    for byte in pieces.iter().flat_map(|piece| piece.iter()) {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82F6_3B78 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let options = PutOptions {
            content_type: Some("text/html".into()),
            user: vec![("source".into(), "http://ä/".into()), ("empty".into(), String::new())],
            condition: Some(Condition::Etag("abc".into())),
        };
        Header::new("0f".into(), "a/b", options)
    }

    #[test]
    fn a_header_reads_back_and_a_flipped_bit_is_noticed() {
        for content in [Content::Next, Content::Aligned] {
            let mut header = header();
            let bytes = header.encode(content).unwrap();
            assert_eq!(bytes.len() as u64, header.content_at);
            assert_eq!(Header::decode(&bytes).unwrap(), header);
            let needs = Header::needs(&bytes).unwrap();
            for at in 0..needs {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                assert!(Header::decode(&flipped).is_err(), "byte {at}");
                assert!(Header::decode(&bytes[..at]).is_err(), "cut at {at}");
            }
        }
    }

    #[test]
    fn none_and_empty_stay_apart() {
        let options = PutOptions { content_type: Some(String::new()), user: vec![], condition: None };
        let mut some = Header::new("e".into(), "p", options);
        let bytes = some.encode(Content::Next).unwrap();
        assert_eq!(Header::decode(&bytes).unwrap().content_type, Some(String::new()));
    }

    #[test]
    fn the_checksum_is_crc_32c() {
        assert_eq!(crc32c(&[b"1234", b"56789"]), 0xE306_9283);
    }
}
