//! Storage that breaks under a configured host: what a caller at the top sees of it.
//!
//! Files are damaged in `damage`. Servers are killed, cut off, slowed down and made to refuse in the modules of their
//! backends, under the load of `storm`: no acknowledged write is lost, none happens twice, and the host goes on by
//! itself once the server is back. Each of these tests is a cell of the table of faults by backends
//! (`larder_tests::faults`), and prints the seed that replays it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a suite fails where its own doings do")]

mod damage;
mod damaged_plugins;
mod hosts;
mod network;
mod postgres;
mod redis;
mod s3;
mod sqlite;
mod storm;
