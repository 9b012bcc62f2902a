//! Folders and files on `std::fs`, for native tests of plugins.

use std::{
    fs::{self, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::PathBuf,
    time::UNIX_EPOCH,
};

use super::{Access, FileError, FileErrorKind, FileMetadata, FileResult, Kind};

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

#[derive(Debug)]
pub(super) struct File {
    file: fs::File,
    path: String,
}

fn failed<'a>(operation: &'a str, path: &'a str) -> impl Fn(io::Error) -> FileError + use<'a> {
    move |error| {
        let kind = match error.kind() {
            ErrorKind::NotFound => FileErrorKind::Missing,
            ErrorKind::AlreadyExists => FileErrorKind::Exists,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => FileErrorKind::Denied,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FileErrorKind::Full,
            ErrorKind::DirectoryNotEmpty => FileErrorKind::NotEmpty,
            _ => FileErrorKind::Other,
        };
        FileError { kind, message: format!("{operation} `{path}`: {error}") }
    }
}

fn kind(file_type: fs::FileType) -> Kind {
    match () {
        () if file_type.is_file() => Kind::File,
        () if file_type.is_dir() => Kind::Folder,
        () => Kind::Other,
    }
}

impl Folder {
    pub(super) fn open(path: &str) -> FileResult<Self> {
        fs::read_dir(path).map_err(failed("open", path))?;
        Ok(Self { root: path.into() })
    }

    pub(super) fn entries(&self, path: &str) -> FileResult<Vec<(String, Kind)>> {
        let failed = failed("list", path);
        let entries = fs::read_dir(self.root.join(path)).map_err(&failed)?;
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(&failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match entry.file_type() {
                Ok(file_type) => found.push((name, kind(file_type))),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(found)
    }

    pub(super) fn metadata(&self, path: &str) -> FileResult<FileMetadata> {
        let metadata = fs::symlink_metadata(self.root.join(path)).map_err(failed("stat", path))?;
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Ok(FileMetadata {
            kind: kind(metadata.file_type()),
            size: metadata.len(),
            modified_ms: modified.and_then(|since| u64::try_from(since.as_millis()).ok()),
        })
    }

    pub(super) fn file(&self, path: &str, access: Access) -> FileResult<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(access != Access::Read);
        match access {
            Access::Read | Access::Write => {}
            Access::Create => _ = options.create(true).truncate(false),
            Access::CreateNew => _ = options.create_new(true),
            Access::Replace => _ = options.create(true).truncate(true),
        }
        let file = options.open(self.root.join(path)).map_err(failed("open", path))?;
        Ok(File { file, path: path.to_owned() })
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> FileResult<()> {
        fs::rename(self.root.join(from), self.root.join(to)).map_err(failed("rename", from))
    }

    pub(super) fn link(&self, from: &str, to: &str) -> FileResult<()> {
        fs::hard_link(self.root.join(from), self.root.join(to)).map_err(failed("link", from))
    }

    pub(super) fn remove(&self, path: &str) -> FileResult<()> {
        fs::remove_file(self.root.join(path)).map_err(failed("remove", path))
    }

    pub(super) fn create_folder(&self, path: &str) -> FileResult<()> {
        fs::create_dir(self.root.join(path)).map_err(failed("make", path))
    }

    pub(super) fn remove_folder(&self, path: &str) -> FileResult<()> {
        fs::remove_dir(self.root.join(path)).map_err(failed("remove", path))
    }

    pub(super) fn sync(&self, path: &str) -> FileResult<()> {
        let folder = fs::File::open(self.root.join(path)).map_err(failed("open", path))?;
        folder.sync_all().map_err(failed("sync", path))
    }
}

impl File {
    pub(super) fn size(&self) -> FileResult<u64> {
        Ok(self.file.metadata().map_err(failed("stat", &self.path))?.len())
    }

    pub(super) fn read_at(&self, offset: u64, length: usize) -> FileResult<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", &self.path)(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    pub(super) fn write_at(&self, offset: u64, bytes: &[u8]) -> FileResult<()> {
        self.file.write_all_at(bytes, offset).map_err(failed("write", &self.path))
    }

    pub(super) fn set_size(&self, size: u64) -> FileResult<()> {
        self.file.set_len(size).map_err(failed("resize", &self.path))
    }

    pub(super) fn sync(&self) -> FileResult<()> {
        self.file.sync_all().map_err(failed("sync", &self.path))
    }
}
