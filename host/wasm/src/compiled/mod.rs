//! The cache of compiled components: a private folder on the disk.
//!
//! An entry is native code that this process will run, so it is believed only if larder wrote it: it carries a keyed hash
//! over what it says of itself and over the code, and the key is a file of the same folder that nobody else may read. An entry
//! is found by the component's [`Fingerprint`] and by everything of the engine that decides what code it makes. What is
//! damaged, foreign, moved or older than the key is told in the log, removed, and compiled anew; no trouble of the
//! cache is ever an error of a plugin.
//!
//! The invariant: [`code::Authenticated`] is made by [`entry`] alone, of bytes that were hashed as they were copied
//! to where nobody changes them; and nothing else becomes a component without being compiled.
//!
//! Whoever can write as this user, or as root, can change this process as well; against them nothing here helps, nor is it
//! meant to. It helps against folders that others may write, copied or restored caches, and disks.

mod bound;
mod code;
mod entry;
mod folder;
mod key;

use std::{
    fs::File,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

use larder_core::Result;
use wasmtime::component::Component;

use self::{
    entry::{Address, Fault},
    folder::Folder,
    key::Key,
};
use crate::source::Fingerprint;

/// How many bytes the entries of a folder may have together, where nobody says it: about forty interpreters, or thousands
/// of plugins in Rust.
pub(crate) const FOLDER_BYTES_MAX: u64 = 1 << 30;

/// An open cache.
pub(crate) struct Cache {
    path: PathBuf,
    folder: Folder,
    key: Key,
    /// What the engine's code depends on.
    engine: [u8; 32],
    bytes_max: u64,
}

/// A component of the cache, with the SHA-256 that it had when it was compiled.
pub(crate) struct Cached {
    pub(crate) component: Component,
    pub(crate) digest: String,
}

/// What the cache has of a component.
pub(crate) enum Lookup {
    /// The component.
    Found(Cached),
    /// Nothing.
    Absent,
    /// Something that was not to be believed, and is gone.
    Refused,
}

impl Cache {
    /// Opens the folder, which is made if it is not there.
    ///
    /// # Errors
    /// `config` or `unavailable` where it is not private or can't be used; the message says what to do.
    pub(crate) fn open(path: &Path, bytes_max: u64, engine: &wasmtime::Engine) -> Result<Self> {
        let about = |e: larder_core::Error| e.with("folder", path.display());
        let folder = Folder::open(path).map_err(about)?;
        let key = Key::of(&folder).map_err(about)?;
        let mut hasher = Hashing(blake3::Hasher::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { path: path.to_owned(), folder, key, engine: *hasher.0.finalize().as_bytes(), bytes_max })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Looks a component up. Blocks for the disk.
    pub(crate) fn get(&self, engine: &wasmtime::Engine, fingerprint: &Fingerprint) -> Lookup {
        let address = self.address(fingerprint);
        let name = address.file_name();
        let file = match self.folder.open_file(&name) {
            Ok(Some(file)) => file,
            Ok(None) => return Lookup::Absent,
            Err(error) => {
                self.refuse(&name, None, &Fault::from(error));
                return Lookup::Refused;
            }
        };
        match self.read(engine, &file, &address) {
            Ok(cached) => {
                if let Err(error) = folder::touch(&file) {
                    tracing::debug!(entry = name, %error, "the time of use can't be kept");
                }
                Lookup::Found(cached)
            }
            Err(fault) => {
                self.refuse(&name, Some(&file), &fault);
                Lookup::Refused
            }
        }
    }

    fn read(
        &self,
        engine: &wasmtime::Engine,
        file: &File,
        address: &Address,
    ) -> std::result::Result<Cached, Fault> {
        folder::check_private(file)?;
        let entry = entry::read(file, &self.key, address)?;
        let component = code::load(engine, entry.code).map_err(|e| Fault::new(format!("{e:#}")))?;
        Ok(Cached { component, digest: entry.digest })
    }

    /// Keeps a component that was compiled. Blocks for the disk. That it can't be kept is told in the log.
    pub(crate) fn put(&self, fingerprint: &Fingerprint, digest: &str, component: &Component) {
        let address = self.address(fingerprint);
        let name = address.file_name();
        if let Err(reason) = self.try_put(&address, &name, digest, component) {
            tracing::warn!(folder = %self.path.display(), reason, "a compiled component can't be kept");
        }
    }

    fn try_put(
        &self,
        address: &Address,
        name: &str,
        digest: &str,
        component: &Component,
    ) -> std::result::Result<(), String> {
        let code = component.serialize().map_err(|e| format!("{e:#}"))?;
        let header = entry::header(&self.key, address, digest, &code).map_err(|e| e.to_string())?;
        if (header.len() + code.len()) as u64 > self.bytes_max {
            return Err(format!("it has {} bytes, more than the whole folder may have", code.len()));
        }
        let written = self.folder.write_file(name, &[&header, &code]);
        written.and_then(|()| bound::hold(&self.folder, self.bytes_max, name)).map_err(|e| e.to_string())
    }

    /// Says what is wrong with an entry, and removes it if it is still the one that was looked at.
    fn refuse(&self, name: &str, file: Option<&File>, fault: &Fault) {
        tracing::warn!(
            folder = %self.path.display(),
            entry = name,
            "an entry of the cache of compiled components is not used, and removed: {fault}"
        );
        if let Err(error) = self.folder.remove(name, file) {
            tracing::warn!(folder = %self.path.display(), entry = name, %error, "it can't be removed");
        }
    }

    fn address(&self, fingerprint: &Fingerprint) -> Address {
        Address { fingerprint: *fingerprint, engine: self.engine }
    }
}

/// Feeds what can be hashed to BLAKE3: all of the hash is wanted, not 64 bits of it.
struct Hashing(blake3::Hasher);

impl Hasher for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let hash = self.0.finalize();
        hash.as_bytes().first_chunk().map_or(0, |first| u64::from_le_bytes(*first))
    }
}

#[cfg(test)]
mod tests;
