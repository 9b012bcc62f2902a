//! A layer that refuses what OpenDAL lets through to services: bad paths, and metadata that they would drop.

use std::{fmt, sync::Arc};

use larder_core::{check_blob_path, check_blob_prefix};
use opendal::{
    Capability, Error, ErrorKind, OperationContext, Result,
    raw::{
        Layer, OpCompose, OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead, OpRename, OpRestore,
        OpStat, OpWrite, RpCreateDir, RpPresign, RpRename, RpRestore, RpStat, Service, ServiceInfo, Servicer,
        oio,
    },
};

/// Makes any operator keep larder's promises about paths and metadata: what is no path of a blob names none and
/// can't be written, and what a service does not declare to keep is `unsupported` instead of dropped.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use larder_backends::object::Strict;
/// use opendal::{ErrorKind, Operator, services::Memory};
///
/// let operator = Operator::new(Memory::default()).unwrap().layer(Strict);
/// let pairs = [("name".to_owned(), "value".to_owned())];
/// let refused = operator.write_with("a", "x").user_metadata(pairs).await.unwrap_err();
/// assert_eq!(refused.kind(), ErrorKind::Unsupported);
/// # });
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Strict;

impl Layer for Strict {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(StrictService(inner))
    }
}

struct StrictService(Servicer);

impl fmt::Debug for StrictService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods)]
impl Service for StrictService {
    type Reader = oio::Reader;
    type Writer = oio::Writer;
    type Lister = oio::Lister;
    type Deleter = StrictDeleter;
    type Copier = oio::Copier;
    type Composer = oio::Composer;

    fn info(&self) -> ServiceInfo {
        self.0.info()
    }

    fn capability(&self) -> Capability {
        self.0.capability()
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        check(path)?;
        self.0.create_dir(ctx, path, args).await
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        check(path)?;
        self.0.stat(ctx, path, args).await
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        check(path)?;
        self.0.read(ctx, path, args)
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        check(path)?;
        let can = self.capability();
        let dropped = [
            ("a content type", args.content_type().is_some() && !can.write_with_content_type),
            ("user metadata", args.user_metadata().is_some() && !can.write_with_user_metadata),
            (
                "a content disposition",
                args.content_disposition().is_some() && !can.write_with_content_disposition,
            ),
            ("a content encoding", args.content_encoding().is_some() && !can.write_with_content_encoding),
            ("a cache control", args.cache_control().is_some() && !can.write_with_cache_control),
        ];
        if let Some((what, _)) = dropped.into_iter().find(|(_, is_dropped)| *is_dropped) {
            return Err(Error::new(ErrorKind::Unsupported, format!("the blob store does not keep {what}")));
        }
        undeclared([
            ("append to blobs", args.append() && !can.write_can_append),
            ("write only where nothing is", args.if_not_exists() && !can.write_with_if_not_exists),
            ("compare entity tags", args.if_match().is_some() && !can.write_with_if_match),
            ("compare entity tags", args.if_none_match().is_some() && !can.write_with_if_none_match),
        ])?;
        self.0.write(ctx, path, args)
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        self.0.delete(ctx).map(|inner| StrictDeleter { inner, can: self.capability() })
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        if path != "/" {
            check_blob_prefix(path).map_err(refused)?;
        }
        if args.recursive() && !self.capability().list_with_recursive {
            return Err(Error::new(ErrorKind::Unsupported, "the blob store does not list below folders"));
        }
        self.0.list(ctx, path, args)
    }

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        check(from)?;
        check(to)?;
        let can = self.capability();
        undeclared([
            ("copy only where nothing is", args.if_not_exists() && !can.copy_with_if_not_exists),
            ("compare entity tags", args.if_match().is_some() && !can.copy_with_if_match),
        ])?;
        self.0.copy(ctx, from, to, args)
    }

    fn compose(&self, ctx: &OperationContext, to: &str, args: OpCompose) -> Result<Self::Composer> {
        check(to)?;
        self.0.compose(ctx, to, args)
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        check(from)?;
        check(to)?;
        self.0.rename(ctx, from, to, args).await
    }

    async fn restore(&self, ctx: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        check(path)?;
        self.0.restore(ctx, path, args).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        check(path)?;
        self.0.presign(ctx, path, args).await
    }
}

struct StrictDeleter {
    inner: oio::Deleter,
    can: Capability,
}

impl oio::Delete for StrictDeleter {
    async fn delete<'a>(&'a mut self, path: &'a str, args: OpDelete) -> Result<()> {
        check(path)?;
        undeclared([
            ("compare entity tags", args.if_match().is_some() && !self.can.delete_with_if_match),
            ("delete versions", args.version().is_some() && !self.can.delete_with_version),
        ])?;
        oio::Delete::delete(&mut self.inner, path, args).await
    }

    async fn close(&mut self) -> Result<()> {
        oio::Delete::close(&mut self.inner).await
    }
}

/// Refuses the first thing that is asked for and not declared. OpenDAL's own check stands below a layer that declares
/// less than the service, and lets it through.
fn undeclared<const N: usize>(asked: [(&str, bool); N]) -> Result<()> {
    match asked.into_iter().find(|(_, is_undeclared)| *is_undeclared) {
        None => Ok(()),
        Some((what, _)) => Err(Error::new(ErrorKind::Unsupported, format!("the blob store can't {what}"))),
    }
}

/// Checks a path of a blob, or of a folder with its `/`.
fn check(path: &str) -> Result<()> {
    match path.strip_suffix('/').unwrap_or(path) {
        "" if path == "/" => Ok(()),
        path => check_blob_path(path).map_err(refused),
    }
}

/// A path that is refused names no blob; the reason travels along.
fn refused(error: larder_core::Error) -> Error {
    Error::new(ErrorKind::NotFound, "this can't be the path of a blob").set_source(error)
}
