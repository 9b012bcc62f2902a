//! Reading by ranges of a bounded length.
//!
//! Each `read` of a plugin sees one version of a blob, but a long one takes several, and the blob may be replaced
//! between them. So a reader that needs more than one call looks at the entity tag (or size and time, where there is
//! none) first and again behind each run of calls, before it hands their bytes on: what it hands on is of one version.
//!
//! A run is one job ([`pieces`](super::pieces)), and while the caller works on what a run brought, the next one is under
//! way, if an instance is free for it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use larder_core::Error as LarderError;
use opendal::{
    Buffer, BytesRange, Error, ErrorKind, Metadata, Result,
    raw::{RpRead, oio},
};

use super::{
    error::into_operator,
    pieces::{Pieces, Run, Version},
    request::{Read, Stat},
};
use crate::{
    bindings::blob::{BlobExports, Features},
    plugin::{Begun, Plugin},
};

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
            ahead: None,
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
        loop {
            let run = stream.run().await?;
            if run.is_empty() {
                break;
            }
            pieces.extend(run);
        }
        let bytes: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        if range.size().is_some_and(|size| size != bytes) {
            return Err(Error::new(
                ErrorKind::RangeNotSatisfied,
                "the range reaches past the end of the blob",
            ));
        }
        Ok((RpRead::default(), Buffer::from(pieces)))
    }
}

struct Stream {
    plugin: Arc<Plugin<BlobExports>>,
    path: Arc<str>,
    offset: u64,
    /// How much is wanted yet; none to the end.
    left: Option<u64>,
    /// What each run is compared with, once it is known that there are several.
    version: Option<Version>,
    /// The next run, where it was begun already.
    ahead: Option<Begun<Run>>,
    is_done: bool,
}

impl Stream {
    /// The next bytes; none at the end.
    async fn run(&mut self) -> Result<Vec<Bytes>> {
        if self.is_done || self.left == Some(0) {
            return Ok(Vec::new());
        }
        if !self.plugin.description().has(Features::READ_RANGE) {
            self.is_done = true;
            let cut = self.cut_from_whole().await?;
            return Ok(if cut.is_empty() { Vec::new() } else { vec![cut] });
        }
        let run = match self.ahead.take() {
            Some(begun) => self.plugin.end::<Pieces>(begun).await,
            None => self.plugin.run(self.pieces()).await,
        };
        let (bytes, version) = match run.map_err(into_operator)? {
            Run::Bytes { bytes, version } => (bytes, version),
            Run::Missing => return Err(self.missing()),
            Run::Replaced => return Err(replaced()),
        };
        let count = bytes.iter().map(|piece| piece.len() as u64).sum();
        self.offset = self.offset.saturating_add(count);
        self.left = self.left.map(|left| left.saturating_sub(count));
        match version {
            // The whole of what was wanted, or of what there is, at once.
            None => self.is_done = true,
            Some((version, is_last)) => {
                self.version = Some(version);
                self.is_done = is_last;
            }
        }
        if !self.is_done && self.left != Some(0) {
            self.ahead = self.plugin.begin(self.pieces());
        }
        Ok(bytes)
    }

    fn pieces(&self) -> Pieces {
        Pieces {
            path: self.path.clone(),
            offset: self.offset,
            left: self.left,
            version: self.version.clone(),
        }
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
        if self.version.is_some() {
            return replaced();
        }
        Error::new(ErrorKind::NotFound, "there is no blob at this path")
    }
}

fn replaced() -> Error {
    Error::new(ErrorKind::Conflict, "the blob was replaced while it was read")
}

impl oio::ReadStream for Stream {
    async fn read(&mut self) -> Result<Buffer> {
        self.run().await.map(Buffer::from)
    }
}
