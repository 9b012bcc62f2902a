//! Slowness goes by the test's time, and holds let go what they are told to.

use std::{sync::Arc, time::Duration};

use futures::executor::block_on;
use larder_core::{Clock, Key, KvStore};

use super::{key, memory, put};
use crate::testing::{Calls, Moment, Operation, Recorder, Slow, TestTime, Tool};

const MINUTE: Duration = Duration::from_secs(60);

/// A read in a task of its own.
fn read(store: &Arc<dyn KvStore>, key: Key) -> tokio::task::JoinHandle<bool> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.get(&key).await.unwrap().is_some() })
}

#[tokio::test]
async fn a_delay_ends_when_the_time_has_come_and_not_before() {
    let time = TestTime::new();
    let slow = Slow::new(&time).delay(Calls::all().key("a"), Moment::BeforeItHappens, MINUTE);
    let store = slow.over_kv(memory());
    let (a, b) = (key("a"), key("b"));
    // What is not slow is answered at once.
    store.get(&b).await.unwrap();
    let mut call = store.get(&a);
    assert!(futures::poll!(&mut call).is_pending());
    assert_eq!(time.waiting(), 1);
    time.advance(MINUTE - Duration::from_millis(1)).await;
    assert!(futures::poll!(&mut call).is_pending());
    time.advance(Duration::from_millis(1)).await;
    assert!(futures::poll!(&mut call).is_ready());
    assert_eq!(time.waiting(), 0);
}

#[tokio::test]
async fn time_passes_moment_by_moment_so_that_waits_that_follow_each_other_end_too() {
    let time = TestTime::new();
    let begun = time.now();
    let waits = tokio::spawn({
        let time = time.clone();
        async move {
            for _ in 0..3 {
                time.sleep(MINUTE).await;
            }
            time.now()
        }
    });
    tokio::task::yield_now().await;
    time.advance(MINUTE * 5).await;
    assert_eq!(waits.await.unwrap().since(begun), MINUTE * 3);
    assert_eq!(time.now().since(begun), MINUTE * 5);
}

#[tokio::test]
async fn a_late_answer_is_of_a_write_that_has_happened() {
    let slow = Slow::new(&TestTime::new());
    let hold = slow.hold(Operation::Commit, Moment::BeforeTheAnswer);
    let store = slow.over_kv(memory());
    let (a, commit) = (key("a"), put("a", "1"));
    let mut write = store.commit(&commit);
    assert!(futures::poll!(&mut write).is_pending());
    assert!(store.get(&a).await.unwrap().is_some());
    hold.release_all();
    write.await.unwrap();
}

#[tokio::test]
async fn held_calls_go_one_by_one_in_the_order_in_which_they_came() {
    let slow = Slow::new(&TestTime::new());
    let hold = slow.hold(Operation::Get, Moment::BeforeItHappens);
    let recorder = Recorder::new();
    let store = slow.over_kv(recorder.over_kv(memory()));
    let mut reads = Vec::new();
    for (came, name) in ["a", "b", "c"].into_iter().enumerate() {
        reads.push(read(&store, key(name)));
        hold.came(came as u64 + 1).await;
    }
    assert_eq!(hold.waiting(), 3);
    for name in ["a", "b", "c"] {
        recorder.assert_count(Calls::all().key(name), 0);
        hold.release_one();
        reads.remove(0).await.unwrap();
        recorder.assert_count(Calls::all().key(name), 1);
    }
    assert_eq!(hold.waiting(), 0);
    // One that is released before it comes passes.
    hold.release_one();
    store.get(&key("d")).await.unwrap();
}

#[tokio::test]
async fn one_that_was_dropped_while_it_was_held_takes_nobodys_turn() {
    let slow = Slow::new(&TestTime::new());
    let hold = slow.hold(Operation::Get, Moment::BeforeItHappens);
    let store = slow.over_kv(memory());
    let (a, b) = (key("a"), key("b"));
    let (mut first, mut second) = (store.get(&a), store.get(&b));
    assert!(futures::poll!(&mut first).is_pending());
    assert!(futures::poll!(&mut second).is_pending());
    drop(first);
    assert_eq!(hold.waiting(), 1);
    hold.release_one();
    assert!(futures::poll!(&mut second).is_ready());
}

#[test]
fn what_is_held_goes_on_when_the_hold_or_the_slowness_ends() {
    let slow = Slow::new(&TestTime::new());
    let store = slow.over_kv(memory());
    let a = key("a");
    for end in [true, false] {
        let hold = slow.hold(Operation::Get, Moment::BeforeItHappens);
        let mut call = store.get(&a);
        block_on(async {
            assert!(futures::poll!(&mut call).is_pending());
            if end {
                slow.end();
            } else {
                drop(hold);
            }
            assert!(futures::poll!(&mut call).is_ready());
        });
    }
    block_on(store.get(&a)).unwrap();
}
