//! Files in a granted folder, read and written in whole buffers, and synced when it matters.
//!
//! `std::fs` works in a plugin too, but goes through an adapter that moves 4 KiB at a time, and can't sync a folder.
//! This goes to `wasi:filesystem` itself. Natively the same interface stands on `std::fs`, so that a plugin's tests
//! run on real files. Paths are relative to the [`Folder`], `/` between their parts.
//!
//! A file is durable after [`File::sync`], its name after [`Folder::sync`] on the folder that it is in.
//!
//! ```
//! use larder_sdk::folder::{Access, FileErrorKind, Folder};
//!
//! # let scratch = std::env::temp_dir().join(format!("larder-sdk-{}", std::process::id()));
//! # std::fs::create_dir_all(&scratch).unwrap();
//! # let granted = scratch.to_str().unwrap();
//! let folder = Folder::open(granted)?; // "/data", or what the grant calls it
//! folder.replace("settings.json", b"{}")?; // all of it or what was there before, durable when it returns
//! assert_eq!(folder.read("settings.json")?, b"{}");
//! assert_eq!(folder.read("nothing").unwrap_err().kind, FileErrorKind::Missing);
//!
//! let log = folder.file("log", Access::Create)?;
//! log.write_at(0, b"entry")?;
//! log.sync()?;
//! folder.sync()?; // the name, too
//! assert_eq!(log.read_at(1, 100)?, b"ntry");
//! # std::fs::remove_dir_all(&scratch).unwrap();
//! # Ok::<(), larder_sdk::folder::FileError>(())
//! ```

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(target_arch = "wasm32")]
mod wasi;

#[cfg(not(target_arch = "wasm32"))]
use native as system;
#[cfg(target_arch = "wasm32")]
use wasi as system;

use std::fmt;

use crate::Error;

/// What a file operation returns.
pub type FileResult<T> = Result<T, FileError>;

/// Why a file operation failed. `?` makes an [`Error`] of it: `denied` for a missing permission, `unavailable` where
/// the disk is full, else `other`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// What to do about it.
    pub kind: FileErrorKind,
    /// What was tried, on which path, and what the system said.
    pub message: String,
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileErrorKind {
    /// There is no such file or folder.
    Missing,
    /// There is one already.
    Exists,
    /// The grant or the system forbids it.
    Denied,
    /// The disk or a quota is full.
    Full,
    /// A folder is not empty.
    NotEmpty,
    /// Anything else.
    Other,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for FileError {}

impl From<FileError> for Error {
    fn from(error: FileError) -> Self {
        match error.kind {
            FileErrorKind::Denied => Error::denied(error.message),
            FileErrorKind::Full => Error::unavailable(error.message),
            _ => Error::other(error.message),
        }
    }
}

/// What a name in a folder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A link, a device or something else.
    Other,
}

/// What is known of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileMetadata {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// When it was last written, in milliseconds since the Unix epoch, where the system says so.
    pub modified_ms: Option<u64>,
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Reading what is there.
    Read,
    /// Reading and writing what is there.
    Write,
    /// Reading and writing; made where it is missing.
    Create,
    /// Reading and writing; `Exists` where it is there.
    CreateNew,
    /// Reading and writing; made where it is missing, emptied where it is there.
    Replace,
}

/// A granted folder, or one below it.
#[derive(Debug)]
pub struct Folder {
    system: system::Folder,
}

/// An open file.
#[derive(Debug)]
pub struct File {
    system: system::File,
}

impl Folder {
    /// Opens a granted folder, or one below it, by the grant's name for it (`/data`).
    ///
    /// # Errors
    /// `Denied` where nothing of that name is granted, naming what is; `Missing` where it is not there.
    pub fn open(path: &str) -> FileResult<Self> {
        Ok(Self { system: system::Folder::open(path)? })
    }

    /// Names and kinds, in no order. What others remove meanwhile may be left out.
    ///
    /// # Errors
    /// Any.
    pub fn entries(&self, path: &str) -> FileResult<Vec<(String, Kind)>> {
        self.system.entries(path)
    }

    /// What is known of a file or folder; links are not followed.
    ///
    /// # Errors
    /// `Missing` and any other.
    pub fn metadata(&self, path: &str) -> FileResult<FileMetadata> {
        self.system.metadata(path)
    }

    /// Opens a file; links are not followed.
    ///
    /// # Errors
    /// `Missing`, `Exists` and any other.
    pub fn file(&self, path: &str, access: Access) -> FileResult<File> {
        Ok(File { system: self.system.file(path, access)? })
    }

    /// The whole of a file.
    ///
    /// # Errors
    /// `Missing` and any other.
    pub fn read(&self, path: &str) -> FileResult<Vec<u8>> {
        let file = self.file(path, Access::Read)?;
        let size = usize::try_from(file.size()?).unwrap_or(usize::MAX);
        file.read_at(0, size)
    }

    /// Replaces a file atomically: written beside it (`.new` after its name), synced, renamed, its folder synced.
    ///
    /// # Errors
    /// Any; the file is then as it was, or new if the last sync failed.
    pub fn replace(&self, path: &str, bytes: &[u8]) -> FileResult<()> {
        let unfinished = format!("{path}.new");
        let file = self.file(&unfinished, Access::Replace)?;
        file.write_at(0, bytes)?;
        file.sync()?;
        self.rename(&unfinished, path)?;
        self.sync_below(path.rsplit_once('/').map_or("", |(parent, _)| parent))
    }

    /// Renames, replacing a file that has the new name.
    ///
    /// # Errors
    /// `Missing` and any other.
    pub fn rename(&self, from: &str, to: &str) -> FileResult<()> {
        self.system.rename(from, to)
    }

    /// Gives a file a second name; `Exists` where the name is taken. With [`rename`](Self::rename) the way to put a
    /// finished file in place only if there is none.
    ///
    /// # Errors
    /// `Missing`, `Exists` and any other.
    pub fn link(&self, from: &str, to: &str) -> FileResult<()> {
        self.system.link(from, to)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// `Missing` and any other.
    pub fn remove(&self, path: &str) -> FileResult<()> {
        self.system.remove(path)
    }

    /// Makes a folder.
    ///
    /// # Errors
    /// `Exists` and any other.
    pub fn create_folder(&self, path: &str) -> FileResult<()> {
        self.system.create_folder(path)
    }

    /// Removes an empty folder.
    ///
    /// # Errors
    /// `Missing`, `NotEmpty` and any other.
    pub fn remove_folder(&self, path: &str) -> FileResult<()> {
        self.system.remove_folder(path)
    }

    /// Makes the names in this folder durable.
    ///
    /// # Errors
    /// Any; what was renamed or made may then be lost in a crash.
    pub fn sync(&self) -> FileResult<()> {
        self.sync_below("")
    }

    /// Makes the names in a folder below this one durable.
    ///
    /// # Errors
    /// As of [`sync`](Self::sync).
    pub fn sync_below(&self, path: &str) -> FileResult<()> {
        self.system.sync(path)
    }
}

impl File {
    /// Size in bytes.
    ///
    /// # Errors
    /// Any.
    pub fn size(&self) -> FileResult<u64> {
        self.system.size()
    }

    /// Reads `length` bytes from `offset` on, less only where the file ends.
    ///
    /// # Errors
    /// Any.
    pub fn read_at(&self, offset: u64, length: usize) -> FileResult<Vec<u8>> {
        self.system.read_at(offset, length)
    }

    /// Writes all bytes at `offset`; a gap is filled with zeros.
    ///
    /// # Errors
    /// Any; a part may have been written.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> FileResult<()> {
        self.system.write_at(offset, bytes)
    }

    /// Cuts the file, or fills it up with zeros.
    ///
    /// # Errors
    /// Any.
    pub fn set_size(&self, size: u64) -> FileResult<()> {
        self.system.set_size(size)
    }

    /// Makes bytes and size durable.
    ///
    /// # Errors
    /// Any. What was written before is then in doubt for good: a second sync that succeeds proves nothing.
    pub fn sync(&self) -> FileResult<()> {
        self.system.sync()
    }
}

#[cfg(test)]
mod tests;
