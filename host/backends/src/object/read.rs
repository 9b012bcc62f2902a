//! Reading through OpenDAL's service, with the errors of a file system told as those of a blob store.

use opendal::{
    Buffer, BytesRange, Result,
    raw::{RpRead, oio},
};

use super::service::missing;

/// A reader that answers "no such blob" where the path names a folder or runs through a blob.
pub(super) struct BlobReader(pub(super) oio::Reader);

impl oio::Read for BlobReader {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        let (reply, stream) = oio::Read::open(&self.0, range).await.map_err(missing)?;
        Ok((reply, Box::new(BlobStream(stream))))
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        oio::Read::read(&self.0, range).await.map_err(missing)
    }
}

struct BlobStream(Box<dyn oio::ReadStreamDyn>);

impl oio::ReadStream for BlobStream {
    async fn read(&mut self) -> Result<Buffer> {
        oio::ReadStream::read(&mut self.0).await.map_err(missing)
    }
}
