//! What hostile components try that no other module looks at. Each attack is a row of the table that the suite
//! ends with.

mod blobs;
mod bombs;
mod calls;
mod escapes;
mod fuzzed;
mod lies;
mod reentrance;
mod spies;
