//! Copying inside of a service, with the metadata or not at all.
//!
//! Above the largest size that a service copies in one request, OpenDAL copies in parts, which are a new blob to the
//! service and have no metadata. Such a copy is refused.

use opendal::{
    Error, ErrorKind, Metadata, OperationContext, Result,
    raw::{OpStat, Service as _, Servicer, oio},
};

/// Copies a blob whose size it has looked at.
pub(super) struct WholeCopier {
    copier: oio::Copier,
    inner: Servicer,
    ctx: OperationContext,
    from: String,
    /// Largest blob that is copied whole, in bytes; none once the source has been found to be no larger.
    bytes_max: Option<u64>,
}

impl WholeCopier {
    pub(super) fn new(copier: oio::Copier, inner: Servicer, ctx: OperationContext, from: &str) -> Self {
        let bytes_max = inner.capability().copy_multi_max_size.map(|bytes| bytes as u64);
        Self { copier, inner, ctx, from: from.to_owned(), bytes_max }
    }

    async fn check(&mut self) -> Result<()> {
        let Some(bytes_max) = self.bytes_max else { return Ok(()) };
        let source = self.inner.stat(&self.ctx, &self.from, OpStat::new()).await?.into_metadata();
        if source.content_length() > bytes_max {
            let what = format!("the blob store copies at most {bytes_max} bytes with their metadata");
            return Err(Error::new(ErrorKind::Unsupported, what));
        }
        self.bytes_max = None;
        Ok(())
    }
}

impl oio::Copy for WholeCopier {
    async fn next(&mut self) -> Result<Option<usize>> {
        self.check().await?;
        oio::Copy::next(&mut self.copier).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        self.check().await?;
        oio::Copy::close(&mut self.copier).await
    }

    async fn abort(&mut self) -> Result<()> {
        oio::Copy::abort(&mut self.copier).await
    }
}
