//! Folders and files on `wasi:filesystem`.

use wasip2::filesystem::{
    preopens,
    types::{Descriptor, DescriptorFlags, DescriptorType, ErrorCode, OpenFlags, PathFlags},
};

use super::{Access, FileError, FileErrorKind, FileMetadata, FileResult, Kind};

/// How much is asked for in one read; the host answers less where it likes to.
const READ_BYTES_MAX: usize = 1 << 20;

/// How much is handed over in one write: a host bounds what crosses in one call.
const WRITE_BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Folder {
    descriptor: Descriptor,
}

#[derive(Debug)]
pub(super) struct File {
    descriptor: Descriptor,
    path: String,
}

fn failed<'a>(operation: &'a str, path: &'a str) -> impl Fn(ErrorCode) -> FileError + use<'a> {
    move |code| {
        let kind = match code {
            ErrorCode::NoEntry => FileErrorKind::Missing,
            ErrorCode::Exist => FileErrorKind::Exists,
            ErrorCode::Access | ErrorCode::NotPermitted | ErrorCode::ReadOnly => FileErrorKind::Denied,
            ErrorCode::InsufficientSpace | ErrorCode::Quota => FileErrorKind::Full,
            ErrorCode::NotEmpty => FileErrorKind::NotEmpty,
            _ => FileErrorKind::Other,
        };
        FileError { kind, message: format!("{operation} `{path}`: {}", code.message()) }
    }
}

fn kind(descriptor_type: DescriptorType) -> Kind {
    match descriptor_type {
        DescriptorType::RegularFile => Kind::File,
        DescriptorType::Directory => Kind::Folder,
        _ => Kind::Other,
    }
}

/// The system wants a name for the folder itself.
fn here(path: &str) -> &str {
    if path.is_empty() { "." } else { path }
}

impl Folder {
    pub(super) fn open(path: &str) -> FileResult<Self> {
        let mut granted = Vec::new();
        for (descriptor, name) in preopens::get_directories() {
            if name == path {
                return Ok(Self { descriptor });
            }
            if let Some(below) = path.strip_prefix(&name).and_then(|rest| rest.strip_prefix('/')) {
                let above = Self { descriptor };
                return Ok(Self { descriptor: above.folder(below)? });
            }
            granted.push(name);
        }
        let granted = if granted.is_empty() { "none".to_owned() } else { granted.join(", ") };
        let message = format!("no folder is granted as `{path}` (granted: {granted})");
        Err(FileError { kind: FileErrorKind::Denied, message })
    }

    fn folder(&self, path: &str) -> FileResult<Descriptor> {
        let flags = DescriptorFlags::READ | DescriptorFlags::MUTATE_DIRECTORY;
        let open =
            |flags| self.descriptor.open_at(PathFlags::empty(), here(path), OpenFlags::DIRECTORY, flags);
        // A folder that is granted for reading alone opens so.
        open(flags).or_else(|_| open(DescriptorFlags::READ)).map_err(failed("open", path))
    }

    pub(super) fn entries(&self, path: &str) -> FileResult<Vec<(String, Kind)>> {
        let folder = self.folder(path)?;
        let stream = folder.read_directory().map_err(failed("list", path))?;
        let mut found = Vec::new();
        loop {
            match stream.read_directory_entry() {
                Ok(Some(entry)) => found.push((entry.name, kind(entry.type_))),
                Ok(None) => return Ok(found),
                // Gone since the host read its name: whoever else works on the folder removed it.
                Err(ErrorCode::NoEntry) => {}
                Err(error) => return Err(failed("list", path)(error)),
            }
        }
    }

    pub(super) fn metadata(&self, path: &str) -> FileResult<FileMetadata> {
        let stat = self.descriptor.stat_at(PathFlags::empty(), here(path)).map_err(failed("stat", path))?;
        let modified_ms = stat.data_modification_timestamp.map(|time| {
            time.seconds.saturating_mul(1_000).saturating_add(u64::from(time.nanoseconds / 1_000_000))
        });
        Ok(FileMetadata { kind: kind(stat.type_), size: stat.size, modified_ms })
    }

    pub(super) fn file(&self, path: &str, access: Access) -> FileResult<File> {
        let how = match access {
            Access::Read | Access::Write => OpenFlags::empty(),
            Access::Create => OpenFlags::CREATE,
            Access::CreateNew => OpenFlags::CREATE | OpenFlags::EXCLUSIVE,
            Access::Replace => OpenFlags::CREATE | OpenFlags::TRUNCATE,
        };
        let flags = match access {
            Access::Read => DescriptorFlags::READ,
            _ => DescriptorFlags::READ | DescriptorFlags::WRITE,
        };
        let descriptor = self.descriptor.open_at(PathFlags::empty(), path, how, flags);
        Ok(File { descriptor: descriptor.map_err(failed("open", path))?, path: path.to_owned() })
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> FileResult<()> {
        self.descriptor.rename_at(from, &self.descriptor, to).map_err(failed("rename", from))
    }

    pub(super) fn link(&self, from: &str, to: &str) -> FileResult<()> {
        self.descriptor.link_at(PathFlags::empty(), from, &self.descriptor, to).map_err(failed("link", from))
    }

    pub(super) fn remove(&self, path: &str) -> FileResult<()> {
        self.descriptor.unlink_file_at(path).map_err(failed("remove", path))
    }

    pub(super) fn create_folder(&self, path: &str) -> FileResult<()> {
        self.descriptor.create_directory_at(path).map_err(failed("make", path))
    }

    pub(super) fn remove_folder(&self, path: &str) -> FileResult<()> {
        self.descriptor.remove_directory_at(path).map_err(failed("remove", path))
    }

    pub(super) fn sync(&self, path: &str) -> FileResult<()> {
        if path.is_empty() {
            return self.descriptor.sync().map_err(failed("sync", path));
        }
        self.folder(path)?.sync().map_err(failed("sync", path))
    }
}

impl File {
    pub(super) fn size(&self) -> FileResult<u64> {
        Ok(self.descriptor.stat().map_err(failed("stat", &self.path))?.size)
    }

    pub(super) fn read_at(&self, offset: u64, length: usize) -> FileResult<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let wanted = (length - bytes.len()).min(READ_BYTES_MAX);
            if wanted == 0 {
                return Ok(bytes);
            }
            let at = offset.saturating_add(bytes.len() as u64);
            let (read, _) = self.descriptor.read(wanted as u64, at).map_err(failed("read", &self.path))?;
            if read.is_empty() {
                return Ok(bytes);
            }
            if bytes.is_empty() {
                // The usual case, one read: no copy.
                bytes = read;
                continue;
            }
            if bytes.len() == bytes.capacity() {
                // Room for all of it at once: a buffer that doubles would copy everything once more.
                let rest = usize::try_from(self.size()?.saturating_sub(at)).unwrap_or(usize::MAX);
                bytes.reserve_exact(rest.min(length - bytes.len()).max(read.len()));
            }
            bytes.extend_from_slice(&read);
        }
    }

    pub(super) fn write_at(&self, mut offset: u64, mut bytes: &[u8]) -> FileResult<()> {
        while !bytes.is_empty() {
            let part = bytes.get(..WRITE_BYTES_MAX).unwrap_or(bytes);
            let written = self.descriptor.write(part, offset).map_err(failed("write", &self.path))?;
            let rest = usize::try_from(written).ok().filter(|written| *written > 0);
            let Some(rest) = rest.and_then(|written| bytes.get(written..)) else {
                let message = format!("write `{}`: {written} of {} bytes", self.path, bytes.len());
                return Err(FileError { kind: FileErrorKind::Other, message });
            };
            bytes = rest;
            offset = offset.saturating_add(written);
        }
        Ok(())
    }

    pub(super) fn set_size(&self, size: u64) -> FileResult<()> {
        self.descriptor.set_size(size).map_err(failed("resize", &self.path))
    }

    pub(super) fn sync(&self) -> FileResult<()> {
        self.descriptor.sync().map_err(failed("sync", &self.path))
    }
}
