//! The embedded default: a durable key-value store in a folder, on [redb](https://docs.rs/redb).
//!
//! * A store has a folder of its own: a lock file, held for as long as the store is open, and one
//!   database file. `FORMAT.md` beside this module gives every byte of it.
//! * Reads happen at once, on the caller's thread, in the snapshot that the last commit left: they wait
//!   for no writer, and for the disk only where a page is not in the cache.
//! * Commits queue for one writer thread, which the store owns. What has queued up while a transaction
//!   was being synced goes into the next one together; each caller gets an answer of its own, after
//!   the sync. A commit whose checks fail hurts no other.
//! * Each value lies in an envelope with its version, its expiry and a checksum, verified at each read.
//! * Expiry is decided by the injected [`Clock`](larder_core::Clock) at each read; the writer removes
//!   what has expired, in bounded steps.
//! * After an I/O error (a full disk is the usual one) the database is opened again by the writer, and
//!   only then the failed commits are answered: the opening settles whether they happened.
//!
//! The invariant: what was acknowledged is on disk, whole, and what was not acknowledged is there whole
//! or not at all.
//!
//! It is not for several processes (they get a clear error), and not for blobs: values are read and
//! written whole.
//!
//! ```
//! use larder_backends::file::{FileKv, FileOptions};
//! use larder_core::{Commit, Key, KvStore};
//!
//! # futures::executor::block_on(async {
//! # let folder = tempfile::tempdir().unwrap();
//! let store = FileKv::open(folder.path().join("state"), FileOptions::default())?;
//! let key = Key::new("users/42")?;
//! store.commit(&Commit::new().put(key.clone(), "Ada")).await?;
//! assert_eq!(store.get(&key).await?.unwrap().value, "Ada");
//! store.close()
//! # }).unwrap();
//! ```

mod batch;
mod envelope;
mod error;
mod handle;
mod lock;
mod options;
mod place;
mod queue;
mod read;
mod store;
mod sweep;
mod tables;
mod versions;
mod writer;

pub use options::{FileOptions, FileStats};
pub use place::is_store;
pub use store::FileKv;

#[cfg(test)]
mod faults;
#[cfg(test)]
mod power;
#[cfg(test)]
mod tests;
