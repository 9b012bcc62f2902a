//! The store itself: opening, closing, and the contract of a key-value store.

use std::{
    fmt,
    path::Path,
    sync::Arc,
    thread::{self, JoinHandle},
};

use larder_core::{
    BoxFuture, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result, Scan,
};
use redb::ReadableTable;

use super::{
    FileOptions, FileStats,
    error::{self, Fault, Remedy},
    handle::Handle,
    lock::FolderLock,
    place::{Place, create_folder},
    queue::{Errand, Queue},
    read::{self, Entries},
    writer::{Counts, Shared, Writer},
};

/// A durable key-value store in a folder, with every capability.
///
/// # Cancel safety
/// As the contract says. A commit whose caller goes away before the writer took it does not happen;
/// one that was taken happens whole.
pub struct FileKv {
    description: Description,
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
    // Last, so that the folder is free only after the database is closed.
    _lock: FolderLock,
}

impl FileKv {
    /// Opens the store in `folder`, or makes one where there is none.
    ///
    /// Blocks: after a crash, and in a file of up to [`FileOptions::verify_bytes_max`], the checksums of
    /// all pages are verified.
    ///
    /// # Errors
    /// `unavailable` where another store has the folder open (it names the folder and the process) or
    /// the file system failed, `denied` where access was refused, `corrupt` where the database is
    /// damaged (its file stays as it is), `unsupported` where a newer larder wrote it, `config` where
    /// an option is out of its range.
    pub fn open(folder: impl AsRef<Path>, options: FileOptions) -> Result<Self> {
        let folder = folder.as_ref();
        Self::open_at(Place::new(folder, &options), options)
            .map_err(|error| error.operation("open").with("store", folder.display()))
    }

    pub(super) fn open_at(place: Place, options: FileOptions) -> Result<Self> {
        options.check()?;
        create_folder(place.folder())?;
        let lock = FolderLock::take(place.folder())?;
        place.create_if_missing().map_err(|fault| fault.error)?;
        let (handle, reserved) = Handle::open(place).map_err(|fault| fault.error)?;
        let shared =
            Arc::new(Shared { handle, queue: Queue::new(), clock: options.clock, counts: Counts::default() });
        let writer = Writer::new(shared.clone(), reserved, options.cleanup_interval);
        let writer = thread::Builder::new()
            .name("larder-file".to_owned())
            .spawn(move || writer.run())
            .map_err(error::io)?;
        let description = Description { value_bytes_max: options.value_bytes_max, ..Description::full() };
        Ok(Self { description, shared, writer: Some(writer), _lock: lock })
    }

    /// Finishes what is queued, stops the writer and closes the database. Dropping the store does the
    /// same and logs what this returns. Blocks.
    ///
    /// # Errors
    /// What closing met; nothing that was acknowledged is lost, the next opening repairs the rest.
    pub fn close(mut self) -> Result<()> {
        self.shut()
    }

    /// Removes everything that has expired by now, in bounded transactions, and answers how many
    /// entries that were. The writer does it by itself every `cleanup_interval`.
    ///
    /// # Errors
    /// `unavailable` or `corrupt`; sweeping again does no harm.
    ///
    /// # Cancel safety
    /// A sweep that has begun goes on.
    pub async fn sweep(&self) -> Result<u64> {
        self.shared.queue.ask(Errand::Sweep).await.map_err(|error| error.operation("sweep"))
    }

    /// What the store did since it was opened.
    pub fn stats(&self) -> FileStats {
        self.shared.counts.stats()
    }

    /// Reads; where the database has to be opened again first, waits for that and reads once more.
    async fn read<T>(
        &self,
        operation: &'static str,
        work: impl Fn(&Entries) -> Result<T, Fault> + Send + Sync,
    ) -> Result<T> {
        let (opening, result) = self.shared.handle.read(&work);
        let result = match result {
            Err(fault) if fault.remedy != Remedy::None && fault.error.kind() != ErrorKind::Corrupt => {
                match self.shared.queue.ask(|reply| Errand::Reopen(opening, reply)).await {
                    Ok(()) => self.shared.handle.read(&work).1.map_err(|fault| fault.error),
                    Err(error) => Err(error),
                }
            }
            result => result.map_err(|fault| fault.error),
        };
        result.map_err(|error| error.operation(operation))
    }

    fn shut(&mut self) -> Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.shared.queue.stop();
        let stopped = writer.join();
        self.shared.handle.close().map_err(|fault| fault.error.operation("close"))?;
        stopped.map_err(|_| Error::new(ErrorKind::Unavailable, "the writer had died").operation("close"))
    }
}

impl Drop for FileKv {
    fn drop(&mut self) {
        if let Err(error) = self.shut() {
            tracing::warn!(error = %error.chain(), store = %self, "closing a store");
        }
    }
}

impl KvStore for FileKv {
    fn describe(&self) -> Description {
        self.description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            self.description.check_key(key)?;
            let now = self.shared.clock.now();
            self.read("get", move |entries| read::get(entries, key, now)).await
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            self.description.check_keys(keys)?;
            if keys.is_empty() {
                return Ok(Vec::new());
            }
            let now = self.shared.clock.now();
            self.read("get_many", move |entries| read::get_many(entries, keys, now)).await
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            self.description.check_scan(scan)?;
            let now = self.shared.clock.now();
            self.read("scan", move |entries| read::scan(entries, scan, now)).await
        })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            self.description.check_commit(commit)?;
            self.shared.queue.commit(commit.clone()).await.map_err(|error| error.operation("commit"))
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if self.writer.as_ref().is_none_or(JoinHandle::is_finished) {
                return Err(Error::new(ErrorKind::Unavailable, "the writer has died").operation("health"));
            }
            self.read("health", |entries| Ok(entries.first().map(drop)?)).await
        })
    }
}

impl fmt::Display for FileKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "file({})", self.shared.handle.place().folder().display())
    }
}

impl fmt::Debug for FileKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
