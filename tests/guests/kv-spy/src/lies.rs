//! Answers that are none: texts that are no UTF-8, lists that are not where they say, or longer than there is memory.
//!
//! They are made with `unsafe`, against its rules: what happens to this guest is of no interest, only that the host does
//! not follow it.
#![expect(unsafe_code, reason = "safe code can't lie about its memory")]

use larder_sdk::kv::{Entry, KeyedEntry, Page};
use larder_sdk::{Error, Result};

/// No text: a lone surrogate, a byte that never occurs, a sequence that is cut.
const NO_TEXT: &[u8] = &[b'k', 0xed, 0xa0, 0x80, 0xff, 0xf0, 0x9f];

fn no_text() -> String {
    // SAFETY: it is not safe; nothing here looks into it, and the host refuses it.
    unsafe { String::from_utf8_unchecked(NO_TEXT.to_vec()) }
}

/// A list of bytes that begins at `address`, whatever is there.
fn bytes_at(address: usize, length: usize) -> Vec<u8> {
    // SAFETY: it is not safe; the list is handed to the host, which refuses it, and never dropped.
    unsafe { Vec::from_raw_parts(address as *mut u8, length, length) }
}

/// A value that lies, or an error that does; none where the key asks for something else.
pub(crate) fn value(key: &str) -> Result<Option<Vec<u8>>> {
    match key {
        "text" => Err(Error::other(no_text())),
        "outside" => Ok(Some(bytes_at(0x7fff_0000, 64 << 10))),
        "giant" => Ok(Some(bytes_at(16, 0x7fff_ffff))),
        _ => Ok(None),
    }
}

/// A page that lies as the start of the scan says; an empty one else.
pub(crate) fn page(start: &str) -> Page {
    let entry = || Entry { value: Vec::new(), version: 0, expires_in_ms: None };
    match start {
        "text" => Page { entries: vec![KeyedEntry { key: no_text(), entry: entry() }], next: None },
        "text-next" => Page { entries: Vec::new(), next: Some(no_text()) },
        // More entries than there is memory for: the glue would read all of them, so the last is where it ends.
        "count" => Page {
            entries: (0..100_000).map(|n| KeyedEntry { key: format!("k{n:06}"), entry: entry() }).collect(),
            next: None,
        },
        _ => Page { entries: Vec::new(), next: None },
    }
}
