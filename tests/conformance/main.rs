//! The conformance suite over everything that ships with larder.
//!
//! One test per subject, so that a test runner runs them apart. Each writes its report to
//! `target/conformance/`; `larder_conformance::report::merge` makes the table of backends by
//! features of them. `LARDER_SEED=NUMBER` runs with another seed, for example one that a failed
//! report names.
#![expect(clippy::unwrap_used, reason = "a suite fails where its own doings do")]

use std::sync::Arc;

use larder_backends::file::{FileKv, FileOptions};
use larder_conformance::{
    Report,
    kv::{self, Options},
};
use larder_core::{KvStore, MemoryKv};
use larder_tests::workspace_root;

mod blobs;
mod linearizable;
mod plugins;
mod redis;
mod s3;
mod sql;
mod subject;

use subject::{Place, Store, Subject};

/// Runs the key-value suite over a subject, writes the report and fails where it does not hold.
async fn kv_holds(name: &'static str, open: impl Fn(Place) -> Store + Send + Sync) {
    let mut options = Options::default();
    if let Ok(seed) = std::env::var("LARDER_SEED") {
        options.seed = seed.parse().expect("LARDER_SEED is a number");
    }
    let subject = Subject::new(name, open);
    let mut report = kv::run(&subject, &options).await;
    report.cases.push(linearizable::case(&subject, options.seed).await);
    keep(&report);
    assert!(report.holds(), "{report}");
}

/// Writes the report to where the table is made of them.
fn keep(report: &Report) {
    let folder = workspace_root().join("target").join("conformance");
    report.write(&folder).expect("the report is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_keeps_the_contract() {
    kv_holds("memory", |place| {
        Box::pin(async { Ok(Arc::new(MemoryKv::with_clock(place.clock)) as Arc<dyn KvStore>) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn file_keeps_the_contract() {
    kv_holds("file", |place| {
        Box::pin(async {
            let options = FileOptions { clock: place.clock, ..FileOptions::default() };
            Ok(Arc::new(FileKv::open(place.folder, options)?) as Arc<dyn KvStore>)
        })
    })
    .await;
}
