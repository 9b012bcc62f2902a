//! The service itself: OpenDAL's operations as requests to the plugin.

use std::{fmt, sync::Arc};

use larder_core::{Error as LarderError, check_blob_path, check_blob_prefix};
use opendal::{
    Capability, Error, ErrorKind, MetadataBuilder, OperationContext, Result,
    raw::{
        OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead, OpRename, OpStat, OpWrite, RpCreateDir,
        RpPresign, RpRename, RpStat, Service, ServiceInfo, oio,
    },
};

use super::{
    error::into_operator,
    list::{self, Pages},
    read::BlobReader,
    request::{Copy, DeleteMany, Stat},
    write::BlobWriter,
};
use crate::{
    bindings::blob::{BlobExports, Features},
    plugin::Plugin,
};

/// Most paths in one `delete-many`.
const DELETE_MANY_MAX: usize = 1_000;

pub(super) struct BlobService {
    plugin: Arc<Plugin<BlobExports>>,
    info: ServiceInfo,
}

impl BlobService {
    pub(super) fn new(plugin: Arc<Plugin<BlobExports>>) -> Self {
        let info = ServiceInfo::new("plugin", "", plugin.name());
        Self { plugin, info }
    }
}

impl fmt::Debug for BlobService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobService").field("plugin", &self.plugin.name()).finish_non_exhaustive()
    }
}

impl Service for BlobService {
    type Reader = BlobReader;
    type Writer = BlobWriter;
    type Lister = oio::HierarchyLister<Pages>;
    type Deleter = oio::BatchDeleter<Remover>;
    type Copier = oio::OneShotCopier;
    type Composer = ();

    fn info(&self) -> ServiceInfo {
        self.info.clone()
    }

    fn capability(&self) -> Capability {
        let about = self.plugin.description();
        let multipart = about.has(Features::MULTIPART);
        Capability {
            stat: true,
            read: true,
            write: true,
            write_can_empty: true,
            write_can_multi: true,
            write_with_content_type: about.has(Features::CONTENT_TYPE),
            write_with_user_metadata: about.has(Features::USER_METADATA),
            write_with_if_not_exists: about.has(Features::IF_ABSENT),
            write_with_if_match: about.has(Features::IF_MATCH),
            write_total_max_size: (!multipart).then_some(about.part_bytes_max),
            delete: true,
            delete_max_size: Some(DELETE_MANY_MAX),
            copy: about.has(Features::COPY),
            list: true,
            list_with_recursive: about.has(Features::LIST_RECURSIVE),
            shared: true,
            ..Capability::default()
        }
    }

    async fn create_dir(&self, _: &OperationContext, _: &str, _: OpCreateDir) -> Result<RpCreateDir> {
        Err(Error::new(ErrorKind::Unsupported, "a plugin has no folders without blobs"))
    }

    async fn stat(&self, _: &OperationContext, path: &str, _: OpStat) -> Result<RpStat> {
        if path.ends_with('/') {
            if path != "/" {
                check_blob_prefix(path).map_err(refused)?;
                if !list::is_any(&self.plugin, path).await? {
                    return Err(missing());
                }
            }
            return Ok(RpStat::new(MetadataBuilder::dir().build()));
        }
        check_blob_path(path).map_err(refused)?;
        let found = self.plugin.call(Stat(Arc::from(path))).await.map_err(into_operator)?;
        found.map(RpStat::new).ok_or_else(missing)
    }

    fn read(&self, _: &OperationContext, path: &str, _: OpRead) -> Result<Self::Reader> {
        check_blob_path(path).map_err(refused)?;
        Ok(BlobReader::new(Arc::clone(&self.plugin), path))
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        check_blob_path(path).map_err(refused)?;
        BlobWriter::new(&self.plugin, ctx, path, &args)
    }

    fn delete(&self, _: &OperationContext) -> Result<Self::Deleter> {
        Ok(oio::BatchDeleter::new(Remover(Arc::clone(&self.plugin)), Some(DELETE_MANY_MAX)))
    }

    fn list(&self, _: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        let prefix = if path == "/" { "" } else { path };
        check_blob_prefix(prefix).map_err(refused)?;
        if args.recursive() && !self.plugin.description().has(Features::LIST_RECURSIVE) {
            return Err(Error::new(ErrorKind::Unsupported, "the plugin does not list below folders"));
        }
        let pages = Pages::new(Arc::clone(&self.plugin), prefix);
        Ok(oio::HierarchyLister::new(pages, path, args.recursive()))
    }

    fn copy(&self, _: &OperationContext, from: &str, to: &str, _: OpCopy) -> Result<Self::Copier> {
        check_blob_path(from).map_err(refused)?;
        check_blob_path(to).map_err(refused)?;
        if !self.plugin.description().has(Features::COPY) {
            return Err(Error::new(ErrorKind::Unsupported, "the plugin does not copy"));
        }
        let (plugin, from, to) = (Arc::clone(&self.plugin), Arc::<str>::from(from), Arc::<str>::from(to));
        Ok(oio::OneShotCopier::new(async move {
            plugin.call(Copy(from, to.clone())).await.map_err(into_operator)?;
            // OpenDAL wants to know the size.
            let found = plugin.call(Stat(to)).await.map_err(into_operator)?;
            found.ok_or_else(|| Error::new(ErrorKind::Conflict, "the copy was deleted at once"))
        }))
    }

    async fn rename(&self, _: &OperationContext, _: &str, _: &str, _: OpRename) -> Result<RpRename> {
        Err(Error::new(ErrorKind::Unsupported, "a plugin does not rename"))
    }

    async fn presign(&self, _: &OperationContext, _: &str, _: OpPresign) -> Result<RpPresign> {
        Err(Error::new(ErrorKind::Unsupported, "a plugin has no addresses to sign"))
    }
}

/// Deletes by `delete-many`.
pub(crate) struct Remover(Arc<Plugin<BlobExports>>);

impl oio::BatchDelete for Remover {
    async fn delete_once(&self, path: String, args: OpDelete) -> Result<()> {
        let deleted = self.delete_batch(vec![(path, args)]).await?;
        deleted.failed.into_iter().next().map_or(Ok(()), |(_, _, error)| Err(error))
    }

    async fn delete_batch(&self, batch: Vec<(String, OpDelete)>) -> Result<oio::BatchDeleteResult> {
        let mut result = oio::BatchDeleteResult::default();
        // A folder is not there without its blobs: there is nothing to delete.
        let (folders, blobs): (Vec<_>, Vec<_>) = batch.into_iter().partition(|(path, _)| path.ends_with('/'));
        result.succeeded = folders;
        if blobs.is_empty() {
            return Ok(result);
        }
        blobs.iter().try_for_each(|(path, _)| check_blob_path(path).map_err(refused))?;
        let paths = blobs.iter().map(|(path, _)| Arc::from(path.as_str())).collect();
        let answers = self.0.call(DeleteMany(paths)).await.map_err(into_operator)?;
        for ((path, args), answer) in blobs.into_iter().zip(answers) {
            match answer {
                Ok(()) => result.succeeded.push((path, args)),
                Err(error) => {
                    let error = error.operation("delete").with("plugin", self.0.name());
                    result.failed.push((path, args, into_operator(error)));
                }
            }
        }
        // OpenDAL's deleter would tell this without the reason.
        match (result.succeeded.is_empty(), result.failed.pop()) {
            (true, Some((_, _, error))) => Err(error),
            (_, Some(failed)) => {
                result.failed.push(failed);
                Ok(result)
            }
            (_, None) => Ok(result),
        }
    }
}

/// A path that is refused names no blob; the reason travels along.
fn refused(error: LarderError) -> Error {
    Error::new(ErrorKind::NotFound, "this can't be the path of a blob").set_source(error)
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "there is no blob at this path")
}
