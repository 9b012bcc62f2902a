//! The shape of the repository: what may import what, how long a file may be, what it may be called,
//! what everything is licensed under.
#![expect(clippy::unwrap_used, reason = "a check that can't read the repository fails")]

mod contract;
mod documents;
mod files;
mod imports;
mod licences;
mod source;
