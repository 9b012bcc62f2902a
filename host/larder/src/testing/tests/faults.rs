//! Faults strike what they are for, as often as they say, and the same way for the same seed.

use std::panic::AssertUnwindSafe;

use futures::{TryStreamExt, executor::block_on};
use larder_core::ErrorKind;

use super::{key, memory, message, put};
use crate::testing::{Calls, Fault, Faults, Operation, TestHost, Tool};

/// Which of 200 writes fail.
fn pattern(faults: Faults) -> Vec<bool> {
    let store = faults.over_kv(memory());
    (0..200).map(|n| block_on(store.commit(&put(&format!("k/{n}"), "1"))).is_err()).collect()
}

#[test]
fn the_same_seed_strikes_the_same_calls_and_another_one_others() {
    let some = || Fault::on(Calls::writes()).probability(0.3);
    let first = pattern(Faults::seeded(7).with(some()));
    assert_eq!(first, pattern(Faults::seeded(7).with(some())));
    assert_ne!(first, pattern(Faults::seeded(8).with(some())));
    let struck = first.iter().filter(|failed| **failed).count();
    assert!((30..90).contains(&struck), "{struck} of 200 at 0.3");
}

#[test]
fn another_fault_and_other_calls_in_between_change_nothing() {
    let some = || Fault::on(Calls::of(Operation::Commit).prefix("k/")).probability(0.3);
    let alone = pattern(Faults::seeded(7).with(some()));
    let faults = Faults::seeded(7).with(some()).with(Fault::on(Operation::Get));
    let store = faults.over_kv(memory());
    let among = |n| {
        assert!(block_on(store.get(&key("x"))).is_err());
        block_on(store.commit(&put("other", "1"))).unwrap();
        block_on(store.commit(&put(&format!("k/{n}"), "1"))).is_err()
    };
    assert_eq!(alone, (0..200).map(among).collect::<Vec<_>>());
}

#[test]
fn a_fault_strikes_by_number_key_and_operation() {
    let which = |fault: Fault| -> Vec<usize> {
        let failed = pattern(Faults::seeded(1).with(fault));
        failed.iter().enumerate().filter(|(_, failed)| **failed).map(|(i, _)| i + 1).take(4).collect()
    };
    let writes = || Fault::on(Calls::writes());
    assert_eq!(which(writes().nth(3)), [3]);
    assert_eq!(which(writes().first(2)), [1, 2]);
    assert_eq!(which(writes().after(196)), [197, 198, 199, 200]);
    assert_eq!(which(writes().every(60)), [60, 120, 180]);
    assert_eq!(which(writes().every(0)), [] as [usize; 0]);
    assert_eq!(which(writes().probability(0.0)), [] as [usize; 0]);
    assert_eq!(which(Fault::on(Operation::Get)), [] as [usize; 0]);
    assert_eq!(which(Fault::on(Calls::all().key("k/5"))), [6]);
    assert_eq!(which(Fault::on(Calls::all().prefix("k/19"))), [20, 191, 192, 193]);
}

#[test]
fn a_lost_answer_is_a_write_that_happened_and_a_lost_request_one_that_did_not() {
    for (fault, is_unknown, is_done) in [
        (Fault::on(Operation::Commit), false, false),
        (Fault::on(Operation::Commit).answer_lost(), true, true),
        (Fault::on(Operation::Commit).request_lost(), true, false),
    ] {
        let shown = fault.to_string();
        let store = Faults::seeded(1).with(fault.kind(ErrorKind::Timeout)).over_kv(memory());
        let error = block_on(store.commit(&put("a", "1"))).unwrap_err();
        assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, is_unknown), "{shown}");
        assert_eq!(block_on(store.get(&key("a"))).unwrap().is_some(), is_done, "{shown}");
    }
}

#[test]
fn what_is_in_doubt_happens_sometimes_and_is_always_told_as_unknown() {
    let store = Faults::seeded(3).with(Fault::on(Calls::writes()).in_doubt()).over_kv(memory());
    let mut done = 0;
    for n in 0..100 {
        let name = format!("k/{n}");
        assert!(block_on(store.commit(&put(&name, "1"))).unwrap_err().is_effect_unknown());
        done += usize::from(block_on(store.get(&key(&name))).unwrap().is_some());
    }
    assert!((20..80).contains(&done), "{done} of 100");
}

/// A read leaves nothing in doubt, and a write that the store itself refuses did not happen.
#[test]
fn an_error_never_says_more_doubt_than_there_is() {
    let lost = || Fault::on(Calls::all()).answer_lost();
    let store = Faults::seeded(1).with(lost()).over_kv(memory());
    assert!(!block_on(store.get(&key("a"))).unwrap_err().is_effect_unknown());
    let impossible = put("a", "1").check(key("a"), larder_core::Expectation::Present);
    let error = block_on(store.commit(&impossible)).unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Conflict, false));
}

#[test]
fn the_first_of_two_faults_is_told_and_both_count_their_calls() {
    let faults = Faults::seeded(1)
        .with(Fault::on(Calls::writes()).first(1).kind(ErrorKind::Denied))
        .with(Fault::on(Calls::writes()).first(2).kind(ErrorKind::Timeout));
    let store = faults.over_kv(memory());
    let kinds = || block_on(store.commit(&put("a", "1"))).map_err(|error| error.kind());
    assert_eq!(kinds().unwrap_err(), ErrorKind::Denied);
    assert_eq!(kinds().unwrap_err(), ErrorKind::Timeout);
    kinds().unwrap();
    assert_eq!(faults.struck(), 2);
}

#[test]
fn a_fault_that_never_struck_fails_the_test_that_relies_on_it() {
    let faults = Faults::seeded(9).with(Fault::on(Calls::of(Operation::Get).prefix("page/")).nth(2));
    let store = faults.over_kv(memory());
    block_on(store.get(&key("page/1"))).unwrap();
    let told = message(AssertUnwindSafe(|| faults.assert_all_struck()));
    assert!(told.contains("seed 9") && told.contains("get under page/, the 2nd: unavailable"), "{told}");
    assert!(told.contains("its calls so far: 1"), "{told}");
    assert!(block_on(store.get(&key("page/2"))).is_err());
    faults.assert_all_struck();
}

#[test]
fn healed_faults_strike_no_more() {
    let faults = Faults::seeded(1).with(Fault::on(Calls::all()));
    let store = faults.over_kv(memory());
    assert!(block_on(store.health()).is_err());
    faults.heal();
    block_on(store.health()).unwrap();
    faults.add(Fault::on(Calls::all()).nth(1));
    assert!(block_on(store.health()).is_err());
}

#[tokio::test]
async fn blobs_fail_by_the_same_rules() {
    let host = TestHost::memory();
    let faults = Faults::seeded(1)
        .with(Fault::on(Calls::of(Operation::Finish).key("a")).first(1))
        .with(Fault::on(Calls::of(Operation::Finish).key("b")).answer_lost())
        .with(Fault::on(Calls::of(Operation::Delete).key("c")).answer_lost())
        .with(Fault::on(Calls::of(Operation::Read).key("d")).kind(ErrorKind::Denied))
        .with(Fault::on(Operation::List).first(1).kind(ErrorKind::Timeout));
    let blobs = host.blobs("storage").unwrap();
    for name in ["c", "d"] {
        blobs.put(name, "before").await.unwrap();
    }
    host.put_in_front("storage", &faults).unwrap();

    assert_eq!(blobs.put("a", "1").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(!blobs.exists("a").await.unwrap());
    blobs.put("a", "1").await.unwrap();

    let error = blobs.put("b", "1").await.unwrap_err();
    assert!(error.is_effect_unknown(), "{error}");
    assert_eq!(blobs.get("b").await.unwrap().unwrap(), "1");

    assert!(blobs.delete("c").await.unwrap_err().is_effect_unknown());
    assert!(!blobs.exists("c").await.unwrap());

    assert_eq!(blobs.get("d").await.unwrap_err().kind(), ErrorKind::Denied);

    let list = || async {
        let found = blobs.list("", crate::blobs::Depth::All).await?;
        found.try_collect::<Vec<_>>().await
    };
    assert_eq!(list().await.unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(list().await.unwrap().len(), 3);
    faults.assert_all_struck();
}

#[test]
fn an_error_names_the_fault_and_how_long_to_wait() {
    let wait = std::time::Duration::from_secs(3);
    let fault = Fault::on(Operation::Get).retry_after(wait);
    let store = Faults::seeded(1).with(fault).over_kv(memory());
    let error = block_on(store.get(&key("a"))).unwrap_err();
    assert_eq!(error.retry_after_hint(), Some(wait));
    assert_eq!(error.context("fault"), Some("get: unavailable; call 1"));
}
