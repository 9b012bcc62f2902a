//! Vocabulary and contracts of larder: what a key, an entry, a commit and an error are, what a
//! key-value store promises ([`KvStore`]), and the in-memory store ([`MemoryKv`]) that is the
//! reference model of every test.
//!
//! This crate knows no runtime, no driver and no wire format. Blobs have no trait here: the blob
//! contract is OpenDAL's own.
//!
//! ```
//! use larder_core::{Commit, Key, KvStore, MemoryKv};
//!
//! # futures::executor::block_on(async {
//! let store = MemoryKv::new();
//! let key = Key::new("users/42")?;
//! store.commit(&Commit::new().put(key.clone(), "Ada")).await?;
//! assert_eq!(store.get(&key).await?.unwrap().value, "Ada");
//! # larder_core::Result::<()>::Ok(()) }).unwrap();
//! ```

mod capability;
mod clock;
mod commit;
pub mod counter;
mod entry;
mod error;
mod key;
pub mod limits;
mod memory;
mod path;
mod store;

pub use capability::{Capabilities, Description};
pub use clock::{Clock, ManualClock, SystemClock};
pub use commit::{Change, Check, Commit, Expectation, Outcome, Write};
pub use entry::{Entry, Timestamp, Version};
pub use error::{Effect, Error, ErrorKind, Result};
pub use key::{Key, KeyRange};
pub use memory::MemoryKv;
pub use path::{check_blob_metadata, check_blob_path, check_blob_prefix};
pub use store::{BoxFuture, KvStore, Page, Scan, Want};
