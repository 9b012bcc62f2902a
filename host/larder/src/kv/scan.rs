//! A scan as a stream, page after page. It holds one page in memory and no cursor in the store.

use std::{
    collections::vec_deque::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{
    Stream,
    stream::{self, BoxStream},
};
use larder_core::{Entry, Key, KeyRange, Result, Scan, Want, limits::PAGE_ENTRIES_MAX};

use super::Kv;

/// Which keys, how many, and what of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanOptions {
    range: KeyRange,
    limit: Option<u64>,
    want: Want,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self::all()
    }
}

impl ScanOptions {
    /// Every key of the store or namespace.
    pub fn all() -> Self {
        Self::range(KeyRange::all())
    }

    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        Self::range(KeyRange::prefix(prefix))
    }

    /// Keys of a range.
    pub fn range(range: KeyRange) -> Self {
        Self { range, limit: None, want: Want::Entries }
    }

    /// At most `limit` entries in all.
    #[must_use]
    pub fn limit(mut self, limit: u64) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Without values: they come back empty.
    #[must_use]
    pub fn keys_only(mut self) -> Self {
        self.want = Want::Keys;
        self
    }
}

/// The entries of a scan, ascending by the bytes of the keys.
///
/// A write during the scan may or may not be seen; an untouched entry is seen exactly once. After an
/// error the stream ends. Dropping it loses nothing.
pub struct ScanStream(BoxStream<'static, Result<(Key, Entry)>>);

impl fmt::Debug for ScanStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScanStream")
    }
}

impl Stream for ScanStream {
    type Item = Result<(Key, Entry)>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

struct Walk {
    kv: Kv,
    /// What is left to fetch; none at the end.
    range: Option<KeyRange>,
    left: u64,
    want: Want,
    page: VecDeque<(Key, Entry)>,
}

pub(super) fn stream(kv: Kv, options: ScanOptions) -> ScanStream {
    let range = kv.namespace.range(&options.range.start, options.range.end.as_deref());
    let walk = Walk {
        kv,
        range: Some(range),
        left: options.limit.unwrap_or(u64::MAX),
        want: options.want,
        page: VecDeque::new(),
    };
    ScanStream(Box::pin(stream::try_unfold(walk, |mut walk| async move {
        Ok(walk.next().await?.map(|entry| (entry, walk)))
    })))
}

impl Walk {
    async fn next(&mut self) -> Result<Option<(Key, Entry)>> {
        while self.page.is_empty() {
            let Some(range) = self.range.take().filter(|_| self.left > 0) else { return Ok(None) };
            self.fetch(range).await?;
        }
        let Some((key, entry)) = self.page.pop_front() else { return Ok(None) };
        self.left -= 1;
        Ok(Some((self.kv.namespace.strip(key)?, entry)))
    }

    async fn fetch(&mut self, range: KeyRange) -> Result<()> {
        let limit = u32::try_from(self.left).unwrap_or(PAGE_ENTRIES_MAX).min(PAGE_ENTRIES_MAX);
        let scan = Scan { range, limit, want: self.want };
        let page = self.kv.store.scan(&scan).await.map_err(|error| self.kv.hide(error))?;
        self.range = page.next.map(|next| scan.range.resume(&next));
        self.page = page.entries.into();
        Ok(())
    }
}
