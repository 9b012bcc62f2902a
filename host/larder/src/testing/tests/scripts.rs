//! Scripts: played as they stand, or the test fails.

use std::panic::AssertUnwindSafe;

use futures::executor::block_on;
use larder_core::{ErrorKind, Outcome, Version};

use super::{key, message, put};
use crate::testing::{Reply, Script};

#[test]
fn a_script_answers_in_order_and_stands_by_what_it_always_answers() {
    let script = Script::new()
        .expect("get a", Reply::value("1"))
        .expect("commit put a=2", Reply::outcomes([Outcome::Written(Version(9))]))
        .expect("commit *", Reply::error(ErrorKind::Timeout).effect_unknown())
        .always("get robots/*", Reply::none())
        .always("health", Reply::done());
    let store = script.store();
    assert_eq!(block_on(store.get(&key("robots/x"))).unwrap(), None);
    assert_eq!(block_on(store.get(&key("a"))).unwrap().unwrap().value, "1");
    block_on(store.health()).unwrap();
    assert_eq!(block_on(store.commit(&put("a", "2"))).unwrap(), [Outcome::Written(Version(9))]);
    assert!(block_on(store.commit(&put("a", "3"))).unwrap_err().is_effect_unknown());
    script.assert_played();
}

#[test]
fn a_call_that_is_not_in_the_script_fails_at_once_and_again_at_the_end() {
    let script = Script::new().expect("get a", Reply::none());
    let store = script.store();
    let error = block_on(store.get(&key("b"))).unwrap_err();
    assert!(error.message().contains("asked get b, where the script has get a"), "{error}");
    let told = message(AssertUnwindSafe(|| script.assert_played()));
    assert!(
        told.contains("asked get b") && told.contains("never asked: get a (answer: an entry or none)"),
        "{told}"
    );
}

#[test]
fn a_script_that_ends_early_fails_the_test_when_it_is_dropped() {
    let told = message(|| drop(Script::new().expect("get a", Reply::none())));
    assert!(told.contains("never asked: get a"), "{told}");
    // And one that is asked after its end.
    let told = message(|| {
        let script = Script::new();
        assert!(block_on(script.store().get(&key("a"))).is_err());
    });
    assert!(told.contains("asked get a, where the script has its end"), "{told}");
}

#[test]
fn an_answer_that_does_not_fit_the_call_is_a_fault_of_the_script() {
    for reply in [Reply::done(), Reply::entries([]), Reply::outcomes([])] {
        let script = Script::new().expect("*", reply);
        assert!(block_on(script.store().get(&key("a"))).is_err());
        assert!(message(AssertUnwindSafe(|| script.assert_played())).contains("is no answer"));
    }
    let script = Script::new().expect("*", Reply::outcomes([]));
    assert!(block_on(script.store().commit(&put("a", "1"))).is_err());
    assert!(message(AssertUnwindSafe(|| script.assert_played())).contains("is no answer"));
}
