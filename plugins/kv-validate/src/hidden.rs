//! Scans that go around a range of keys, unless they begin in it.

use larder_sdk::Result;
use larder_sdk::kv::{NextKv, PAGE_BYTES_MAX, Page, Scan};

/// A page of the next store without the keys below `prefix`. A scan that begins there, or after it, is passed on as it is.
///
/// The part before the range and the part after it are read apart, so nothing is read in order to be left out.
pub(crate) fn scan_around(prefix: &str, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
    let ends_before = scan.end.as_deref().is_some_and(|end| end <= prefix);
    if scan.start.as_str() >= prefix || ends_before {
        return next.scan(scan);
    }
    let mut page = next.scan(&Scan { end: Some(prefix.to_owned()), ..scan.clone() })?;
    let in_range = |after: &String| scan.end.as_ref().is_none_or(|end| after < end);
    let after = first_after(prefix).filter(in_range);
    if let (None, Some(after)) = (&page.next, after) {
        continue_after(after, next, scan, &mut page)?;
    }
    Ok(page)
}

/// Fills a page that has all that is before the range with what is after it, or says where that begins.
fn continue_after(after: String, next: &dyn NextKv, scan: &Scan, page: &mut Page) -> Result<()> {
    let taken = u32::try_from(page.entries.len()).unwrap_or(u32::MAX);
    let room = scan.limit.saturating_sub(taken);
    if room == 0 {
        // Full. Whether there is a next page, the next store alone knows.
        let first = next.scan(&Scan { start: after, limit: 1, keys_only: true, ..scan.clone() })?;
        page.next = first.entries.into_iter().next().map(|found| found.key).or(first.next);
        return Ok(());
    }
    let rest = next.scan(&Scan { start: after, limit: room, ..scan.clone() })?;
    let mut bytes: usize = page.entries.iter().map(|found| found.key.len() + found.entry.value.len()).sum();
    for found in rest.entries {
        bytes = bytes.saturating_add(found.key.len() + found.entry.value.len());
        if bytes > PAGE_BYTES_MAX && !page.entries.is_empty() {
            page.next = Some(found.key);
            return Ok(());
        }
        page.entries.push(found);
    }
    page.next = rest.next;
    Ok(())
}

/// The first text after all that begin with `prefix`; none where there is no such text.
fn first_after(prefix: &str) -> Option<String> {
    let mut rest = prefix.to_owned();
    while let Some(last) = rest.pop() {
        // Goes over the surrogates, which are no characters; in UTF-8 the order of characters is that of their bytes.
        if let Some(following) = (last..=char::MAX).nth(1) {
            rest.push(following);
            return Some(rest);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_text_after_a_prefix_is_after_all_that_begin_with_it() {
        assert_eq!(first_after("parked:").as_deref(), Some("parked;"));
        assert_eq!(first_after("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(first_after("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(first_after("\u{10ffff}"), None);
    }
}
