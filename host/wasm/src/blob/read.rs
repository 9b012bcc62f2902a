//! Reading by ranges of a bounded length.
//!
//! Each `read` of a plugin sees one version of a blob, but a long one takes several, and the blob may be replaced
//! between them. So a reader that needs more than one call looks at the entity tag (or size and time, where there is
//! none) first and again behind each piece, before it hands the piece on: what it hands on is of one version.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use larder_core::Error as LarderError;
use opendal::{
    Buffer, BytesRange, Error, ErrorKind, Metadata, Result,
    raw::{RpRead, oio},
};

use super::{
    error::into_operator,
    request::{Read, Stat},
};
use crate::{
    bindings::blob::{BlobExports, Features},
    plugin::Plugin,
};

/// How much is asked for in one call, in bytes: enough that the call, and the look at the version behind it, cost little
/// besides, and a bound of memory.
const READ_BYTES: u32 = 4 << 20;

/// How much a plugin without ranges may return at once.
const WHOLE_BYTES_MAX: u32 = 8 << 20;

/// The reader of one blob.
pub(crate) struct BlobReader {
    plugin: Arc<Plugin<BlobExports>>,
    path: Arc<str>,
}

impl BlobReader {
    pub(super) fn new(plugin: Arc<Plugin<BlobExports>>, path: &str) -> Self {
        Self { plugin, path: Arc::from(path) }
    }

    fn stream(&self, range: BytesRange) -> Result<Stream> {
        if range.is_suffix() {
            return Err(Error::new(ErrorKind::Unsupported, "ranges that count from the end"));
        }
        Ok(Stream {
            plugin: self.plugin.clone(),
            path: self.path.clone(),
            offset: range.offset(),
            left: range.size(),
            version: None,
            is_done: false,
        })
    }
}

impl oio::Read for BlobReader {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        Ok((RpRead::default(), Box::new(self.stream(range)?)))
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        let mut stream = self.stream(range)?;
        let mut pieces: Vec<Bytes> = Vec::new();
        let mut bytes = 0;
        loop {
            let piece = stream.piece().await?;
            if piece.is_empty() {
                break;
            }
            bytes += piece.len() as u64;
            pieces.push(piece);
        }
        if range.size().is_some_and(|size| size != bytes) {
            return Err(Error::new(
                ErrorKind::RangeNotSatisfied,
                "the range reaches past the end of the blob",
            ));
        }
        Ok((RpRead::default(), Buffer::from(pieces)))
    }
}

/// What is the same of all pieces.
#[derive(PartialEq)]
struct Version {
    etag: Option<String>,
    size_bytes: u64,
    modified: Option<opendal::raw::Timestamp>,
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            etag: metadata.etag().map(str::to_owned),
            size_bytes: metadata.content_length(),
            modified: metadata.last_modified(),
        }
    }
}

struct Stream {
    plugin: Arc<Plugin<BlobExports>>,
    path: Arc<str>,
    offset: u64,
    /// How much is wanted yet; none to the end.
    left: Option<u64>,
    /// What each piece is compared with, once it is known that there are several.
    version: Option<Version>,
    is_done: bool,
}

impl Stream {
    /// The next bytes; none at the end.
    async fn piece(&mut self) -> Result<Bytes> {
        if self.is_done || self.left == Some(0) {
            return Ok(Bytes::new());
        }
        if !self.plugin.description().has(Features::READ_RANGE) {
            self.is_done = true;
            return self.cut_from_whole().await;
        }
        let length =
            self.left.map_or(READ_BYTES, |left| u32::try_from(left).unwrap_or(u32::MAX).min(READ_BYTES));
        let mut bytes = self.call(self.offset, length).await?;
        let is_last = bytes.len() < length as usize || self.left == Some(length.into());
        if !is_last && self.version.is_none() {
            // There is more: from here on it counts which version this is. Only one piece is fetched twice.
            self.version = Some(Version::of(&self.stat().await?));
            bytes = self.call(self.offset, length).await?;
        }
        if let Some(version) = &self.version
            && *version != Version::of(&self.stat().await?)
        {
            return Err(Error::new(ErrorKind::Conflict, "the blob was replaced while it was read"));
        }
        self.is_done = bytes.len() < length as usize;
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        self.left = self.left.map(|left| left.saturating_sub(bytes.len() as u64));
        Ok(bytes)
    }

    async fn call(&self, offset: u64, length: u32) -> Result<Bytes> {
        let read = self.plugin.call(Read { path: self.path.clone(), offset, length }).await;
        read.map_err(into_operator)?.ok_or_else(|| self.missing())
    }

    async fn stat(&self) -> Result<Metadata> {
        let found = self.plugin.call(Stat(self.path.clone())).await;
        found.map_err(into_operator)?.ok_or_else(|| self.missing())
    }

    /// Of a plugin that reads only whole blobs. Such blobs are small.
    async fn cut_from_whole(&self) -> Result<Bytes> {
        let whole = self.call(0, WHOLE_BYTES_MAX).await?;
        if whole.len() == WHOLE_BYTES_MAX as usize
            && self.stat().await?.content_length() > WHOLE_BYTES_MAX.into()
        {
            let message = "the plugin reads only whole blobs, and this one is too large for that";
            return Err(into_operator(LarderError::unsupported(message).with("path", &self.path)));
        }
        let size = whole.len();
        let start = usize::try_from(self.offset).unwrap_or(size).min(size);
        let wanted = self.left.and_then(|left| usize::try_from(left).ok()).unwrap_or(size);
        let end = start.saturating_add(wanted).min(size);
        // Copied where little is wanted of much, so that the rest is not kept.
        let part = whole.slice(start..end);
        Ok(if part.len() < size / 2 { BytesMut::from(part.as_ref()).freeze() } else { part })
    }

    fn missing(&self) -> Error {
        let kind = if self.version.is_some() { ErrorKind::Conflict } else { ErrorKind::NotFound };
        Error::new(kind, "there is no blob at this path")
    }
}

impl oio::ReadStream for Stream {
    async fn read(&mut self) -> Result<Buffer> {
        self.piece().await.map(Buffer::from)
    }
}
