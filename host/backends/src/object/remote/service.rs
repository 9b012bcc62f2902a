//! The service with larder's promises on top: which operations go on as they are, and which through ours.

use std::fmt;

use opendal::{
    Capability, Error, ErrorKind, OperationContext, Result,
    options::CopyOptions,
    raw::{
        OpCompose, OpCopy, OpCreateDir, OpList, OpPresign, OpRead, OpRename, OpRestore, OpStat, OpWrite,
        RpCreateDir, RpPresign, RpRename, RpRestore, RpStat, Service, ServiceInfo, Servicer, oio,
    },
};

use super::{
    Conditions, Remote, copy::WholeCopier, list::MergedLister, metadata::decode, read::PinnedReader,
    write::CertainWriter,
};

pub(super) struct RemoteService {
    inner: Servicer,
    remote: Remote,
    capability: Capability,
}

impl RemoteService {
    pub(super) fn new(inner: Servicer, remote: Remote) -> Self {
        let own = inner.capability();
        let capability = Capability {
            // Not atomic, or with parts of ours and of others mixed.
            write_can_append: false,
            write_can_copy_from: false,
            // OpenDAL makes the parts of a blob at least as large as this.
            write_multi_min_size: own
                .write_multi_min_size
                .or(own.write_can_multi.then_some(0))
                .map(|smallest| smallest.max(remote.part_bytes)),
            write_with_if_not_exists: own.write_with_if_not_exists && remote.conditions == Conditions::Kept,
            write_with_if_match: own.write_with_if_match && remote.conditions == Conditions::Kept,
            write_with_if_none_match: false,
            // Of these a lost answer can't be told from a condition that does not hold.
            copy_with_if_not_exists: false,
            copy_with_if_match: false,
            delete_with_if_match: false,
            // A copy in parts drops the metadata.
            copy_can_multi: false,
            ..own
        };
        Self { inner, remote, capability }
    }

    /// Refuses keys that the service would refuse with an error of no meaning.
    fn check(&self, path: &str) -> Result<()> {
        let bytes = self.inner.info().root().len().saturating_sub(1) + path.len();
        let bytes_max = self.remote.traits.key_bytes_max;
        if bytes <= bytes_max {
            return Ok(());
        }
        let told = larder_core::Error::invalid(format!(
            "the path has {bytes} bytes together with the store's prefix, and the service keeps {bytes_max}"
        ));
        Err(Error::new(ErrorKind::NotFound, "this can't be the path of a blob").set_source(told))
    }
}

impl fmt::Debug for RemoteService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl Service for RemoteService {
    type Reader = PinnedReader;
    type Writer = CertainWriter;
    type Lister = MergedLister;
    type Deleter = oio::Deleter;
    type Copier = WholeCopier;
    type Composer = oio::Composer;

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        self.capability
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        self.check(path)?;
        self.inner.create_dir(ctx, path, args).await
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        self.check(path)?;
        let found = self.inner.stat(ctx, path, args).await?;
        Ok(found.map_metadata(|metadata| decode(metadata, &self.remote.traits)))
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        self.check(path)?;
        PinnedReader::new(self.inner.clone(), ctx.clone(), path, args, self.remote.traits)
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        self.check(path)?;
        CertainWriter::new(self.inner.clone(), ctx.clone(), path, &args, self.remote)
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        self.inner.delete(ctx)
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        Ok(MergedLister::new(self.inner.list(ctx, path, args)?, self.remote.traits))
    }

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        self.check(from)?;
        self.check(to)?;
        let options = CopyOptions {
            source_version: args.source_version().map(str::to_owned),
            concurrent: args.concurrent(),
            ..CopyOptions::default()
        };
        let whole = OpCopy::from_options(&self.inner.capability(), options)?;
        let copier = self.inner.copy(ctx, from, to, whole)?;
        Ok(WholeCopier::new(copier, self.inner.clone(), ctx.clone(), from))
    }

    fn compose(&self, ctx: &OperationContext, to: &str, args: OpCompose) -> Result<Self::Composer> {
        self.check(to)?;
        self.inner.compose(ctx, to, args)
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        self.check(from)?;
        self.check(to)?;
        self.inner.rename(ctx, from, to, args).await
    }

    async fn restore(&self, ctx: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        self.inner.restore(ctx, path, args).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        self.check(path)?;
        self.inner.presign(ctx, path, args).await
    }
}
