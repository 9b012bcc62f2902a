//! The service under [`fs`](super::fs): OpenDAL's `fs` for bytes, ours for names.

use std::{fmt, io, sync::Arc};

use opendal::{
    Capability, Error, ErrorKind, MetadataBuilder, OperationContext, Result,
    raw::{
        OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead, OpRename, OpStat, OpWrite, RpCreateDir,
        RpPresign, RpRename, RpStat, Service, ServiceInfo, Servicer, new_std_io_error, oio,
    },
};

use super::{
    disk::{self, Disk, Replace, STAGING},
    error::find,
    list::FolderLister,
    read::BlobReader,
    write::StagedWriter,
};

pub(super) struct DurableFs {
    inner: Servicer,
    disk: Arc<Disk>,
    capability: Capability,
}

impl DurableFs {
    pub(super) fn new(inner: Servicer, disk: Arc<Disk>) -> Self {
        let capability = Capability {
            // Appending in place is not atomic, and removing whole trees would take the staging folder along.
            write_can_append: false,
            delete_with_recursive: false,
            write_with_if_not_exists: true,
            write_with_content_type: disk.keeps_metadata(),
            write_with_user_metadata: disk.keeps_metadata(),
            copy_with_if_not_exists: true,
            list_with_recursive: true,
            ..inner.capability()
        };
        Self { inner, disk, capability }
    }
}

impl fmt::Debug for DurableFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableFs").field("root", &self.disk.root()).finish_non_exhaustive()
    }
}

impl Service for DurableFs {
    type Reader = BlobReader;
    type Writer = StagedWriter;
    type Lister = FolderLister;
    type Deleter = oio::OneShotDeleter<Remover>;
    type Copier = oio::OneShotCopier;
    type Composer = ();

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        self.capability
    }

    async fn create_dir(&self, _: &OperationContext, path: &str, _: OpCreateDir) -> Result<RpCreateDir> {
        check(path)?;
        let (disk, path) = (self.disk.clone(), path.to_owned());
        blocking(move || disk.create_folder(&path)).await?.map_err(io_error)?;
        Ok(RpCreateDir::default())
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        if path != "/" {
            check(path)?;
        }
        let metadata = self.inner.stat(ctx, path, args).await.map_err(missing)?.into_metadata();
        // To a blob store, a folder is what ends in `/`.
        if metadata.is_dir() != path.ends_with('/') {
            return Err(Error::new(ErrorKind::NotFound, "there is no blob at this path"));
        }
        let mut user: Vec<(String, String)> = metadata
            .user_metadata()
            .map(|user| user.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
            .unwrap_or_default();
        let Some(content_type) = disk::take_content_type(&mut user) else {
            return Ok(RpStat::new(metadata));
        };
        let mut builder = MetadataBuilder::file(metadata.content_length());
        builder.content_type(content_type);
        if let Some(modified) = metadata.last_modified() {
            builder.last_modified(modified);
        }
        if !user.is_empty() {
            builder.user_metadata(user);
        }
        Ok(RpStat::new(builder.build()))
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        check(path)?;
        self.inner.read(ctx, path, args).map(BlobReader)
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        check(path)?;
        StagedWriter::new(self.inner.clone(), self.disk.clone(), ctx.clone(), path, &args)
    }

    fn delete(&self, _: &OperationContext) -> Result<Self::Deleter> {
        Ok(oio::OneShotDeleter::new(Remover(self.disk.clone())))
    }

    fn list(&self, _: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        if path != "/" {
            larder_core::check_blob_prefix(path).map_err(refused)?;
        }
        Ok(FolderLister::new(self.disk.clone(), path, args.recursive()))
    }

    fn copy(&self, _: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        check(from)?;
        check(to)?;
        let (disk, from, to) = (self.disk.clone(), from.to_owned(), to.to_owned());
        let replace = if args.if_not_exists() { Replace::Absent } else { Replace::Any };
        Ok(oio::OneShotCopier::new(async move {
            let bytes = blocking(move || {
                let staged = disk.stage();
                let bytes = disk.copy(&from, &staged)?;
                disk.publish(staged, &to, replace)?;
                Ok::<u64, io::Error>(bytes)
            })
            .await?
            .map_err(|error| match (error.kind(), replace) {
                (io::ErrorKind::AlreadyExists, Replace::Absent) => {
                    Error::new(ErrorKind::ConditionNotMatch, "there is a blob already").set_source(error)
                }
                _ => missing(io_error(error)),
            })?;
            Ok(MetadataBuilder::file(bytes).build())
        }))
    }

    async fn rename(&self, _: &OperationContext, from: &str, to: &str, _: OpRename) -> Result<RpRename> {
        check(from)?;
        check(to)?;
        let (disk, from, to) = (self.disk.clone(), from.to_owned(), to.to_owned());
        blocking(move || disk.rename(&from, &to)).await?.map_err(|error| missing(io_error(error)))?;
        Ok(RpRename::default())
    }

    async fn presign(&self, _: &OperationContext, _: &str, _: OpPresign) -> Result<RpPresign> {
        Err(Error::new(ErrorKind::Unsupported, "a folder has no addresses to sign"))
    }
}

/// Removes blobs one by one.
pub(super) struct Remover(Arc<Disk>);

impl oio::OneShotDelete for Remover {
    async fn delete_once(&self, path: String, _: OpDelete) -> Result<()> {
        check(&path)?;
        let disk = self.0.clone();
        blocking(move || disk.remove(&path)).await?.map_err(io_error)
    }
}

/// Runs file operations where they may block. Once begun they are finished, also where the caller goes away.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(ErrorKind::Unexpected, "a file operation was cut off").set_source(error))
}

/// An error of the file system as OpenDAL tells it, with the codes that OpenDAL leaves out.
pub(super) fn io_error(error: io::Error) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => ErrorKind::IsADirectory,
        io::ErrorKind::NotADirectory => ErrorKind::NotADirectory,
        // Trying again won't help.
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::InvalidFilename => {
            return new_std_io_error(error).set_permanent();
        }
        _ => return new_std_io_error(error),
    };
    Error::new(kind, error.kind().to_string()).set_source(error)
}

/// Of what is read: a path that names a folder or runs through a blob names no blob.
pub(super) fn missing(error: Error) -> Error {
    let code = find::<io::Error>(&error).map(io::Error::kind);
    match code {
        Some(io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory) => {
            Error::new(ErrorKind::NotFound, "there is no blob at this path").set_source(error)
        }
        _ => error,
    }
}

/// Checks a path of a blob, or of a folder with its `/`.
fn check(path: &str) -> Result<()> {
    larder_core::check_blob_path(path.strip_suffix('/').unwrap_or(path)).map_err(refused)?;
    if path.split('/').next() == Some(STAGING) {
        return Err(refused(larder_core::Error::invalid("this path is reserved").with("path", path)));
    }
    Ok(())
}

/// A path that is refused names no blob; the reason travels along.
fn refused(error: larder_core::Error) -> Error {
    Error::new(ErrorKind::NotFound, "this can't be the path of a blob").set_source(error)
}
