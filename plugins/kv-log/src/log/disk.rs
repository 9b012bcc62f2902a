//! What the log needs of a file system, so that tests can put one in its place that fails and crashes.

use std::collections::HashMap;

use larder_sdk::Result;
use larder_sdk::folder::{Access, File, FileError, FileErrorKind, Folder, Kind};

/// Open files kept, besides the one that was used last. A host bounds a plugin's handles.
const OPEN_FILES_MAX: usize = 32;

/// A flat folder of files.
pub(crate) trait Disk {
    /// The names of all files.
    fn names(&mut self) -> Result<Vec<String>>;

    /// A file's size in bytes.
    fn size(&mut self, name: &str) -> Result<u64>;

    /// Reads from `offset` on, less than `length` only where the file ends.
    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>>;

    /// Writes at `offset`; makes the file where it is missing.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Cuts a file.
    fn truncate(&mut self, name: &str, size: u64) -> Result<()>;

    /// Makes a file's bytes and size durable.
    fn sync(&mut self, name: &str) -> Result<()>;

    /// Renames a file, replacing what has the name.
    fn rename(&mut self, from: &str, to: &str) -> Result<()>;

    /// Removes a file; one that is not there is removed.
    fn remove(&mut self, name: &str) -> Result<()>;

    /// Makes names durable.
    fn sync_names(&mut self) -> Result<()>;
}

/// The granted folder.
#[derive(Debug)]
pub(crate) struct FolderDisk {
    folder: Folder,
    open: HashMap<String, File>,
}

impl FolderDisk {
    pub(crate) fn new(folder: Folder) -> Self {
        Self { folder, open: HashMap::new() }
    }

    fn file(&mut self, name: &str, access: Access) -> Result<&File, FileError> {
        if !self.open.contains_key(name) {
            if self.open.len() >= OPEN_FILES_MAX {
                self.open.clear();
            }
            let file = self.folder.file(name, access)?;
            self.open.insert(name.to_owned(), file);
        }
        let missing = || FileError { kind: FileErrorKind::Missing, message: format!("open `{name}`") };
        self.open.get(name).ok_or_else(missing)
    }
}

impl Disk for FolderDisk {
    fn names(&mut self) -> Result<Vec<String>> {
        let entries = self.folder.entries("")?;
        Ok(entries.into_iter().filter(|(_, kind)| *kind == Kind::File).map(|(name, _)| name).collect())
    }

    fn size(&mut self, name: &str) -> Result<u64> {
        Ok(self.file(name, Access::Write)?.size()?)
    }

    fn read(&mut self, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
        Ok(self.file(name, Access::Write)?.read_at(offset, length)?)
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        Ok(self.file(name, Access::Create)?.write_at(offset, bytes)?)
    }

    fn truncate(&mut self, name: &str, size: u64) -> Result<()> {
        Ok(self.file(name, Access::Write)?.set_size(size)?)
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        Ok(self.file(name, Access::Write)?.sync()?)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        self.open.remove(to);
        self.folder.rename(from, to)?;
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.open.remove(name);
        match self.folder.remove(name) {
            Err(error) if error.kind != FileErrorKind::Missing => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn sync_names(&mut self) -> Result<()> {
        Ok(self.folder.sync()?)
    }
}
