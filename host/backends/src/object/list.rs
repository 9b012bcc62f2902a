//! Listing a folder: ascending by the bytes of the paths, without what is unfinished.
//!
//! A folder's names are read and sorted at once, so that memory is bounded by the folders on the way from the
//! root to the current one, not by the listing.

use std::{fs, io, path::Path, sync::Arc};

use opendal::{
    EntryMode, MetadataBuilder, Result,
    raw::{Timestamp, oio},
};

use super::{
    disk::{Disk, STAGING},
    service::{blocking, io_error},
};

/// Lists what begins with a prefix, in one folder or all below it.
pub(super) struct FolderLister {
    disk: Arc<Disk>,
    /// The rest of each folder on the way, the current one last.
    open: Vec<std::vec::IntoIter<Found>>,
    /// The folder to begin with and what its names must begin with; none once it has been read.
    start: Option<(String, String)>,
    recursive: bool,
}

/// A name in a folder, as a path inside of the store; that of a folder ends in `/`.
struct Found {
    path: String,
    mode: EntryMode,
}

impl FolderLister {
    pub(super) fn new(disk: Arc<Disk>, path: &str, recursive: bool) -> Self {
        let prefix = if path == "/" { "" } else { path };
        let (folder, name) = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1));
        Self { disk, open: Vec::new(), start: Some((folder.to_owned(), name.to_owned())), recursive }
    }

    async fn enter(&mut self, folder: String, name: String) -> Result<()> {
        let disk = self.disk.clone();
        let found = blocking(move || names(disk.root(), &folder, &name)).await?.map_err(io_error)?;
        self.open.push(found.into_iter());
        Ok(())
    }

    async fn entry(&self, found: Found) -> Result<Option<oio::Entry>> {
        let path = self.disk.root().join(&found.path);
        let metadata = match blocking(move || fs::metadata(path)).await? {
            Ok(metadata) => metadata,
            // Deleted since its folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error(error)),
        };
        let mut builder = match found.mode {
            EntryMode::DIR => MetadataBuilder::dir(),
            _ => MetadataBuilder::file(metadata.len()),
        };
        if let Ok(modified) = metadata.modified() {
            builder.last_modified(Timestamp::try_from(modified)?);
        }
        Ok(Some(oio::Entry::with(found.path, builder.build())))
    }
}

impl oio::List for FolderLister {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        if let Some((folder, name)) = self.start.take() {
            self.enter(folder, name).await?;
        }
        while let Some(folder) = self.open.last_mut() {
            let Some(found) = folder.next() else {
                self.open.pop();
                continue;
            };
            if self.recursive && found.mode == EntryMode::DIR {
                self.enter(found.path, String::new()).await?;
            } else if let Some(entry) = self.entry(found).await? {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// The blobs and folders in a folder whose names begin with `name`, ascending.
fn names(root: &Path, folder: &str, name: &str) -> io::Result<Vec<Found>> {
    let entries = match fs::read_dir(root.join(folder)) {
        Ok(entries) => entries,
        // There are no blobs below what is no folder.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let file_name = entry.file_name();
        // A name that is no UTF-8 was never given to a blob.
        let Some(own) = file_name.to_str().filter(|own| own.starts_with(name)) else { continue };
        if folder.is_empty() && own == STAGING {
            continue;
        }
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if kind.is_dir() {
            found.push(Found { path: format!("{folder}{own}/"), mode: EntryMode::DIR });
        } else if kind.is_file() {
            found.push(Found { path: format!("{folder}{own}"), mode: EntryMode::FILE });
        }
    }
    // With the `/` of folders, this is the order of the whole paths below them.
    found.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}
