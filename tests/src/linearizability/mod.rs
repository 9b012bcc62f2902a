//! Is a store linearizable: does it answer concurrent clients as if each operation happened at one moment between its
//! call and its answer?
//!
//! [`Clients`] drive a store and record a [`History`]; [`History::check`] searches, key by key, for an order of the
//! operations that explains every answer and contradicts no clock. Keys hold numbers, so that one model judges
//! compare-and-set and counters together. An operation that ended with effect `unknown` may have happened at any
//! moment after its call, or never.
//!
//! The search is that of Wing and Gong ("Testing and Verifying Concurrent Objects", 1993), with the memory of visited
//! configurations that Lowe added ("Testing for linearizability", 2017), as Porcupine uses it. Linearizability is local
//! (Herlihy and Wing, 1990), so each key is judged alone.
//!
//! Every write makes a number that no other makes: put values and deltas are drawn from ranges so wide that no two
//! agree. So a number names the write that made it, and a version belongs to one number: a write that was applied
//! twice has two versions, and shows.
//!
//! What this is not: a check of commits over many keys. The lanes of [`crash`](crate::crash) do that.

mod clients;
mod history;
mod model;
mod search;

#[cfg(test)]
mod tests;

pub use clients::{Clients, Load};
pub use history::{Answer, Call, Failure, History, Operation};
pub use search::Violation;
