//! Recordings: what they keep, and what an assertion says that does not hold.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::executor::block_on;
use larder_core::{Commit, ErrorKind, Expectation, KeyRange, MemoryKv, Scan};

use super::{key, memory, message, put};
use crate::testing::{
    Answer, Calls, Fault, Faults, Moment, Operation, Recorder, Slow, TestHost, TestTime, Tool,
};

#[test]
fn every_call_is_kept_in_order_with_its_arguments_and_its_answer() {
    let recorder = Recorder::new();
    let faults = Faults::seeded(1).with(Fault::on(Operation::Health).kind(ErrorKind::Denied));
    let store = recorder.over_kv(faults.over_kv(memory()));
    let ttl = std::time::Duration::from_secs(60);
    let many = Commit::new()
        .check(key("a"), Expectation::Absent)
        .put_with_ttl(key("a"), "1", ttl)
        .delete(key("b"))
        .add(key("n"), -2);
    block_on(store.commit(&many)).unwrap();
    block_on(store.get(&key("a"))).unwrap();
    block_on(store.get_many(&[key("n"), key("z")])).unwrap();
    block_on(store.scan(&Scan::new(KeyRange::prefix("a")).limit(1).keys_only())).unwrap();
    assert!(block_on(store.commit(&many)).is_err());
    assert!(block_on(store.health()).is_err());
    recorder.assert_calls([
        "commit if a absent, put a=1 ttl 1 m, delete b, add n -2 -> ok, nothing to delete, -2",
        "get a -> 1",
        "get_many n, z -> -2, none",
        "scan a..b keys limit 1 -> 1 entries",
        "commit * -> error conflict",
        "health -> error denied",
    ]);
    assert_eq!(recorder.count(Calls::reads()), 4);
    assert_eq!(recorder.count(Calls::all().key("n")), 3);
    recorder.clear();
    recorder.assert_count(Calls::all(), 0);
}

#[test]
fn values_are_shown_to_a_limit_and_on_one_line() {
    let recorder = Recorder::new();
    let store = recorder.over_kv(memory());
    for value in [&b"two\nlines"[..], &[0xff, 0xfe], "ü".repeat(100).as_bytes()] {
        let commit = Commit::new().put(key("a"), value.to_vec());
        block_on(store.commit(&commit)).unwrap();
    }
    let long = format!("commit put a={}… (200 B)", "ü".repeat(32));
    recorder.assert_calls(["commit put a=two\\nlines", "commit put a=<2 B>", &long]);
}

#[test]
fn an_assertion_that_does_not_hold_shows_both_lists_where_they_part() {
    let recorder = Recorder::new();
    let store = recorder.over_kv(memory());
    for name in ["a", "b", "c"] {
        block_on(store.commit(&put(name, "1"))).unwrap();
    }
    let told = message(AssertUnwindSafe(|| recorder.assert_calls(["commit put a=*", "commit put x=1"])));
    assert!(told.contains("from the 2. on") && told.contains("expected: 2, recorded: 3"), "{told}");
    assert!(told.contains("      1. commit put a=1 -> ok\n"), "{told}");
    assert!(
        told.contains("!   2. expected commit put x=1\n         recorded commit put b=1 -> ok"),
        "{told}"
    );
    assert!(told.contains("!   3. expected nothing\n         recorded commit put c=1 -> ok"), "{told}");

    let told = message(AssertUnwindSafe(|| recorder.assert_count(Calls::of(Operation::Commit).key("a"), 2)));
    assert!(told.contains("expected 2 of commit on a, and there were 1"), "{told}");
    assert!(told.contains("the others: 2"), "{told}");

    // Each of the other ways to be wrong.
    for wrong in [vec![], vec!["commit put a=1"; 3], vec!["commit *"; 4], vec!["commit * -> error *"; 3]] {
        message(AssertUnwindSafe(|| recorder.assert_calls(&wrong)));
    }
    recorder.assert_calls(["commit *"; 3]);
}

#[test]
fn calls_are_found_among_others_in_their_order() {
    let recorder = Recorder::new();
    let store = recorder.over_kv(memory());
    for name in ["a", "b", "c"] {
        block_on(store.commit(&put(name, "1"))).unwrap();
    }
    recorder.assert_contains(["commit put a=1", "commit put c=1 -> ok"]);
    let told = message(AssertUnwindSafe(|| recorder.assert_contains(["commit put c=1", "commit put a=1"])));
    assert!(told.contains("the 2. expected call is missing") && told.contains("recorded: 3"), "{told}");
}

#[test]
fn a_call_that_its_caller_dropped_is_told_from_one_that_is_under_way() {
    let recorder = Recorder::new();
    let slow = Slow::new(&TestTime::new());
    let _hold = slow.hold(Operation::Get, Moment::BeforeItHappens);
    let store = recorder.over_kv(slow.over_kv(memory()));
    let a = key("a");
    let mut call = store.get(&a);
    assert!(block_on(async { futures::poll!(&mut call) }).is_pending());
    assert_eq!(recorder.calls()[0].answer, Answer::Pending);
    drop(call);
    recorder.assert_calls(["get a -> (dropped by the caller)"]);
}

#[test]
fn an_answer_that_comes_after_the_recording_was_cleared_is_no_other_calls() {
    let recorder = Recorder::new();
    let slow = Slow::new(&TestTime::new());
    let hold = slow.hold(Calls::all().key("a"), Moment::BeforeItHappens);
    let store = recorder.over_kv(slow.over_kv(memory()));
    let (a, b) = (key("a"), key("b"));
    let mut call = store.get(&a);
    assert!(block_on(async { futures::poll!(&mut call) }).is_pending());
    recorder.clear();
    hold.release_all();
    block_on(store.commit(&put("b", "2"))).unwrap();
    block_on(call).unwrap();
    block_on(store.get(&b)).unwrap();
    recorder.assert_calls(["commit put b=2 -> ok", "get b -> 2"]);
}

#[tokio::test]
async fn blobs_are_recorded_down_to_their_parts() {
    let host = TestHost::memory();
    let recorder = Recorder::new();
    host.put_in_front("storage", &recorder).unwrap();
    let blobs = host.blobs("storage").unwrap();
    blobs.put("a", "12345").await.unwrap();
    blobs.get("a").await.unwrap();
    assert!(blobs.get("b").await.unwrap().is_none());
    blobs.delete("a").await.unwrap();
    assert!(!blobs.exists("a").await.unwrap());
    recorder.assert_contains([
        "write a 5 B -> ok",
        "finish a -> ok",
        "read a*",
        "delete a -> ok",
        "stat a -> none",
    ]);
    recorder.assert_count(Calls::of(Operation::Finish), 1);
}

#[test]
fn one_recording_can_be_of_several_stores() {
    let recorder = Recorder::new();
    let stores = [(); 2].map(|()| recorder.over_kv(Arc::new(MemoryKv::new())));
    for store in &stores {
        block_on(store.get(&key("a"))).unwrap();
    }
    recorder.assert_count(Operation::Get, 2);
}
