//! Blob storage without a configuration: a folder, or a bucket.

use std::{fmt, ops::Deref, path::Path};

use futures::FutureExt;
use larder_backends::object::{self, Check, Guards, S3Options};
use larder_core::{Error, ErrorKind, Result};

use crate::blobs::Blobs;

/// The region of a bucket that nobody names one for.
const REGION: &str = "us-east-1";

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
        Ok(Self(Blobs::new(object::fs(folder.as_ref())?)))
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

/// Blobs in an S3 bucket, below a prefix.
///
/// Credentials, region and endpoint come from where AWS's own tools take them, the environment first
/// (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`, `AWS_ENDPOINT_URL`); a region that
/// nobody names is `us-east-1`, as it is for those tools. A configuration (`storage.s3`) can say all of them. What fails for a moment is repeated, each attempt has a limit, and what
/// a store of a configuration keeps is kept here too.
///
/// ```
/// use larder::PipelineStorage;
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # let _entered = runtime.enter();
/// // Nothing is reached before the first operation.
/// let storage = PipelineStorage::new("my-bucket", "prefix/")?;
/// assert_eq!(format!("{storage:?}"), "PipelineStorage(s3://my-bucket/prefix)");
/// # larder::Result::<()>::Ok(())
/// ```
#[derive(Clone)]
pub struct PipelineStorage {
    blobs: Blobs,
    shown: String,
}

impl PipelineStorage {
    /// A bucket that is there. Reaches nothing.
    ///
    /// # Errors
    /// `config` where bucket or prefix can't be. That there is no such bucket, or it may not be used, is told by the
    /// first operation: `invalid`, `denied`; [`check`](Self::check) asks at once.
    pub fn new(bucket: &str, prefix: &str) -> Result<Self> {
        let options = || S3Options::new(bucket).prefix(prefix);
        match Self::open(options()) {
            // Nobody names a region; an error for any other reason comes again.
            Err(error) if error.kind() == ErrorKind::Config => Self::open(options().region(REGION)),
            opened => opened,
        }
    }

    fn open(options: S3Options) -> Result<Self> {
        let options = options.into_object()?.guards(Guards::remote()).check(Check::Never);
        // Without the check there is nothing to wait for.
        let opened = options.open().now_or_never();
        let operator = opened.unwrap_or_else(|| Err(Error::config("opening waits for the service")))?;
        Ok(Self { blobs: Blobs::new(operator), shown: options.to_string() })
    }

    /// Asks whether the bucket is there and can be used.
    ///
    /// # Errors
    /// `config` where it is not there, `denied` where the credentials are not taken; `unavailable` or `timeout` where
    /// the service can't be reached. Cancel safe.
    pub async fn check(&self) -> Result<()> {
        object::check(self.blobs.operator()).await
    }

    /// The blobs themselves.
    pub fn into_blobs(self) -> Blobs {
        self.blobs
    }
}

impl Deref for PipelineStorage {
    type Target = Blobs;

    fn deref(&self) -> &Blobs {
        &self.blobs
    }
}

impl fmt::Debug for PipelineStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PipelineStorage({})", self.shown)
    }
}
