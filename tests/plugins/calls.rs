//! Calls that end badly, late, or without their caller.

use futures::future::{ready, select};
use larder_core::{Commit, ErrorKind, KvStore};
use larder_tests::attacks::Attack;
use larder_wasm::Mode;

use crate::{MODES, engine, is_alive, key, kinds, load_hostile};

/// What ends a call, and a word of the message that tells it from the others.
const ENDS: [(&str, &str); 4] =
    [("trap", "trapped"), ("loop", "time"), ("eat-memory", "memory"), ("deep-recursion", "stack")];

#[tokio::test]
async fn a_call_that_traps_costs_its_instance_and_nothing_else() {
    let engine = engine();
    for mode in MODES {
        for (misdeed, word) in ENDS {
            let plugin = load_hostile(&engine, mode, &[("get", misdeed), ("after", "1")]).await.unwrap();
            assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
            let error = plugin.get(&key("key-0")).await.expect_err("the second call goes wrong");
            assert!(kinds(mode, misdeed).contains(&error.kind()), "{mode:?} {misdeed}: {}", error.chain());
            assert!(!error.is_effect_unknown(), "a read writes nothing: {error}");
            if error.kind() == ErrorKind::Plugin {
                let text = error.chain();
                assert!(text.contains(word), "{mode:?} {misdeed}: {word:?} is not in {text}");
            }
            assert_eq!(error.context("plugin"), Some("hostile"));
            // The next call has an instance of its own, and its first call is honest.
            assert!(plugin.get(&key("key-7")).await.unwrap().is_some(), "{mode:?} {misdeed}");
            plugin.health().await.unwrap();
        }
    }
    is_alive(&engine).await;
}

#[tokio::test]
async fn a_commit_that_traps_is_in_doubt() {
    let engine = engine();
    let commit = Commit::new().put(key("a"), "1");
    for mode in MODES {
        for (misdeed, _) in ENDS.into_iter().chain([("trap-after", "")]) {
            let attack = (misdeed == "trap-after").then(|| Attack::begin("trap after the work was done"));
            let plugin = load_hostile(&engine, mode, &[("commit", misdeed)]).await.unwrap();
            let error = plugin.commit(&commit).await.expect_err("it goes wrong at once");
            assert!(kinds(mode, misdeed).contains(&error.kind()), "{mode:?} {misdeed}: {}", error.chain());
            assert!(error.is_effect_unknown(), "nobody knows what a trapped commit did: {error}");
            assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
            if let Some(attack) = attack {
                attack.held_with(&error);
            }
        }
    }
}

#[tokio::test]
async fn errors_that_a_guest_returns_keep_its_instance() {
    let engine = engine();
    let commit = Commit::new().put(key("a"), "1");
    for mode in MODES {
        let attack = Attack::begin("error texts without measure");
        let settings = [("get", "fail"), ("commit", "indeterminate"), ("scan", "long-error")];
        let plugin = load_hostile(&engine, mode, &settings).await.unwrap();
        let error = plugin.get(&key("key-0")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
        assert!(!error.is_effect_unknown(), "{error}");
        let error = plugin.commit(&commit).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.is_effect_unknown(), "{error}");
        let scan = larder_core::Scan::new(larder_core::KeyRange::all());
        let error = plugin.scan(&scan).await.unwrap_err();
        assert!(error.chain().len() < 10_000, "an error of {} bytes", error.chain().len());
        assert_eq!(plugin.get_many(&[key("key-0"), key("x")]).await.unwrap().len(), 2);
        attack.held_with(&error);
    }
}

#[tokio::test]
async fn a_guest_that_waits_past_its_deadline_is_timed_out() {
    let engine = engine();
    let mut attack = Attack::begin("endless sleep in a call");
    let settings = [("get", "slow"), ("commit", "slow"), ("amount", "3600000"), ("after", "1")];
    let plugin = load_hostile(&engine, Mode::Fiber, &settings).await.unwrap();
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    let error = plugin.get(&key("key-0")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(!error.is_effect_unknown(), "{error}");
    attack.reported(&error);
    let commit = Commit::new().put(key("a"), "1");
    plugin.commit(&commit).await.unwrap();
    let error = plugin.commit(&commit).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.is_effect_unknown(), "{error}");
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    attack.held_with(&error);
}

#[tokio::test]
async fn an_inline_guest_that_would_wait_is_stopped_and_does_not_hold_the_thread() {
    let engine = engine();
    let settings = [("get", "slow"), ("amount", "3600000"), ("after", "1")];
    let plugin = load_hostile(&engine, Mode::Inline, &settings).await.unwrap();
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    assert_eq!(plugin.get(&key("key-0")).await.unwrap_err().kind(), ErrorKind::Plugin);
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_slow_answer_within_the_deadline_is_an_answer() {
    let engine = engine();
    let plugin = load_hostile(&engine, Mode::Fiber, &[("get", "slow"), ("amount", "50")]).await.unwrap();
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    let plugin = load_hostile(&engine, Mode::Fiber, &[("get", "flood-log")]).await.unwrap();
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
}

#[tokio::test]
async fn a_cancelled_call_costs_no_instance() {
    // The one instance of the plugin holds its data: were it dropped with the call, the write would be gone.
    let engine = engine();
    let settings = [("get", "slow"), ("amount", "50"), ("after", "1")];
    let plugin = load_hostile(&engine, Mode::Fiber, &settings).await.unwrap();
    plugin.commit(&Commit::new().put(key("mine"), "1")).await.unwrap();
    assert!(plugin.get(&key("mine")).await.unwrap().is_some());
    for _ in 0..5 {
        select(plugin.get(&key("mine")), ready(())).await;
    }
    let many = plugin.get_many(&[key("mine")]).await.unwrap();
    assert_eq!(many[0].as_ref().map(|entry| &entry.value[..]), Some(&b"1"[..]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_hangs_delays_no_other() {
    let engine = engine();
    let attack = Attack::begin("hang beside other plugins");
    let stuck = load_hostile(&engine, Mode::Fiber, &[("get", "loop")]).await.unwrap();
    let hanging = tokio::spawn(async move { stuck.get(&key("key-0")).await });
    // On the same runtime, while the other one computes for ever.
    is_alive(&engine).await;
    let error = hanging.await.unwrap().unwrap_err();
    assert!(kinds(Mode::Fiber, "loop").contains(&error.kind()), "{error}");
    attack.held_with(&error);
}

#[tokio::test]
async fn callers_of_a_busy_plugin_wait_their_turn() {
    let engine = engine();
    let plugin = load_hostile(&engine, Mode::Fiber, &[("get", "slow"), ("amount", "20")]).await.unwrap();
    let name = key("key-0");
    let calls = (0..8).map(|_| plugin.get(&name));
    for answer in futures::future::join_all(calls).await {
        assert!(answer.unwrap().is_some());
    }
    // And those who would wait past the deadline are told to come back.
    let settings = [("get", "slow"), ("amount", "1500")];
    let plugin = load_hostile(&engine, Mode::Fiber, &settings).await.unwrap();
    let calls = (0..4).map(|_| plugin.get(&name));
    let late = futures::future::join_all(calls).await.into_iter().filter_map(Result::err);
    for error in late {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(!error.is_effect_unknown(), "{error}");
    }
}
