//! Where a store lives: its folder, how its database is made there, and how it is opened.
//!
//! A database is made under another name and renamed when it is whole and on disk. So a database file
//! that is empty or cut short is always damage, and never taken for a new store.

use std::{
    fmt,
    fs::{self, File},
    path::{Path, PathBuf},
};

use larder_core::{Error, ErrorKind, Result};
use redb::{Builder, Database, DatabaseError, ReadableDatabase};

use super::{
    FileOptions,
    error::{self, Fault, guarded},
    tables,
};

/// Name of the database file in the folder.
pub(super) const DATABASE_FILE: &str = "store.redb";

/// Name of a database that is being made.
const DATABASE_FILE_NEW: &str = "store.redb.new";

/// How an existing database file is opened: the seam at which tests put a failing disk.
pub(super) type Open = Box<dyn Fn(&Builder, &Path) -> Result<Database, DatabaseError> + Send + Sync>;

/// Whether there is a store in `folder`, without opening it or making one.
pub fn is_store(folder: &Path) -> bool {
    folder.join(DATABASE_FILE).is_file()
}

pub(super) struct Place {
    folder: PathBuf,
    cache_bytes: usize,
    verify_bytes_max: u64,
    open: Open,
}

impl Place {
    pub(super) fn new(folder: &Path, options: &FileOptions) -> Self {
        Self {
            folder: folder.to_owned(),
            cache_bytes: options.cache_bytes,
            verify_bytes_max: options.verify_bytes_max,
            open: Box::new(|builder, path| builder.open(path)),
        }
    }

    #[cfg(test)]
    pub(super) fn with_open(mut self, open: Open) -> Self {
        self.open = open;
        self
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes an empty database unless there is one.
    ///
    /// # Errors
    /// What the file system says; the folder then holds no database.
    pub(super) fn create_if_missing(&self) -> Result<(), Fault> {
        let path = self.folder.join(DATABASE_FILE);
        if path.try_exists().map_err(error::io)? {
            return Ok(());
        }
        // What a crash left half made holds nothing that was ever acknowledged.
        let unfinished = self.folder.join(DATABASE_FILE_NEW);
        if unfinished.try_exists().map_err(error::io)? {
            fs::remove_file(&unfinished).map_err(error::io)?;
        }
        let database = self.builder().create(&unfinished)?;
        let transaction = database.begin_write()?;
        tables::create(&transaction)?;
        transaction.commit()?;
        database.close()?;
        fs::rename(&unfinished, &path).map_err(error::io)?;
        sync_folder(&self.folder)?;
        Ok(())
    }

    /// Opens the database and checks that it is one of ours. Answers also the last version that may
    /// have been handed out.
    ///
    /// # Errors
    /// `corrupt` where the file is damaged; it stays as it is.
    pub(super) fn open(&self, verify: Verify) -> Result<(Database, u64), Fault> {
        let path = self.folder.join(DATABASE_FILE);
        guarded(|| {
            let bytes = fs::metadata(&path).map_err(error::io)?.len();
            if bytes == 0 {
                return Err(Error::new(ErrorKind::Corrupt, "the database file is empty").into());
            }
            let mut builder = self.builder();
            builder.set_check_integrity_on_open(verify == Verify::Always || bytes <= self.verify_bytes_max);
            let database = (self.open)(&builder, &path)?;
            let transaction = database.begin_read()?;
            for table in [tables::ENTRIES, tables::EXPIRIES] {
                transaction.open_table(table)?;
            }
            let reserved = tables::check(&transaction.open_table(tables::SETTINGS)?)?;
            drop(transaction);
            Ok((database, reserved))
        })
        .map_err(|fault| Fault { error: fault.error.with("file", path.display()), ..fault })
    }

    fn builder(&self) -> Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        builder
    }
}

/// When the checksums of all pages are verified as the database is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Up to the size that the options say, and after a crash.
    BySize,
    /// In any case: something went wrong before.
    Always,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", self.folder.display())
    }
}

/// Makes a folder with its parents, so that it is still there after a power failure.
///
/// # Errors
/// What the file system says.
pub(super) fn create_folder(folder: &Path) -> Result<()> {
    let missing: Vec<_> =
        folder.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists()).collect();
    fs::create_dir_all(folder).map_err(error::io)?;
    for made in missing {
        if let Some(parent) = made.parent() {
            sync_folder(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?;
        }
    }
    Ok(())
}

/// Makes new names in a folder durable. Only Unix opens folders as files; elsewhere the file system
/// has to see to it.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(error::io)?;
    }
    Ok(())
}
