//! Tests that swap: for those who test a fetcher, what stands in for its stores, while it runs.
//!
//! A [`TestHost`] is the real [`Host`](crate::Host), in memory, with a switch at each store. What a test puts there:
//!
//! | | what it does |
//! |---|---|
//! | [`Faults`] | fails as rules say: which calls, how often, by chance of a seed; also a write that is done and whose answer is lost |
//! | [`Slow`] | delays by the test's own time; holds calls until the test lets them go |
//! | [`Recorder`] | keeps every call and its answer, with assertions |
//! | [`Script`] | a store that answers as it was told |
//! | any `Arc<dyn KvStore>`, any OpenDAL operator | [`TestHost::swap_kv`], [`TestHost::swap_blobs`] |
//! | a component | [`TestHost::swap_for_plugin`] |
//!
//! The first three stand in front of any store, of entries or blobs, native or a plugin, and compose. Time is injected:
//! see [`TestTime`]. A host in production pays nothing for this module: it has no switch, and what is not called is not
//! linked in. That is why it is no feature of the crate.
//!
//! It is none of these things: a mock of the handles (they are real), a fake of a certain server (a suite against the
//! real one is), and no replacement for killing real processes.
//!
//! The chapter of the guide is `docs/testing.md`; `examples/testing-a-fetcher` is a fetcher that is tested with it.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use larder::testing::{Calls, Fault, Faults, Recorder, TestHost};
//!
//! let host = TestHost::memory();
//! let faults = Faults::seeded(1).with(Fault::on(Calls::writes()).nth(2).answer_lost());
//! let recorder = Recorder::new();
//! host.put_in_front("state", &faults)?;
//! host.put_in_front("state", &recorder)?;
//!
//! let kv = host.kv("state")?;
//! kv.increment("visits", 1).await?;
//! assert!(kv.increment("visits", 1).await.unwrap_err().is_effect_unknown());
//!
//! recorder.assert_calls(["commit add visits 1 -> 1", "commit add visits 1 -> error unavailable, effect unknown"]);
//! assert_eq!(kv.get::<u32>("visits").await?, Some(2)); // it was done
//! # larder::Result::<()>::Ok(()) }).unwrap();
//! ```

mod answer;
mod blobs;
mod builder;
mod call;
mod faults;
mod host;
mod kv;
mod life;
mod passage;
mod pattern;
mod plugin;
mod recorder;
mod script;
mod seams;
mod slow;
mod switch;
#[cfg(test)]
mod tests;
mod time;
mod tool;

pub use larder_core::{BoxFuture, Change, Check, ManualClock, MemoryKv, Page, Scan, Want, Write};

pub use self::{
    answer::Answer,
    builder::TestHostBuilder,
    call::{Call, Calls, Operation},
    faults::{Fault, Faults},
    host::TestHost,
    plugin::TestPlugin,
    recorder::{RecordedCall, Recorder},
    script::{Reply, Script},
    slow::{Hold, Moment, Slow},
    time::TestTime,
    tool::{Tool, Watcher},
};
