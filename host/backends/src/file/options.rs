//! How a file store is opened, and what it counts.

use std::{sync::Arc, time::Duration};

use larder_core::{Clock, Error, Result, SystemClock, limits::VALUE_BYTES_MAX};

/// Largest value that can be configured, in bytes: values are held in memory whole.
const VALUE_BYTES_CEILING: usize = 1 << 30;

/// How a [`FileKv`](super::FileKv) is opened.
#[derive(Debug, Clone)]
pub struct FileOptions {
    /// Tells the store the time: expiry depends on nothing else.
    pub clock: Arc<dyn Clock>,
    /// How often expired entries are removed in the background. They are invisible at once, in any
    /// case. Zero switches the sweep off.
    pub cleanup_interval: Duration,
    /// Largest value in bytes, at most 1 GiB.
    pub value_bytes_max: usize,
    /// Memory for cached pages, in bytes.
    pub cache_bytes: usize,
    /// Up to this size in bytes the whole database file is verified each time it is opened, which
    /// takes about a second per gigabyte. Of a larger one only what a crash left open is verified;
    /// damage to it from outside is found when the damaged part is read.
    pub verify_bytes_max: u64,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            cleanup_interval: Duration::from_secs(60),
            value_bytes_max: VALUE_BYTES_MAX,
            cache_bytes: 128 << 20,
            verify_bytes_max: 256 << 20,
        }
    }
}

impl FileOptions {
    pub(super) fn check(&self) -> Result<()> {
        if self.value_bytes_max == 0 || self.value_bytes_max > VALUE_BYTES_CEILING {
            return Err(Error::config(format!(
                "values of at most {} bytes; a file store takes 1 to {VALUE_BYTES_CEILING}",
                self.value_bytes_max
            )));
        }
        Ok(())
    }
}

/// What a store did since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileStats {
    /// Commits that were answered, those with a failed check among them.
    pub commits: u64,
    /// Transactions, each with one sync; the fewer per commit, the better commits were grouped.
    pub transactions: u64,
    /// Expired entries that were removed.
    pub swept: u64,
    /// How often the database was opened again after a failure.
    pub reopened: u64,
}
