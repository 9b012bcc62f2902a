//! Redis and Valkey: one server, a Sentinel's master, or a node of a cluster. Core commands of Redis 6.2 and nothing
//! that a module adds.
//!
//! * An entry is a string: 24 bytes with version and deadline, and the value. A read is one `GET`. `FORMAT.md` beside
//!   this module gives every name and byte.
//! * A commit is one script, so it is atomic whatever it checks and writes. An ordered set beside the entries holds
//!   their keys, which is what makes scans ordered; it is kept by the same scripts, and mends itself where other
//!   clients have written, deleted or emptied the database.
//! * A store lies in one slot of a cluster. That is what lets commits and scans span all of its keys, and what bounds
//!   its size: a store is as large as one node. Several stores spread over a cluster; one does not.
//! * Time is the server's, for everybody who uses the store.
//! * Everything goes over one connection, which is replaced when it breaks. A command that may have been sent is never
//!   sent again by this module; a commit that is lost on the way says so (`effect: unknown`).
//!
//! What was acknowledged survives what the server is configured to let it survive, which by default is not much; see
//! [`Durability`].
//!
//! ```no_run
//! use larder_backends::redis::{RedisKv, RedisOptions};
//! use larder_core::{Commit, Key, KvStore};
//!
//! # async fn example() -> larder_core::Result<()> {
//! let options = RedisOptions::from_url("redis://fetcher:secret@localhost:6379/0?prefix=crawl")?;
//! let store = RedisKv::connect(options).await?;
//! let key = Key::new("users/42")?;
//! store.commit(&Commit::new().put(key.clone(), "Ada")).await?;
//! assert_eq!(store.get(&key).await?.unwrap().value, "Ada");
//! # Ok(()) }
//! ```

mod commit;
mod connect;
mod envelope;
mod error;
mod index;
mod layout;
mod link;
mod options;
mod permissions;
mod promise;
mod scan;
mod scripts;
mod store;
mod topology;
mod url;
mod versions;

pub use options::{Durability, RedisOptions};
pub use store::RedisKv;

#[cfg(test)]
mod tests;
