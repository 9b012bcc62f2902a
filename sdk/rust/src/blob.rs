//! Blob backends and layers.
//!
//! The host makes an OpenDAL service of a blob plugin. Paths are relative and normalised, but a backend checks them
//! all the same with [`check_path`]. Memory stays bounded because a large blob comes in parts, each in a call.

use crate::{Error, Result, Settings};

pub use crate::bindings::blob::larder::store::blob::{
    Condition, Description, Features, Instances, Listed, Metadata, Page, PutOptions,
};

/// The largest part, and the largest `put`, of the contract in bytes.
pub const PART_BYTES_MAX: u32 = 8 << 20;

/// A description without restrictions on parts, for a backend whose data is elsewhere.
pub fn description(features: Features) -> Description {
    Description { features, instances: Instances::Many, part_bytes_min: 0, part_bytes_max: PART_BYTES_MAX }
}

/// Refuses a path that is empty, absolute, or has an empty, `.` or `..` part. The path of a folder ends in `/`.
///
/// # Errors
/// `invalid`, with the path.
pub fn check_path(path: &str) -> Result<()> {
    let parts = path.strip_suffix('/').unwrap_or(path);
    let bad = |part: &str| matches!(part, "" | "." | "..") || part.contains('\0');
    if parts.split('/').any(bad) {
        return Err(Error::invalid(format!("the path {path:?} is not relative and normalised")));
    }
    Ok(())
}

/// A blob backend.
pub trait BlobBackend: Sized + 'static {
    /// Makes the instance.
    ///
    /// # Errors
    /// `invalid` for a setting that is unknown, missing or makes no sense, naming it; any other where the backend
    /// can't be used. The plugin is then kept out of service.
    fn configure(settings: Settings) -> Result<Self>;

    /// What this backend is. Asked once, after `configure`.
    fn describe(&self) -> Description;

    /// Is the service behind this plugin reachable and usable?
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// What is known of a blob; none where there is none.
    ///
    /// # Errors
    /// Any but `conflict` and `indeterminate`.
    fn stat(&mut self, path: &str) -> Result<Option<Metadata>>;

    /// Reads a range.
    ///
    /// # Behavior
    /// * Shorter than `length` only at the end of the blob; empty past it; none where there is no blob.
    ///
    /// # Errors
    /// Any but `conflict` and `indeterminate`.
    fn read(&mut self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>>;

    /// Blobs whose paths begin with `prefix`, at most `limit` (1 to 1,000), at any depth, ascending by the bytes of
    /// their paths; never an unfinished one.
    ///
    /// # Errors
    /// `stale-cursor` where the cursor can't be continued from; any but `conflict` and `indeterminate`.
    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page>;

    /// Deletes one blob; deleting what is not there succeeds.
    ///
    /// # Errors
    /// Any but `conflict`.
    fn delete(&mut self, path: &str) -> Result<()>;

    /// Deletes many, answered by position; unless overridden, one by one.
    ///
    /// # Errors
    /// Where none could be tried.
    fn delete_many(&mut self, paths: &[String]) -> Result<Vec<Result<()>>> {
        Ok(paths.iter().map(|path| self.delete(path)).collect())
    }

    /// A whole small blob, atomically: readers see all of it or what was there before.
    ///
    /// # Behavior
    /// * What the backend can't keep or check is `unsupported`; a condition that does not hold is `conflict`.
    /// * Answered when it is durable.
    ///
    /// # Errors
    /// Any; `indeterminate` where it may have happened.
    fn put(&mut self, path: &str, data: Vec<u8>, options: PutOptions) -> Result<Metadata>;

    /// Copies a blob with its metadata, atomically; a missing source is `invalid`. Called only where declared.
    ///
    /// # Errors
    /// Any but `conflict`.
    fn copy(&mut self, source: &str, target: &str) -> Result<()> {
        let _ = (source, target);
        Err(Error::unsupported("this backend can't copy"))
    }

    /// Begins a large blob, in parts. Nothing is visible before [`finish`](Self::finish). Called only where
    /// `multipart` is declared, as are the next three.
    ///
    /// # Behavior
    /// * The token is valid in any instance.
    ///
    /// # Errors
    /// Any but `indeterminate`.
    fn begin(&mut self, path: &str, options: PutOptions) -> Result<String> {
        let _ = (path, options);
        Err(Error::unsupported("this backend has no multipart"))
    }

    /// Stores part `number`, from 0 on; the same part may be sent again. Answers what `finish` wants for it.
    ///
    /// # Errors
    /// Any.
    fn part(&mut self, upload: &str, number: u32, data: Vec<u8>) -> Result<String> {
        let _ = (upload, number, data);
        Err(Error::unsupported("this backend has no multipart"))
    }

    /// Makes the blob of its parts, in their order, atomically. Answered when it is durable.
    ///
    /// # Errors
    /// Any; `conflict` where the condition of `begin` does not hold.
    fn finish(&mut self, upload: &str, parts: Vec<String>) -> Result<Metadata> {
        let _ = (upload, parts);
        Err(Error::unsupported("this backend has no multipart"))
    }

    /// Forgets an upload and its parts; forgetting what is not there succeeds.
    ///
    /// # Errors
    /// Any but `conflict`.
    fn abort(&mut self, upload: &str) -> Result<()> {
        let _ = upload;
        Err(Error::unsupported("this backend has no multipart"))
    }
}

/// The store behind a layer: the functions of [`BlobBackend`], on the host's next store.
#[expect(
    missing_docs,
    clippy::missing_errors_doc,
    reason = "as of BlobBackend, with the next store's errors"
)]
pub trait NextBlob {
    fn describe(&self) -> Result<Description>;
    fn stat(&self, path: &str) -> Result<Option<Metadata>>;
    fn read(&self, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>>;
    fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page>;
    fn delete_many(&self, paths: &[String]) -> Result<Vec<Result<()>>>;
    fn put(&self, path: &str, data: &[u8], options: &PutOptions) -> Result<Metadata>;
    fn copy(&self, source: &str, target: &str) -> Result<()>;
    fn begin(&self, path: &str, options: &PutOptions) -> Result<String>;
    fn part(&self, upload: &str, number: u32, data: &[u8]) -> Result<String>;
    fn finish(&self, upload: &str, parts: &[String]) -> Result<Metadata>;
    fn abort(&self, upload: &str) -> Result<()>;
}

/// A layer in front of another blob store.
///
/// What carries bytes has no default on purpose: a layer that forgets one would let bytes around itself. What
/// carries none is passed on unless overridden.
pub trait BlobLayer: Sized + 'static {
    /// Makes the instance. The next store can't be called yet.
    ///
    /// # Errors
    /// As of [`BlobBackend::configure`].
    fn configure(settings: Settings) -> Result<Self>;

    /// What the store is, seen through this layer.
    ///
    /// # Errors
    /// Those of the next store.
    fn describe(&mut self, next: &dyn NextBlob) -> Result<Description>;

    /// Is the layer usable? The host asks the next store itself.
    ///
    /// # Errors
    /// Whatever stands in the way.
    fn health(&mut self) -> Result<()> {
        Ok(())
    }

    /// As of [`BlobBackend::stat`]. A layer that changes sizes changes them here too.
    ///
    /// # Errors
    /// Those of the next store.
    fn stat(&mut self, next: &dyn NextBlob, path: &str) -> Result<Option<Metadata>>;

    /// As of [`BlobBackend::read`].
    ///
    /// # Errors
    /// Those of the next store, or the layer's.
    fn read(&mut self, next: &dyn NextBlob, path: &str, offset: u64, length: u32) -> Result<Option<Vec<u8>>>;

    /// As of [`BlobBackend::list`].
    ///
    /// # Errors
    /// Those of the next store.
    fn list(&mut self, next: &dyn NextBlob, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page>;

    /// As of [`BlobBackend::delete_many`].
    ///
    /// # Errors
    /// Those of the next store.
    fn delete_many(&mut self, next: &dyn NextBlob, paths: &[String]) -> Result<Vec<Result<()>>> {
        next.delete_many(paths)
    }

    /// As of [`BlobBackend::put`].
    ///
    /// # Errors
    /// Those of the next store, or the layer's.
    fn put(
        &mut self,
        next: &dyn NextBlob,
        path: &str,
        data: Vec<u8>,
        options: PutOptions,
    ) -> Result<Metadata>;

    /// As of [`BlobBackend::copy`].
    ///
    /// # Errors
    /// Those of the next store.
    fn copy(&mut self, next: &dyn NextBlob, source: &str, target: &str) -> Result<()> {
        next.copy(source, target)
    }

    /// As of [`BlobBackend::begin`].
    ///
    /// # Errors
    /// Those of the next store.
    fn begin(&mut self, next: &dyn NextBlob, path: &str, options: PutOptions) -> Result<String>;

    /// As of [`BlobBackend::part`].
    ///
    /// # Errors
    /// Those of the next store, or the layer's.
    fn part(&mut self, next: &dyn NextBlob, upload: &str, number: u32, data: Vec<u8>) -> Result<String>;

    /// As of [`BlobBackend::finish`].
    ///
    /// # Errors
    /// Those of the next store, or the layer's.
    fn finish(&mut self, next: &dyn NextBlob, upload: &str, parts: Vec<String>) -> Result<Metadata>;

    /// As of [`BlobBackend::abort`].
    ///
    /// # Errors
    /// Those of the next store.
    fn abort(&mut self, next: &dyn NextBlob, upload: &str) -> Result<()> {
        next.abort(upload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_relative_normalised_paths_pass() {
        for good in ["a", "a/b.txt", "a/b/", "…/ü"] {
            assert_eq!(check_path(good), Ok(()), "{good:?}");
        }
        for bad in ["", "/", "/a", "a//b", ".", "a/../b", "..", "a/./b", "a//", "a\0"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
    }
}
