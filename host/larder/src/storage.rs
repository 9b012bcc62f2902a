//! Blob storage without a configuration: a folder, or a bucket.

use std::{fmt, ops::Deref, path::Path};

use larder_core::{Error, Result};

use crate::blobs::Blobs;

/// Blobs in a local folder.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let folder = tempfile::tempdir().unwrap();
/// # std::env::set_current_dir(&folder).unwrap();
/// use larder::FileStorage;
///
/// let storage = FileStorage::new("data/")?;
/// storage.put("pages/1.html", "<p>hello").await?;
/// assert_eq!(storage.get("pages/1.html").await?.unwrap(), "<p>hello");
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct FileStorage(Blobs);

impl FileStorage {
    /// Opens the folder, which is created where it is missing.
    ///
    /// # Errors
    /// `config` where the folder can't be used.
    pub fn new(folder: impl AsRef<Path>) -> Result<Self> {
        Ok(Self(Blobs::new(larder_backends::object::fs(folder.as_ref())?)))
    }

    /// The blobs themselves.
    pub fn into_blobs(self) -> Blobs {
        self.0
    }
}

impl Deref for FileStorage {
    type Target = Blobs;

    fn deref(&self) -> &Blobs {
        &self.0
    }
}

impl fmt::Debug for FileStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileStorage({:?})", self.0)
    }
}

/// Blobs in an S3 bucket, below a prefix. The backend is not built yet, so that there is no value of
/// this type: opening one says so.
///
/// ```
/// use larder::{ErrorKind, PipelineStorage};
///
/// let error = PipelineStorage::new("my-bucket", "prefix/").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Config);
/// assert!(error.message().contains("`s3`"));
/// ```
#[derive(Debug, Clone)]
pub struct PipelineStorage(Blobs);

impl PipelineStorage {
    /// Opens a bucket.
    ///
    /// # Errors
    /// `config`: the backend `s3` is not built yet.
    pub fn new(bucket: &str, prefix: &str) -> Result<Self> {
        Err(Error::config("the backend `s3` (S3) is not built yet; use `FileStorage` or a blob plugin")
            .with("bucket", bucket)
            .with("prefix", prefix))
    }
}

impl Deref for PipelineStorage {
    type Target = Blobs;

    fn deref(&self) -> &Blobs {
        &self.0
    }
}
