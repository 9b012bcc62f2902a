//! Reading: from the snapshot that the last commit left, on the caller's own thread.

use std::ops::Bound;

use bytes::Bytes;
use larder_core::{
    Entry, Error, ErrorKind, Key, Page, Scan, Timestamp, Want,
    limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};
use redb::ReadOnlyTable;

use super::{envelope, error::Fault};

/// The entries as one commit left them.
pub(super) type Entries = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// A page ends after it has passed over so many expired entries, so that a range full of them can't
/// hold a caller's thread.
const PAGE_EXPIRED_MAX: u32 = 10_000;

pub(super) fn get(entries: &Entries, key: &Key, now: Timestamp) -> Result<Option<Entry>, Fault> {
    let Some(bytes) = entries.get(key.as_bytes())? else { return Ok(None) };
    let stored = envelope::decode(key.as_bytes(), bytes.value())?;
    Ok(stored.is_live(now).then(|| stored.to_entry()))
}

pub(super) fn get_many(entries: &Entries, keys: &[Key], now: Timestamp) -> Result<Vec<Option<Entry>>, Fault> {
    keys.iter().map(|key| get(entries, key, now)).collect()
}

pub(super) fn scan(entries: &Entries, scan: &Scan, now: Timestamp) -> Result<Page, Fault> {
    let mut page = Page::default();
    if scan.range.is_empty() {
        return Ok(page);
    }
    let limit = scan.limit.min(PAGE_ENTRIES_MAX) as usize;
    let start = Bound::Included(scan.range.start.as_bytes());
    let end = scan.range.end.as_deref().map_or(Bound::Unbounded, |end| Bound::Excluded(end.as_bytes()));
    let (mut bytes, mut expired) = (0_usize, 0_u32);
    for row in entries.range::<&[u8]>((start, end))? {
        let (key, value) = row?;
        let stored = envelope::decode(key.value(), value.value())?;
        if !stored.is_live(now) {
            expired += 1;
            if expired > PAGE_EXPIRED_MAX {
                page.next = Some(parse_key(key.value())?);
                break;
            }
            continue;
        }
        let key = parse_key(key.value())?;
        bytes += key.len();
        if scan.want == Want::Entries {
            bytes += stored.value.len();
        }
        if page.entries.len() == limit || (bytes > PAGE_BYTES_MAX && !page.entries.is_empty()) {
            page.next = Some(key);
            break;
        }
        let entry = match scan.want {
            Want::Entries => stored.to_entry(),
            Want::Keys => {
                Entry { value: Bytes::new(), version: stored.version, expires_at: stored.expires_at }
            }
        };
        page.entries.push((key, entry));
    }
    Ok(page)
}

fn parse_key(bytes: &[u8]) -> Result<Key, Error> {
    let key = std::str::from_utf8(bytes).ok().and_then(|text| Key::new(text).ok());
    key.ok_or_else(|| {
        Error::new(ErrorKind::Corrupt, "the database holds a damaged key")
            .with("key", String::from_utf8_lossy(bytes))
    })
}
