//! Reading one version of a blob.
//!
//! A reader asks for its ranges in requests of their own, and asks again where a connection was cut. The first
//! answer names the version (its entity tag); every later request is for that one alone, so that a blob that is
//! replaced meanwhile ends the read in a conflict and never in a mixture.

use std::sync::OnceLock;

use opendal::{
    Buffer, BytesRange, Error, ErrorKind, OperationContext, Result,
    options::ReadOptions,
    raw::{OpRead, OpReader, RpRead, Service as _, Servicer, oio},
};

use super::{Traits, metadata::decode};

/// The reader of one version of a blob.
pub(super) struct PinnedReader {
    inner: Servicer,
    ctx: OperationContext,
    path: String,
    args: OpRead,
    /// Reads whatever version there is.
    any: oio::Reader,
    /// Reads the version that the first answer named; not set where the service names none.
    pinned: OnceLock<Pinned>,
    traits: Traits,
}

struct Pinned {
    etag: String,
    reader: oio::Reader,
}

impl PinnedReader {
    pub(super) fn new(
        inner: Servicer,
        ctx: OperationContext,
        path: &str,
        args: OpRead,
        traits: Traits,
    ) -> Result<Self> {
        let any = inner.read(&ctx, path, args.clone())?;
        Ok(Self { inner, ctx, path: path.to_owned(), args, any, pinned: OnceLock::new(), traits })
    }

    /// Holds on to the version of the first answer, and refuses any other.
    fn pin(&self, reply: RpRead) -> Result<RpRead> {
        let Some(metadata) = reply.into_metadata() else { return Ok(RpRead::default()) };
        // A caller with a condition or a version of its own knows what it reads.
        let own = self.args.is_conditional() || self.args.version().is_some();
        if !own
            && self.inner.capability().read_with_if_match
            && let Some(etag) = metadata.etag()
        {
            if self.pinned.get().is_none() {
                let options = ReadOptions {
                    if_match: Some(etag.to_owned()),
                    override_content_type: self.args.override_content_type().map(str::to_owned),
                    override_cache_control: self.args.override_cache_control().map(str::to_owned),
                    override_content_disposition: self.args.override_content_disposition().map(str::to_owned),
                    ..ReadOptions::default()
                };
                let (_, args, _): (BytesRange, OpRead, OpReader) = options.into();
                let reader = self.inner.read(&self.ctx, &self.path, args)?;
                // Another range of this reader may have been first; then it is that version.
                drop(self.pinned.set(Pinned { etag: etag.to_owned(), reader }));
            }
            if self.pinned.get().is_some_and(|pinned| pinned.etag != etag) {
                return Err(replaced());
            }
        }
        Ok(RpRead::new(decode(metadata, &self.traits)))
    }

    /// Of a request for one version: that it is not there any more is no miss and no condition of the caller's.
    fn told(&self, error: Error) -> Error {
        match error.kind() {
            ErrorKind::ConditionNotMatch | ErrorKind::NotFound if self.pinned.get().is_some() => {
                replaced().set_source(error)
            }
            _ => error,
        }
    }

    fn reader(&self) -> &oio::Reader {
        self.pinned.get().map_or(&self.any, |pinned| &pinned.reader)
    }
}

impl oio::Read for PinnedReader {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        let opened = oio::Read::open(self.reader(), range).await;
        let (reply, stream) = opened.map_err(|error| self.told(error))?;
        Ok((self.pin(reply)?, stream))
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        let read = oio::Read::read(self.reader(), range).await;
        let (reply, bytes) = read.map_err(|error| self.told(error))?;
        Ok((self.pin(reply)?, bytes))
    }
}

fn replaced() -> Error {
    Error::new(ErrorKind::Conflict, "the blob was replaced or deleted while it was read")
}
