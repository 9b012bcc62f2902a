//! The host of a test: the real one, from any configuration, that can crash.

use std::time::Duration;

use larder_core::ErrorKind;

use super::key;
use crate::{
    Config, SetOptions,
    blobs::WriteOptions,
    testing::{Fault, Faults, Moment, Operation, Recorder, Slow, TestHost},
};

/// What production runs on; nothing of it can be reached from a test.
const PRODUCTION: &str = "
    persistence: { state_backend: 'redis://127.0.0.1:1/0' }
    storage: { backend: s3, s3: { bucket: pages, region: us-east-1 } }
    stores: { frontier: { url: 'postgres://127.0.0.1:1/x', retries: 2 }, log: { backend: file, path: /no/such/folder } }
";

#[tokio::test]
async fn a_configuration_of_production_is_opened_in_memory_and_keeps_what_is_around_its_stores() {
    let host = TestHost::from_yaml(PRODUCTION).await.unwrap();
    for name in ["state", "frontier", "log"] {
        host.kv(name).unwrap().set("a", &1).await.unwrap();
    }
    host.blobs("storage").unwrap().put("a", "1").await.unwrap();
    // The retries of production: the fault is not seen by the caller, and the store was asked twice.
    let recorder = Recorder::new();
    let faults = Faults::seeded(1).with(Fault::on(Operation::Get).first(1));
    host.put_in_front("frontier", &faults).unwrap();
    host.put_in_front("frontier", &recorder).unwrap();
    assert_eq!(host.kv("frontier").unwrap().get::<u32>("a").await.unwrap(), Some(1));
    recorder.assert_calls(["get a -> error unavailable", "get a -> 1"]);
}

#[tokio::test]
async fn a_configuration_that_is_wrong_in_production_is_wrong_in_a_test() {
    let error = TestHost::from_yaml("stores: { a: { backend: rediss } }").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let error = TestHost::builder().kv("a").in_memory("b").open().await.unwrap_err();
    assert!(error.message().contains("there is no store `b`"), "{error}");
}

#[tokio::test]
async fn one_time_is_that_of_several_hosts() {
    let config = Config::from_yaml("stores: { a: memory:// }").unwrap();
    let first = TestHost::builder().config(config).open().await.unwrap();
    let second = TestHost::builder().kv("b").time(first.time().clone()).open().await.unwrap();
    let minute = Duration::from_secs(60);
    for kv in [first.kv("a").unwrap(), second.kv("b").unwrap()] {
        kv.set_with("x", &1, SetOptions::default().ttl(minute)).await.unwrap();
    }
    first.advance(minute).await;
    assert!(!first.kv("a").unwrap().exists("x").await.unwrap());
    assert!(!second.kv("b").unwrap().exists("x").await.unwrap());
}

#[tokio::test]
async fn after_a_crash_what_was_acknowledged_is_there_and_what_was_under_way_is_not() {
    let host = TestHost::memory();
    let (kv, blobs) = (host.kv("state").unwrap(), host.blobs("storage").unwrap());
    kv.set("a", &1).await.unwrap();
    blobs.put("a", "1").await.unwrap();
    let mut writer = blobs.writer("b", WriteOptions::new()).await.unwrap();
    writer.write("unfinished").await.unwrap();
    let slow = Slow::new(host.time());
    let hold = slow.hold(Operation::Commit, Moment::BeforeItHappens);
    host.put_in_front("state", &slow).unwrap();
    let late = tokio::spawn({
        let kv = kv.clone();
        async move { kv.set("b", &2).await }
    });
    hold.came(1).await;

    let host = host.crash().await.unwrap();
    // Those of the process that is gone get nowhere, however late.
    hold.release_all();
    assert_eq!(late.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(writer.finish().await.is_err());
    let error = kv.get::<u32>("a").await.unwrap_err();
    assert!(error.message().contains("crashed in the test"), "{error}");
    assert!(blobs.get("a").await.is_err());

    let (kv, blobs) = (host.kv("state").unwrap(), host.blobs("storage").unwrap());
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
    assert!(!kv.exists("b").await.unwrap());
    assert_eq!(blobs.get("a").await.unwrap().unwrap(), "1");
    assert!(!blobs.exists("b").await.unwrap());
}

#[tokio::test]
async fn tools_are_gone_after_a_crash_and_time_goes_on() {
    let host = TestHost::memory();
    let ttl = SetOptions::default().ttl(Duration::from_secs(60));
    host.kv("state").unwrap().set_with("a", &1, ttl).await.unwrap();
    host.advance(Duration::from_secs(30)).await;
    host.put_in_front("state", &Faults::seeded(1).with(Fault::on(Operation::Get))).unwrap();
    let host = host.crash().await.unwrap();
    let kv = host.kv("state").unwrap();
    assert!(kv.exists("a").await.unwrap());
    host.advance(Duration::from_secs(30)).await;
    assert!(!kv.exists("a").await.unwrap());
}

#[tokio::test]
async fn a_host_of_a_test_is_a_host() {
    let host = TestHost::memory();
    let shared = host.shared();
    shared.default_kv().unwrap().set("a", &1).await.unwrap();
    shared.health().await.unwrap();
    let store = host.kv("state").unwrap().store();
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1");
    assert!(host.plugins().list().is_empty());
}
