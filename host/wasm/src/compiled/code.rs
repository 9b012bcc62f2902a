//! From authenticated bytes to a component.
//!
//! On Linux the bytes are in sealed memory (a `memfd` that nobody can write, shrink or grow any more), which wasmtime maps:
//! no further copy is made, neither of the code nor of the memory image of an interpreter. Elsewhere, and where the
//! system gives no such memory, wasmtime copies them.
#![expect(
    unsafe_code,
    reason = "wasmtime can't know that an artifact is its own; `Authenticated` says so, and is the only way in"
)]

use std::{fs::File, io};

use wasmtime::{Engine, component::Component};

/// Bytes that are being read, and are not to be believed yet.
pub(super) struct Collecting(Memory);

/// Code that larder's own engine made, in bytes that nobody changes any more.
pub(super) struct Authenticated(Memory);

enum Memory {
    #[cfg(target_os = "linux")]
    Sealed(File),
    Plain(Vec<u8>),
}

impl Collecting {
    pub(super) fn new(length: usize) -> Self {
        #[cfg(target_os = "linux")]
        match sealed::create() {
            Ok(file) => return Self(Memory::Sealed(file)),
            Err(error) => tracing::debug!(%error, "no sealed memory; code is copied instead"),
        }
        Self(Memory::Plain(Vec::with_capacity(length)))
    }

    pub(super) fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.0 {
            #[cfg(target_os = "linux")]
            Memory::Sealed(file) => io::Write::write_all(file, piece),
            Memory::Plain(bytes) => {
                bytes.extend_from_slice(piece);
                Ok(())
            }
        }
    }

    /// Another handle to the memory, which whoever had it from the beginning could write through.
    #[cfg(all(test, target_os = "linux"))]
    pub(super) fn sealed_file(&self) -> Option<File> {
        match &self.0 {
            Memory::Sealed(file) => file.try_clone().ok(),
            Memory::Plain(_) => None,
        }
    }

    /// Says that the bytes were authenticated; nothing can change them from here on.
    pub(super) fn authenticated(self) -> io::Result<Authenticated> {
        #[cfg(target_os = "linux")]
        if let Memory::Sealed(file) = &self.0 {
            sealed::seal(file)?;
        }
        Ok(Authenticated(self.0))
    }
}

/// Makes a component of code, without compiling anything.
pub(super) fn load(engine: &Engine, code: Authenticated) -> wasmtime::Result<Component> {
    match code.0 {
        #[cfg(target_os = "linux")]
        Memory::Sealed(file) => {
            // SAFETY: the bytes are an artifact of `Component::serialize`, as their MAC says, and the file is sealed: it can't
            // change while it is mapped.
            let mapped = unsafe { Component::deserialize_file(engine, sealed::path(&file)) };
            if mapped.is_ok() {
                return mapped;
            }
            // No `/proc` here, or one that lets nobody open it.
            let bytes = sealed::read(&file)?;
            // SAFETY: as above, of bytes that are copied out of the sealed file.
            unsafe { Component::deserialize(engine, bytes) }
        }
        // SAFETY: the bytes are an artifact of `Component::serialize`, as their MAC says, and nobody else has them.
        Memory::Plain(bytes) => unsafe { Component::deserialize(engine, bytes) },
    }
}

#[cfg(target_os = "linux")]
mod sealed {
    use std::{fs::File, io, os::fd::AsRawFd as _, os::unix::fs::FileExt as _, path::PathBuf};

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    pub(super) fn create() -> io::Result<File> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        Ok(File::from(memfd_create("larder-compiled", flags)?))
    }

    pub(super) fn seal(file: &File) -> io::Result<()> {
        let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
        Ok(fcntl_add_seals(file, seals)?)
    }

    /// A component can only be mapped from a path; this is the one of the open file.
    pub(super) fn path(file: &File) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    }

    pub(super) fn read(file: &File) -> io::Result<Vec<u8>> {
        let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    }
}
