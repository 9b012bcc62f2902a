//! Scans and their pages.

use super::{Entry, KeyedEntry, Page};

/// Most entries of a page, whatever its limit.
pub const PAGE_ENTRIES_MAX: u32 = 1_000;

/// A page ends before the entry that would take its keys and values past this many bytes; it holds at least one
/// entry all the same.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// What a page is wanted of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// The first key that may be returned; empty: from the beginning.
    pub start: String,
    /// The first key that may not; none: to the end.
    pub end: Option<String>,
    /// Most entries, 1 to 1,000.
    pub limit: u32,
    /// Leave the values empty.
    pub keys_only: bool,
}

impl Scan {
    /// Whether no key can be in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// Fills a page up to its limits.
///
/// ```
/// use larder_sdk::kv::{Entry, PageBuilder, Scan};
///
/// let scan = Scan { start: String::new(), end: None, limit: 2, keys_only: false };
/// let mut page = PageBuilder::new(&scan);
/// for (key, value) in [("a", "1"), ("b", "2"), ("c", "3")] {
///     if !page.has_room(key, value.len()) {
///         return assert_eq!(page.ending_before(key).next.as_deref(), Some("c"));
///     }
///     page.push(key, Entry { value: value.into(), version: 0, expires_in_ms: None });
/// }
/// # unreachable!();
/// ```
#[derive(Debug)]
pub struct PageBuilder {
    entries: Vec<KeyedEntry>,
    bytes: usize,
    limit: usize,
}

impl PageBuilder {
    /// An empty page.
    pub fn new(scan: &Scan) -> Self {
        let limit = scan.limit.min(PAGE_ENTRIES_MAX) as usize;
        Self { entries: Vec::new(), bytes: 0, limit }
    }

    /// Whether an entry fits, its value (0 where keys alone are wanted) being of this many bytes.
    pub fn has_room(&self, key: &str, value_bytes: usize) -> bool {
        let bytes = self.bytes.saturating_add(key.len()).saturating_add(value_bytes);
        self.entries.len() < self.limit && (bytes <= PAGE_BYTES_MAX || self.entries.is_empty())
    }

    /// Adds an entry.
    pub fn push(&mut self, key: impl Into<String>, entry: Entry) {
        let key = key.into();
        self.bytes = self.bytes.saturating_add(key.len()).saturating_add(entry.value.len());
        self.entries.push(KeyedEntry { key, entry });
    }

    /// The page, which goes on with `next`, the first key that did not fit.
    pub fn ending_before(self, next: impl Into<String>) -> Page {
        Page { entries: self.entries, next: Some(next.into()) }
    }

    /// The page, which is the last.
    pub fn ending(self) -> Page {
        Page { entries: self.entries, next: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_one_entry_however_large_and_no_second_past_its_bytes() {
        let scan = Scan { start: String::new(), end: None, limit: 10, keys_only: false };
        let mut page = PageBuilder::new(&scan);
        assert!(page.has_room("a", PAGE_BYTES_MAX * 2));
        page.push("a", Entry { value: vec![0; PAGE_BYTES_MAX], version: 1, expires_in_ms: None });
        assert!(!page.has_room("b", 0));
    }

    #[test]
    fn an_end_before_the_start_is_an_empty_range() {
        let scan = |start: &str, end: Option<&str>| Scan {
            start: start.into(),
            end: end.map(Into::into),
            limit: 1,
            keys_only: true,
        };
        assert!(scan("b", Some("a")).is_empty() && scan("a", Some("a")).is_empty());
        assert!(!scan("", None).is_empty() && !scan("a", Some("b")).is_empty());
    }
}
