//! A folder that nobody else may write, and its files.
//!
//! It is opened once, without following a link, and everything goes through that handle: another folder that is put in
//! its place later is not looked at. Files come into being whole, by a rename.

use std::{
    fs::{DirBuilder, File},
    io::{self, Write as _},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt as _, MetadataExt as _},
    },
    path::Path,
};

use larder_core::{Error, ErrorKind, Result};
use rustix::{
    fs::{self, AtFlags, Mode, OFlags},
    io::Errno,
};

/// The beginning of the names of files that are being written.
pub(super) const UNFINISHED: &str = "new-";

/// Bits of those who are not the owner: to write, and any.
const OTHERS_WRITE: u32 = 0o022;
const OTHERS: u32 = 0o077;

/// An open folder.
pub(super) struct Folder(OwnedFd);

/// What is in it, as far as it matters for its bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// Seconds and nanoseconds of its last use.
    pub(super) used: (i64, i64),
}

impl Folder {
    /// Opens a folder, and makes it if it is not there.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let unusable = |e: io::Error| {
            Error::new(ErrorKind::Unavailable, "the folder of compiled components can't be used").caused_by(e)
        };
        let refused = |why: String| {
            Error::config(format!(
                "the folder of compiled components {why}: its files are run as code; name another folder, or give it to this user alone (`chmod 700`)"
            ))
        };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::RDONLY;
        let folder = match fs::open(path, flags, Mode::empty()) {
            Ok(folder) => File::from(folder),
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(refused("is a symbolic link".to_owned())),
            Err(error) => return Err(unusable(error.into())),
        };
        let about = folder.metadata().map_err(unusable)?;
        if about.uid() != rustix::process::geteuid().as_raw() {
            return Err(refused("belongs to another user".to_owned()));
        }
        if about.mode() & OTHERS_WRITE != 0 {
            return Err(refused(format!("may be written by others (mode {:o})", about.mode() & 0o7777)));
        }
        Ok(Self(folder.into()))
    }

    /// Opens a file, to read it. None where there is none; a link is an error.
    pub(super) fn open_file(&self, name: &str) -> io::Result<Option<File>> {
        // A pipe in its place must not make anybody wait.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        match fs::openat(&self.0, name, flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP) => Err(io::Error::other("it is a symbolic link")),
            Err(error) => Err(error.into()),
        }
    }

    /// Writes a file, whole or not at all, in the place of what has that name. It is not forced to the disk: what a power
    /// loss leaves of it is no entry, and is compiled again.
    pub(super) fn write_file(&self, name: &str, pieces: &[&[u8]]) -> io::Result<()> {
        let unfinished = self.write_unfinished(pieces)?;
        self.unless_removed(&unfinished, fs::renameat(&self.0, &unfinished, &self.0, name))
    }

    /// Writes a file if there is none of that name, on the disk before anybody sees it.
    pub(super) fn write_file_once(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let unfinished = self.write_unfinished(&[bytes])?;
        let linked = fs::linkat(&self.0, &unfinished, &self.0, name, AtFlags::empty());
        fs::unlinkat(&self.0, &unfinished, AtFlags::empty())?;
        match linked {
            // Another process was first.
            Ok(()) | Err(Errno::EXIST) => Ok(fs::fsync(&self.0)?),
            Err(error) => Err(error.into()),
        }
    }

    fn write_unfinished(&self, pieces: &[&[u8]]) -> io::Result<String> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let name = format!("{UNFINISHED}{}", crate::source::hex(&random));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(fs::openat(&self.0, &name, flags, Mode::RUSR | Mode::WUSR)?);
        let written = pieces.iter().try_for_each(|piece| file.write_all(piece));
        self.unless_removed(&name, written)?;
        Ok(name)
    }

    /// After a failure nothing unfinished stays.
    fn unless_removed<E: Into<io::Error>>(
        &self,
        unfinished: &str,
        done: std::result::Result<(), E>,
    ) -> io::Result<()> {
        done.map_err(|error| {
            let error = error.into();
            match fs::unlinkat(&self.0, unfinished, AtFlags::empty()) {
                Ok(()) => error,
                Err(also) => io::Error::new(error.kind(), format!("{error}; and {unfinished} stays: {also}")),
            }
        })
    }

    /// Removes what has that name; with `file`, only where it still is that file. That there is none is no failure.
    pub(super) fn remove(&self, name: &str, file: Option<&File>) -> io::Result<()> {
        let there = match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => there,
            Err(Errno::NOENT) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if let Some(file) = file {
            let known = fs::fstat(file)?;
            if (known.st_dev, known.st_ino) != (there.st_dev, there.st_ino) {
                return Ok(());
            }
        }
        let flags = match fs::FileType::from_raw_mode(there.st_mode) {
            fs::FileType::Directory => AtFlags::REMOVEDIR,
            _ => AtFlags::empty(),
        };
        match fs::unlinkat(&self.0, name, flags) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// The files. One that goes while it is looked at is left out.
    pub(super) fn list(&self) -> io::Result<Vec<Item>> {
        let mut items = Vec::new();
        for found in fs::Dir::read_from(&self.0)? {
            let found = found?;
            let Ok(name) = found.file_name().to_str() else { continue };
            match fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(about) if fs::FileType::from_raw_mode(about.st_mode) == fs::FileType::RegularFile => {
                    items.push(Item {
                        name: name.to_owned(),
                        bytes: u64::try_from(about.st_size).unwrap_or(0),
                        used: (about.st_mtime, i64::try_from(about.st_mtime_nsec).unwrap_or(0)),
                    });
                }
                Ok(_) | Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(items)
    }
}

/// Refuses a file that is none, is not ours, or that others may write.
pub(super) fn check_private(file: &File) -> io::Result<()> {
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if about.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it belongs to another user"));
    }
    if about.mode() & OTHERS_WRITE != 0 {
        return Err(io::Error::other(format!("others may write it (mode {:o})", about.mode() & 0o7777)));
    }
    Ok(())
}

/// Refuses a file that others may read.
pub(super) fn check_secret(file: &File) -> io::Result<()> {
    let mode = file.metadata()?.mode();
    if mode & OTHERS != 0 {
        return Err(io::Error::other(format!("others may read it (mode {:o})", mode & 0o7777)));
    }
    Ok(())
}

/// Notes that a file was used.
pub(super) fn touch(file: &File) -> io::Result<()> {
    let now = fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW };
    let leave = fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT };
    Ok(fs::futimens(file, &fs::Timestamps { last_access: leave, last_modification: now })?)
}
