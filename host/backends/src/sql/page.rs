//! Pages of a scan, put together from rows in ascending order of keys.
//!
//! A page is asked for with a few rows to spare, so that expired entries, which the database still holds, do not make
//! it short; yet it ends after a bounded number of rows, so that a range full of expired entries costs one reader no
//! more than a page.

use larder_core::{
    Entry, Key, Page, Result, Scan,
    limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};

use super::error::corrupt;

/// Expired rows that a page passes over before it ends short.
const ROWS_SPARE: u32 = 100;

/// Follows every key: no UTF-8 begins with this byte. The end of a range that has none.
pub(super) const END_OF_KEYS: &[u8] = &[0xff];

/// A page that is being filled.
#[derive(Debug)]
pub(super) struct Filling {
    page: Page,
    entries_max: usize,
    rows_max: u32,
    rows: u32,
    bytes: usize,
}

/// What becomes of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// It goes into the page.
    Take,
    /// It has expired.
    PassOver,
    /// The page ends before it.
    End,
}

impl Filling {
    pub(super) fn new(scan: &Scan) -> Self {
        let limit = scan.limit.min(PAGE_ENTRIES_MAX);
        Self {
            page: Page::default(),
            entries_max: limit as usize,
            // One more than the page holds: its key is where the next page begins.
            rows_max: limit + 1 + ROWS_SPARE,
            rows: 0,
            bytes: 0,
        }
    }

    /// How many rows to read at most.
    pub(super) fn rows_max(&self) -> u32 {
        self.rows_max
    }

    /// How many entries the page takes.
    pub(super) fn entries_max(&self) -> usize {
        self.entries_max
    }

    /// What becomes of the next row, whose value counts for so many bytes.
    pub(super) fn offer(&mut self, key: &[u8], value_bytes: usize, is_live: bool) -> Room {
        self.rows += 1;
        let entries = self.page.entries.len();
        if self.rows >= self.rows_max {
            Room::End
        } else if !is_live {
            Room::PassOver
        } else if entries >= self.entries_max
            || (entries > 0 && self.bytes + key.len() + value_bytes > PAGE_BYTES_MAX)
        {
            Room::End
        } else {
            Room::Take
        }
    }

    /// Ends the page before `key`.
    pub(super) fn end_at(&mut self, key: &[u8]) -> Result<()> {
        self.page.next = Some(parse_key(key)?);
        Ok(())
    }

    /// Takes a live entry, for which there is room; `value_bytes` is what it counts for.
    pub(super) fn take(&mut self, key: &[u8], entry: Entry) -> Result<()> {
        self.bytes += key.len() + entry.value.len();
        self.page.entries.push((parse_key(key)?, entry));
        Ok(())
    }

    pub(super) fn finish(self) -> Page {
        self.page
    }
}

/// A key out of the table.
pub(super) fn parse_key(bytes: &[u8]) -> Result<Key> {
    let key = std::str::from_utf8(bytes).ok().and_then(|text| Key::new(text).ok());
    key.ok_or_else(|| corrupt("the table holds a damaged key", bytes))
}
