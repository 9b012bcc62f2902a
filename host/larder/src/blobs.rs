//! Blobs: large things under paths, written and read as streams.
//!
//! The handle stands on any OpenDAL operator and adds what OpenDAL leaves to its callers: paths are checked,
//! what the service can't keep is refused instead of dropped, an unfinished writer is aborted, and errors are
//! larder's. Whoever wants OpenDAL itself takes it out with [`Blobs::operator`].
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! use larder::blobs::{Blobs, WriteOptions};
//!
//! let blobs = Blobs::new(larder_backends::object::memory());
//! let mut writer = blobs.writer("pages/1.html", WriteOptions::new().content_type("text/html")).await?;
//! writer.write("<p>").await?;
//! writer.write("hello").await?;
//! assert!(!blobs.exists("pages/1.html").await?); // nothing is visible before `finish`
//! let metadata = writer.finish().await?;
//! assert_eq!(metadata.size_bytes, 8);
//! assert_eq!(blobs.get("pages/1.html").await?.unwrap(), "<p>hello");
//! # larder_core::Result::<()>::Ok(()) }).unwrap();
//! ```

mod metadata;
mod options;
mod read;
#[cfg(test)]
mod tests;
mod writer;

use std::fmt;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use larder_backends::object;
use larder_core::{Effect, Error, ErrorKind, Result, check_blob_path, check_blob_prefix};
use opendal::Operator;

pub use self::{
    metadata::{Listed, Metadata},
    options::{Depth, WriteOptions},
    read::{BlobReader, Range},
    writer::BlobWriter,
};

/// Most paths in one call of [`Blobs::delete_many`] to the service: bounds its memory and an outage's damage.
const DELETE_MANY_CHUNK: usize = 1_000;

/// How often `get` begins again when the blob is replaced under it.
const GET_TRIES: u32 = 4;

/// A store of blobs. Cheap to clone.
#[derive(Clone)]
pub struct Blobs {
    operator: Operator,
}

impl Blobs {
    /// The handle of an operator, whatever service and layers it has.
    pub fn new(operator: Operator) -> Self {
        Self { operator }
    }

    /// The operator itself, for what only OpenDAL offers.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// The whole of a blob, in memory; none where there is none.
    ///
    /// # Errors
    /// `invalid` for a bad path, `conflict` where the blob is replaced again and again meanwhile, else the
    /// service's. Cancel safe.
    pub async fn get(&self, path: &str) -> Result<Option<Bytes>> {
        check_path(path, "get")?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.operator.read(path).await {
                Ok(buffer) => return Ok(Some(buffer.to_bytes())),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) if error.kind() == opendal::ErrorKind::Conflict && tries < GET_TRIES => {}
                Err(error) => return Err(failed(error, "get", path)),
            }
        }
    }

    /// A part of a blob, or all of it, as a stream of pieces; none where there is no blob.
    ///
    /// # Behavior
    /// * A range that goes past the end of the blob ends where the blob does; one that begins there is empty.
    /// * All pieces are of one version of the blob; where the service can't hold on to it while it is
    ///   replaced, the stream ends in `conflict` and never in a mixture.
    ///
    /// # Errors
    /// `invalid` for a bad path, else the service's. Cancel safe.
    pub async fn read(&self, path: &str, range: impl Into<Range>) -> Result<Option<BlobReader>> {
        check_path(path, "read")?;
        match read::open(&self.operator, path, range.into()).await {
            Ok(reader) => Ok(Some(reader)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(error, "read", path)),
        }
    }

    /// What is known of a blob; none where there is none.
    ///
    /// # Errors
    /// `invalid` for a bad path, else the service's. Cancel safe.
    pub async fn stat(&self, path: &str) -> Result<Option<Metadata>> {
        check_path(path, "stat")?;
        match self.operator.stat(path).await {
            // A service may know a folder by this name; to a blob store there is no blob.
            Ok(metadata) => Ok(metadata.is_file().then(|| Metadata::from(&metadata))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed(error, "stat", path)),
        }
    }

    /// Whether there is a blob.
    ///
    /// # Errors
    /// As [`stat`](Self::stat).
    pub async fn exists(&self, path: &str) -> Result<bool> {
        self.stat(path).await.map(|metadata| metadata.is_some())
    }

    /// Stores a whole blob, atomically: readers see all of it or what was there before.
    ///
    /// # Errors
    /// As [`BlobWriter::finish`]. Dropping the future leaves open whether the blob is stored.
    pub async fn put(&self, path: &str, bytes: impl Into<Bytes>) -> Result<Metadata> {
        self.put_with(path, bytes, WriteOptions::new()).await
    }

    /// Stores a whole blob with what belongs to it, or under a condition.
    ///
    /// # Errors
    /// As [`BlobWriter::finish`]. Dropping the future leaves open whether the blob is stored.
    pub async fn put_with(
        &self,
        path: &str,
        bytes: impl Into<Bytes>,
        options: WriteOptions,
    ) -> Result<Metadata> {
        let mut writer = self.writer(path, options).await?;
        writer.write(bytes).await?;
        writer.finish().await
    }

    /// Begins a blob that is written piece by piece. Nothing is visible before it is finished; dropped before
    /// that, it is aborted.
    ///
    /// # Errors
    /// `invalid` for a bad path or bad metadata; `unsupported` where the service can't keep or check what the
    /// options ask for.
    pub async fn writer(&self, path: &str, options: WriteOptions) -> Result<BlobWriter> {
        check_path(path, "put")?;
        writer::begin(&self.operator, path, options).await
    }

    /// The blobs whose paths begin with `prefix`, and with [`Depth::Folder`] the folders at the next `/` behind
    /// it, in the service's order, which is ascending for larder's own backends. Unfinished ones are not listed.
    ///
    /// # Errors
    /// `invalid` for a bad prefix, `unsupported` where the service can't list; items: the service's.
    pub async fn list(&self, prefix: &str, depth: Depth) -> Result<BoxStream<'static, Result<Listed>>> {
        let named = |error: Error| error.operation("list").with("prefix", prefix.escape_debug());
        check_blob_prefix(prefix).map_err(named)?;
        let capability = self.operator.info().capability();
        if !capability.list || (depth == Depth::All && !capability.list_with_recursive) {
            return Err(named(Error::unsupported("the blob store can't list so")));
        }
        // OpenDAL trims its paths; a folder never ends in white space that counts, but a name may begin so.
        let (folder, _) = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1));
        let place = if folder.is_empty() { "/" } else { folder };
        let lister = self.operator.lister_with(place).recursive(depth == Depth::All).await;
        let lister = lister.map_err(|error| named(object::error(error)))?;
        let (prefix, folder) = (prefix.to_owned(), folder.to_owned());
        let listed =
            lister.map_err(|error| object::error(error).operation("list")).try_filter_map(move |entry| {
                let path = entry.path();
                // Some services list the folder itself.
                let wanted = path.starts_with(&prefix) && path != folder && path != "/";
                let wanted = wanted && (depth == Depth::Folder || entry.metadata().is_file());
                let listed = wanted.then(|| Listed {
                    path: path.to_owned(),
                    metadata: entry.metadata().is_file().then(|| Metadata::from(entry.metadata())),
                });
                futures::future::ready(Ok(listed))
            });
        Ok(listed.boxed())
    }

    /// Deletes a blob. Deleting what is not there succeeds.
    ///
    /// # Errors
    /// `invalid` for a bad path, else the service's, with an effect of `unknown` where it may have happened.
    pub async fn delete(&self, path: &str) -> Result<()> {
        check_path(path, "delete")?;
        self.operator.delete(path).await.map_err(|error| unsure(failed(error, "delete", path)))
    }

    /// Deletes many blobs, in batches where the service has them. Stops at the first failure; what was deleted
    /// before stays deleted.
    ///
    /// # Errors
    /// As [`delete`](Self::delete); a bad path anywhere refuses all.
    pub async fn delete_many(&self, paths: &[impl AsRef<str>]) -> Result<()> {
        paths.iter().try_for_each(|path| check_path(path.as_ref(), "delete"))?;
        for chunk in paths.chunks(DELETE_MANY_CHUNK) {
            let paths: Vec<String> = chunk.iter().map(|path| path.as_ref().to_owned()).collect();
            let deleted = self.operator.delete_iter(paths).await;
            deleted.map_err(|error| unsure(object::error(error).operation("delete")))?;
        }
        Ok(())
    }

    /// Copies a blob with its metadata, atomically, inside of the service.
    ///
    /// # Errors
    /// `invalid` where the source is missing or source and target are one; `unsupported` where the service
    /// can't copy; else the service's.
    pub async fn copy(&self, source: &str, target: &str) -> Result<()> {
        check_path(source, "copy")?;
        check_path(target, "copy")?;
        if !self.operator.info().capability().copy {
            return Err(Error::unsupported("the blob store can't copy")
                .operation("copy")
                .with("path", source));
        }
        let copied = self.operator.copy(source, target).await;
        copied.map(drop).map_err(|error| unsure(failed(error, "copy", source)))
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({self})")
    }
}

/// The service and where it is, as in a configuration's explanation.
impl fmt::Display for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.operator.info();
        match (info.scheme(), info.root()) {
            (scheme, root) if root.is_empty() || root == "/" => f.write_str(scheme),
            (scheme, root) => write!(f, "{scheme}({root})"),
        }
    }
}

fn check_path(path: &str, operation: &'static str) -> Result<()> {
    check_blob_path(path).map_err(|error| error.operation(operation))
}

/// There is no blob at the path; a reserved or impossible path, told in the same code, is no such case.
fn is_missing(error: &opendal::Error) -> bool {
    use opendal::ErrorKind as Kind;
    matches!(error.kind(), Kind::NotFound | Kind::IsADirectory | Kind::NotADirectory)
}

fn failed(error: opendal::Error, operation: &'static str, path: &str) -> Error {
    object::error(error).operation(operation).with("path", path)
}

/// A failed write may have happened, unless its kind says that it has not.
fn unsure(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::Conflict | ErrorKind::Denied => error,
        _ => error.effect(Effect::Unknown),
    }
}
