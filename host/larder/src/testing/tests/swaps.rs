//! Swaps: a call is given to one store and stays with it, and none is lost.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use larder_core::ErrorKind;

use super::{key, memory, put};
use crate::{
    blobs::WriteOptions,
    testing::{Fault, Faults, Moment, Operation, Recorder, Slow, TestHost, Tool},
};

#[tokio::test]
async fn the_handles_that_are_there_see_the_store_that_was_swapped_in() {
    let host = TestHost::memory();
    let kv = host.kv("state").unwrap();
    kv.set("a", &1).await.unwrap();
    let other = memory();
    other.commit(&put("a", "2")).await.unwrap();
    let before = host.swap_kv("state", other).unwrap();
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(2));
    assert_eq!(before.get(&key("a")).await.unwrap().unwrap().value, "1");
    kv.set("a", &3).await.unwrap();
    host.put_back("state").unwrap();
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
}

#[tokio::test]
async fn a_call_under_way_ends_in_the_store_in_which_it_began() {
    let host = TestHost::memory();
    let kv = host.kv("state").unwrap();
    let slow = Slow::new(host.time());
    let hold = slow.hold(Operation::Commit, Moment::BeforeItHappens);
    host.put_in_front("state", &slow).unwrap();
    let write = tokio::spawn({
        let kv = kv.clone();
        async move { kv.set("a", &1).await }
    });
    hold.came(1).await;
    let other = memory();
    host.swap_kv("state", Arc::clone(&other)).unwrap();
    // The next one goes to the new store, past the one that is held.
    kv.set("b", &2).await.unwrap();
    hold.release_all();
    write.await.unwrap().unwrap();
    assert!(other.get(&key("a")).await.unwrap().is_none());
    assert!(other.get(&key("b")).await.unwrap().is_some());
    host.put_back("state").unwrap();
    assert!(kv.exists("a").await.unwrap() && !kv.exists("b").await.unwrap());
}

/// Writers go on while the store is swapped 500 times between two. Each write must be in just one of them, and in one
/// that was there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_call_is_lost_and_none_sees_two_stores_while_stores_are_swapped() {
    const WRITERS: usize = 4;
    const SWAPS: usize = 500;
    let host = TestHost::memory();
    let recorders = [Recorder::new(), Recorder::new()];
    let stores = [0, 1].map(|i| recorders[i].over_kv(memory()));
    host.swap_kv("state", Arc::clone(&stores[0])).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (kv, is_over) = (host.kv("state").unwrap(), Arc::clone(&is_over));
            tokio::spawn(async move {
                let mut written = 0_usize;
                while !is_over.load(Ordering::Relaxed) || written == 0 {
                    kv.set(&format!("{writer}/{written}"), &written).await.unwrap();
                    written += 1;
                    tokio::task::yield_now().await;
                }
                written
            })
        })
        .collect();
    for swap in 0..SWAPS {
        host.swap_kv("state", Arc::clone(&stores[(swap + 1) % 2])).unwrap();
        tokio::task::yield_now().await;
    }
    is_over.store(true, Ordering::Relaxed);
    let mut total = 0;
    for (number, writer) in writers.into_iter().enumerate() {
        let written = writer.await.unwrap();
        total += written;
        for n in 0..written {
            let name = key(&format!("{number}/{n}"));
            let found = [stores[0].get(&name).await.unwrap(), stores[1].get(&name).await.unwrap()];
            assert_eq!(found.iter().flatten().count(), 1, "{name}");
        }
    }
    let asked: usize = recorders.iter().map(|recorder| recorder.count(Operation::Commit)).sum();
    assert_eq!(asked, total);
}

#[tokio::test]
async fn tools_compose_and_the_last_in_front_sees_a_call_first() {
    let host = TestHost::memory();
    let (inner, outer) = (Recorder::new(), Recorder::new());
    let faults = Faults::seeded(1).with(Fault::on(Operation::Get));
    host.put_in_front("state", &inner).unwrap();
    host.put_in_front("state", &faults).unwrap();
    host.put_in_front("state", &outer).unwrap();
    let kv = host.kv("state").unwrap();
    assert!(kv.to_string().contains("recorder(faults(recorder(memory)))"), "{kv}");
    kv.set("a", &1).await.unwrap();
    assert!(kv.get::<u32>("a").await.is_err());
    inner.assert_calls(["commit put a=1"]);
    outer.assert_calls(["commit put a=1 -> ok", "get a -> error unavailable"]);
}

#[tokio::test]
async fn a_blob_that_is_being_written_stays_with_the_store_that_began_it() {
    let host = TestHost::memory();
    let blobs = host.blobs("storage").unwrap();
    let mut writer = blobs.writer("a", WriteOptions::new()).await.unwrap();
    writer.write("12").await.unwrap();
    let before = host.swap_blobs("storage", larder_backends::object::memory()).unwrap();
    writer.write("34").await.unwrap();
    writer.finish().await.unwrap();
    assert!(!blobs.exists("a").await.unwrap());
    assert_eq!(before.read("a").await.unwrap().to_bytes(), "1234");
    host.put_back("storage").unwrap();
    assert_eq!(blobs.get("a").await.unwrap().unwrap(), "1234");
}

#[tokio::test]
async fn what_is_no_store_of_the_host_or_of_the_other_kind_is_refused_by_name() {
    let host = TestHost::memory();
    let error = host.swap_kv("stat", memory()).unwrap_err();
    assert!(
        error.kind() == ErrorKind::Config && error.message().contains("did you mean `state`?"),
        "{error}"
    );
    let error = host.swap_kv("storage", memory()).unwrap_err();
    assert!(error.message().contains("keeps blobs: `swap_blobs`"), "{error}");
    let error = host.swap_blobs("state", larder_backends::object::memory()).unwrap_err();
    assert!(error.message().contains("keeps entries: `swap_kv`"), "{error}");
    for refused in [host.put_in_front("x", &Recorder::new()), host.put_back("x")] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
    }
}
