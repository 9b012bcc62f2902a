//! The conformance suite over everything that ships with larder.
//!
//! One test per subject, so that a test runner runs them apart. Each writes its report to
//! `target/conformance/`; `larder_conformance::report::merge` makes the table of backends by
//! features of them. `LARDER_SEED` replays a run with another seed.

use std::sync::Arc;

use larder_conformance::{
    Report,
    kv::{self, Options, Subject},
};
use larder_core::{BoxFuture, KvStore, ManualClock, MemoryKv, Result};
use larder_tests::workspace_root;

/// A subject from its name and a way to open an empty store on a clock.
struct Kv<F> {
    name: &'static str,
    clock: Arc<ManualClock>,
    open: F,
}

impl<F> Subject for Kv<F>
where
    F: Fn(Arc<ManualClock>) -> BoxFuture<'static, Result<Arc<dyn KvStore>>> + Send + Sync,
{
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
        (self.open)(self.clock.clone())
    }

    fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }
}

/// Runs the suite over a subject, writes the report and fails where it does not hold.
async fn kv_holds<F>(name: &'static str, open: F)
where
    F: Fn(Arc<ManualClock>) -> BoxFuture<'static, Result<Arc<dyn KvStore>>> + Send + Sync,
{
    let mut options = Options::default();
    if let Ok(seed) = std::env::var("LARDER_SEED") {
        options.seed = seed.parse().expect("LARDER_SEED is a number");
    }
    let report = kv::run(&Kv { name, clock: Arc::default(), open }, &options).await;
    keep(&report);
    assert!(report.holds(), "{report}");
}

fn keep(report: &Report) {
    let folder = workspace_root().join("target").join("conformance");
    report.write(&folder).expect("the report is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    kv_holds("memory", |clock| {
        Box::pin(async { Ok(Arc::new(MemoryKv::with_clock(clock)) as Arc<dyn KvStore>) })
    })
    .await;
}
