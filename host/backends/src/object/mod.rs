//! Blobs: object storage, as OpenDAL operators.
//!
//! The blob contract is OpenDAL's own, so this module has no trait. It makes operators that keep larder's
//! promises on top of it: paths are checked, a put is atomic and durable, a condition is free of races, and
//! what a service can't keep is not declared.
//!
//! [`fs`] is OpenDAL's `fs` service for the bytes (positioned reads and writes) under a service of ours that
//! decides where they are written and when they become visible. On its own, OpenDAL's `fs` syncs the file but
//! not its folder, sets metadata after the rename, and checks `if_not_exists` before it renames.
//!
//! [`S3Options`] and [`ObjectOptions`] open stores on remote services, with a layer of ours (`remote`) on OpenDAL's
//! service and a client of ours (`transport`) under it. [`guarded`] puts retries and timeouts in front of any of
//! them.
//!
//! ```
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let folder = tempfile::tempdir().unwrap();
//! let blobs = larder_backends::object::fs(folder.path())?;
//! blobs.write("pages/1.html", "<p>").await.map_err(larder_backends::object::error)?;
//! let page = blobs.read("pages/1.html").await.map_err(larder_backends::object::error)?;
//! assert_eq!(page.to_bytes(), "<p>");
//! # larder_core::Result::<()>::Ok(()) }).unwrap();
//! ```

mod address;
mod deadline;
mod disk;
mod error;
mod guards;
mod list;
mod options;
mod read;
mod remote;
mod s3;
mod service;
mod services;
mod strict;
#[cfg(test)]
mod tests;
mod transport;
mod tuning;
mod write;

use std::{path::Path, sync::Arc};

use larder_core::{Error, Result};
use opendal::{
    Builder, Operator,
    raw::Service,
    services::{Fs, Memory},
};

use self::{disk::Disk, service::DurableFs};
pub use self::{
    error::error,
    guards::{Guards, guarded},
    options::{Check, ObjectOptions, check},
    remote::Conditions,
    s3::{S3Options, S3Style},
    services::{Scheme, schemes},
    strict::Strict,
};

/// Blobs in a folder of the file system, durable.
///
/// # Behavior
/// * A blob becomes visible whole, by a rename, when its writer is closed; the file and every folder on the way
///   to it are synced before that returns.
/// * `if_not_exists` is decided by the file system (a hard link), so that of many writers exactly one wins,
///   whatever process they are in.
/// * Content type and user metadata are extended attributes (`user.mime_type`, `user.NAME`), there before the
///   blob is visible. Where the file system has none, they are not declared.
/// * An overwrite does not disturb readers: each reads the blob that it opened.
/// * What is unfinished lives in the folder `.larder`, which is in no listing and no path reaches; what an
///   interrupted process left there is removed when the next one opens the folder.
/// * `a` and `a/b` can't both be blobs, as `a` can't be file and folder: `invalid`.
///
/// Reading and writing needs a tokio runtime. Opening blocks for a few file operations.
///
/// # Errors
/// `config` where `root` is no folder and can't be made one, `denied` where access is refused.
pub fn fs(root: &Path) -> Result<Operator> {
    let disk = Arc::new(Disk::open(root)?);
    let path = disk.root().to_str().ok_or_else(|| {
        Error::config("the folder's path is not UTF-8").with("folder", disk.root().display())
    })?;
    let inner = Fs::default().root(path).build().map_err(error)?;
    Operator::new(Ready(Some(DurableFs::new(Arc::new(inner), disk)))).map_err(error)
}

/// Blobs in the memory of this process: for tests and for what may be lost. It keeps content types and no user
/// metadata, and neither copies nor compares.
#[expect(clippy::missing_panics_doc, reason = "the memory service has no setting that could be wrong")]
pub fn memory() -> Operator {
    #[expect(clippy::expect_used, reason = "the memory service has no setting that could be wrong")]
    Operator::new(Memory::default()).expect("a memory service without settings").layer(Strict)
}

/// A builder of a service that is there already: `Operator::new` puts OpenDAL's checks of what a service
/// declares on top of it, `Operator::from_inner` does not.
#[derive(Default)]
struct Ready(Option<DurableFs>);

impl Builder for Ready {
    type Config = ();

    fn build(self) -> opendal::Result<impl Service> {
        self.0.ok_or_else(|| opendal::Error::new(opendal::ErrorKind::ConfigInvalid, "no folder to work on"))
    }
}
