//! The lock on a store's folder: one process, and one store in it, at a time.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use larder_core::{Error, ErrorKind, Result};

use super::error;

/// Name of the lock file in the folder. It stays there; only the lock on it means something.
const LOCK_FILE: &str = "lock";

/// Most bytes that are read of a lock file: a process id has fewer.
const PID_BYTES_MAX: u64 = 32;

/// Holds the folder. The operating system releases it when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// Takes the folder, and writes this process's id into the lock file for whoever comes second.
    ///
    /// # Errors
    /// `unavailable` where another store has it, naming the folder and the process; else what the
    /// file system says.
    pub(super) fn take(folder: &Path) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(folder.join(LOCK_FILE))
            .map_err(error::io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(folder, &mut file)),
            Err(TryLockError::Error(cause)) => return Err(error::io(cause)),
        }
        // The lock holds without it: on a full disk a store can still be opened and read.
        if let Err(cause) = write_pid(&mut file) {
            tracing::warn!(folder = %folder.display(), %cause, "the lock file could not be written");
        }
        Ok(Self { _file: file })
    }
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn taken(folder: &Path, file: &mut File) -> Error {
    let mut pid = String::new();
    let known = file.take(PID_BYTES_MAX).read_to_string(&mut pid).is_ok() && !pid.is_empty();
    let owner = if known { pid.as_str() } else { "unknown" };
    let message = if owner == std::process::id().to_string() {
        "this process has the folder open already"
    } else {
        "another process has the folder open"
    };
    Error::new(ErrorKind::Unavailable, message).with("folder", folder.display()).with("pid", owner)
}
