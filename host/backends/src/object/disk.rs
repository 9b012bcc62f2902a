//! The folder itself: where unfinished blobs are staged, how one becomes visible, and what is synced when.
//!
//! Everything here blocks and is called from blocking threads. The one invariant: a path of the store names
//! either nothing or a whole blob with its metadata.

use std::{
    collections::hash_map::RandomState,
    fs::{self, File, TryLockError},
    hash::BuildHasher,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use larder_core::{Error, ErrorKind, Result};

/// The folder of unfinished blobs, hidden from every operation.
pub(super) const STAGING: &str = ".larder";

/// The extended attribute that holds the content type: the one that freedesktop.org names.
const MIME_TYPE: &str = "mime_type";

/// How often a blob's folder is made again where someone else removes it as empty in between.
const PUBLISH_TRIES: u32 = 16;

/// What may be there when a blob becomes visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replace {
    /// Whatever is there is replaced.
    Any,
    /// Nothing may be there.
    Absent,
}

#[derive(Debug)]
pub(super) struct Disk {
    root: PathBuf,
    keeps_metadata: bool,
    /// Held shared as long as this process may have unfinished blobs.
    _lock: File,
    nonce: u64,
    next: AtomicU64,
}

/// A file in the staging folder. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Staged {
    path: PathBuf,
    name: String,
}

impl Staged {
    /// Its path inside of the root, as OpenDAL's service wants it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        match fs::remove_file(&self.path) {
            Ok(()) => {}
            // Published, or never created.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(file = %self.path.display(), %error, "an unfinished blob stays behind")
            }
        }
    }
}

impl Disk {
    /// Opens the folder, makes it where it is missing, and removes what an interrupted process left.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let failed = |what: &'static str| {
            move |error: io::Error| {
                let kind = match error.kind() {
                    io::ErrorKind::PermissionDenied => ErrorKind::Denied,
                    _ => ErrorKind::Config,
                };
                Error::new(kind, what).with("folder", root.display()).caused_by(error)
            }
        };
        let created = !root.exists();
        fs::create_dir_all(root).map_err(failed("the folder for blobs can't be made"))?;
        let root = root.canonicalize().map_err(failed("the folder for blobs can't be found"))?;
        if created && let Some(parent) = root.parent() {
            sync_folder(parent).map_err(failed("the folder for blobs can't be synced"))?;
        }
        let staging = root.join(STAGING);
        fs::create_dir_all(&staging).map_err(failed("the folder for unfinished blobs can't be made"))?;
        let lock = lock(&staging).map_err(failed("the folder for unfinished blobs can't be prepared"))?;
        let keeps_metadata = try_metadata(&staging);
        Ok(Self {
            root,
            keeps_metadata,
            _lock: lock,
            nonce: RandomState::new().hash_one(std::process::id()),
            next: AtomicU64::new(0),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the file system keeps extended attributes.
    pub(super) fn keeps_metadata(&self) -> bool {
        self.keeps_metadata
    }

    /// A name for an unfinished blob that no one else uses, in this process or another.
    pub(super) fn stage(&self) -> Staged {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("{STAGING}/{:016x}-{number}", self.nonce);
        Staged { path: self.root.join(&name), name }
    }

    /// Creates the staged file with its metadata, before its bytes.
    pub(super) fn create(
        &self,
        staged: &Staged,
        content_type: Option<&str>,
        user: &[(String, String)],
    ) -> io::Result<()> {
        File::create_new(&staged.path)?;
        if let Some(value) = content_type {
            xattr::set(&staged.path, format!("user.{MIME_TYPE}"), value.as_bytes())?;
        }
        for (name, value) in user {
            xattr::set(&staged.path, format!("user.{name}"), value.as_bytes())?;
        }
        Ok(())
    }

    /// Copies a blob into a staged file, with its metadata, and syncs it. Answers its size.
    pub(super) fn copy(&self, source: &str, staged: &Staged) -> io::Result<u64> {
        let source = self.root.join(source);
        if !fs::metadata(&source)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let mut from = File::open(&source)?;
        let mut to = File::create_new(&staged.path)?;
        let bytes = io::copy(&mut from, &mut to)?;
        if self.keeps_metadata {
            for name in xattr::list(&source)? {
                if name.to_string_lossy().starts_with("user.")
                    && let Some(value) = xattr::get(&source, &name)?
                {
                    xattr::set(&staged.path, &name, &value)?;
                }
            }
        }
        to.sync_all()?;
        Ok(bytes)
    }

    /// Makes a staged, synced file visible at `path` and syncs the folders on the way to it.
    ///
    /// Until the file has its name, an error has changed nothing; after it, the error says that the
    /// durability is in doubt, and the blob is there.
    pub(super) fn publish(&self, staged: Staged, path: &str, replace: Replace) -> io::Result<()> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root).to_owned();
        let mut tries = 0;
        loop {
            make_folder(&folder)?;
            let named = match replace {
                Replace::Any => fs::rename(&staged.path, &target),
                // A link is the one way to take a name only if it is free.
                Replace::Absent => fs::hard_link(&staged.path, &target),
            };
            tries += 1;
            match named {
                Ok(()) => break,
                // A delete found the folder empty and removed it.
                Err(error) if error.kind() == io::ErrorKind::NotFound && tries < PUBLISH_TRIES => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && target.is_dir() => {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                Err(error) => return Err(error),
            }
        }
        drop(staged);
        self.sync_up(&folder)
    }

    /// Gives a blob another name, replacing what has it.
    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (source, target) = (self.root.join(from), self.root.join(to));
        if !fs::metadata(&source)?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        let folder = target.parent().unwrap_or(&self.root).to_owned();
        make_folder(&folder)?;
        fs::rename(&source, &target)?;
        self.sync_up(&folder)?;
        self.prune(source.parent())
    }

    /// Removes a blob, and the folders that are empty without it. Removing what is not there succeeds.
    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        let target = self.root.join(path);
        let removed = if path.ends_with('/') { fs::remove_dir(&target) } else { fs::remove_file(&target) };
        match removed {
            Ok(()) => self.prune(target.parent()),
            Err(error) => match error.kind() {
                // A folder has no blob of its own name.
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => {
                    Ok(())
                }
                _ => Err(error),
            },
        }
    }

    /// Makes a folder that lasts as long as something does in it.
    pub(super) fn create_folder(&self, path: &str) -> io::Result<()> {
        let folder = self.root.join(path);
        make_folder(&folder)?;
        self.sync_up(&folder)
    }

    /// Removes folders that became empty, from `folder` up, and syncs the first that stays.
    fn prune(&self, folder: Option<&Path>) -> io::Result<()> {
        let mut current = folder;
        while let Some(folder) = current {
            if folder == self.root || fs::remove_dir(folder).is_err() {
                match sync_folder(folder) {
                    // Someone else removed it, and syncs what stays.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    other => return other,
                }
            }
            current = folder.parent().filter(|parent| parent.starts_with(&self.root));
        }
        Ok(())
    }

    /// Syncs a folder and its ancestors up to the root: another writer may have made any of them and not have
    /// come to syncing it. For a folder without changes this costs next to nothing.
    fn sync_up(&self, folder: &Path) -> io::Result<()> {
        for folder in folder.ancestors().take_while(|folder| folder.starts_with(&self.root)) {
            match sync_folder(folder) {
                // The blob was deleted meanwhile, and its folder with it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => other?,
            }
        }
        Ok(())
    }
}

/// Puts the content type among extended attributes back where it belongs.
pub(super) fn take_content_type(user: &mut Vec<(String, String)>) -> Option<String> {
    let at = user.iter().position(|(name, _)| name == MIME_TYPE)?;
    Some(user.swap_remove(at).1)
}

/// Whether a name of user metadata is taken by the content type.
pub(super) fn is_reserved(name: &str) -> bool {
    name == MIME_TYPE
}

/// Makes a folder and its ancestors. A blob in the place of one of them is told as such, not as a name that is
/// taken: that would read like a condition that does not hold.
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
        _ => error,
    })
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Takes the lock of the staging folder, shared. Who has it alone first removes what was left there: no
/// living process can own it.
fn lock(staging: &Path) -> io::Result<File> {
    let lock =
        File::options().create(true).truncate(false).write(true).read(true).open(staging.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => {
            for entry in fs::read_dir(staging)? {
                let entry = entry?;
                if entry.file_name() != "lock" && entry.file_type()?.is_file() {
                    fs::remove_file(entry.path())?;
                }
            }
            lock.unlock()?;
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    lock.lock_shared()?;
    Ok(lock)
}

/// Whether extended attributes can be set on files here.
fn try_metadata(staging: &Path) -> bool {
    let lock = staging.join("lock");
    xattr::set(&lock, format!("user.{MIME_TYPE}"), b"text/plain").is_ok()
}
