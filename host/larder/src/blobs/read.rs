//! Reading a blob as a stream.

use std::{
    fmt,
    ops::{self, Bound, RangeBounds},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use larder_backends::object;
use larder_core::Result;
use opendal::Operator;

/// Which bytes of a blob, from the first to before the last. Made from Rust's ranges: `..`, `10..`, `10..20`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    start: u64,
    end: Option<u64>,
}

impl Range {
    fn of(range: impl RangeBounds<u64>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(at) => *at,
            Bound::Excluded(at) => at.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(at) => Some(at.saturating_add(1)),
            Bound::Excluded(at) => Some(*at),
            Bound::Unbounded => None,
        };
        Self { start, end }
    }
}

macro_rules! from_ranges {
    ($($range:ty),*) => {
        $(impl From<$range> for Range {
            fn from(range: $range) -> Self {
                Self::of(range)
            }
        })*
    };
}
from_ranges!(
    ops::RangeFull,
    ops::Range<u64>,
    ops::RangeFrom<u64>,
    ops::RangeTo<u64>,
    ops::RangeInclusive<u64>,
    ops::RangeToInclusive<u64>
);

/// A blob's bytes, piece by piece, as the service hands them over: nothing is collected.
pub struct BlobReader(BoxStream<'static, Result<Bytes>>);

impl Stream for BlobReader {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(context)
    }
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobReader")
    }
}

/// Opens the range. The first piece is fetched here, so that a missing blob is told at once.
pub(super) async fn open(operator: &Operator, path: &str, range: Range) -> opendal::Result<BlobReader> {
    let reader = operator.reader(path).await?;
    let mut stream = match range {
        Range { start: 0, end: None } => reader.into_bytes_stream(..).await?,
        Range { start, end } => {
            // OpenDAL refuses ranges that reach past the end; a blob store's end where the blob does.
            let size = operator.stat(path).await?.content_length();
            let end = end.unwrap_or(size).min(size);
            if start >= end {
                return Ok(BlobReader(futures::stream::empty().boxed()));
            }
            reader.into_bytes_stream(start..end).await?
        }
    };
    // The bytes stream speaks io::Error; OpenDAL's own error is inside of it.
    let first = stream.try_next().await.map_err(from_io)?;
    let path = path.to_owned();
    let rest =
        stream.map_err(move |error| object::error(from_io(error)).operation("read").with("path", &path));
    Ok(BlobReader(futures::stream::iter(first.map(Ok)).chain(rest).boxed()))
}

fn from_io(error: std::io::Error) -> opendal::Error {
    error.downcast::<opendal::Error>().unwrap_or_else(opendal::raw::new_std_io_error)
}
