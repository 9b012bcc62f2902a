//! Components that fail again and again: strikes, back-off, quarantine; and the limits of what an instance may hold, say and
//! let wait.

use std::{sync::Arc, time::Duration};

use larder_core::{Commit, ErrorKind, KvStore, ManualClock};
use larder_tests::servers::memcached::MemcachedServer;
use larder_wasm::{
    Engine, KvPlugin, Mode, PluginOptions, PluginReport, PluginState, Remedy, SupervisionRules, SwapOptions,
    is_refusal,
};

use crate::{MODES, component, engine, hostile, is_alive, key, swaps::rebuilt};

/// Two strikes to a back-off of 5 to 10 seconds, four to the quarantine.
fn strict() -> SupervisionRules {
    let mut rules = SupervisionRules::default();
    (rules.strikes_max, rules.backoff) = (4, Duration::from_secs(10));
    rules
}

/// A swap that lets what traps serve: it is supervision that is looked at.
fn unchecked() -> SwapOptions {
    let mut options = SwapOptions::default().with_probation(None).with_shadow(None);
    options.canary = false;
    options
}

fn options(mode: Mode, clock: &Arc<ManualClock>, settings: &[(&str, &str)]) -> PluginOptions {
    let clock = Arc::<ManualClock>::clone(clock);
    hostile(settings).with_mode(mode).with_supervision(strict()).with_clock(clock)
}

async fn load(engine: &Arc<Engine>, options: PluginOptions) -> KvPlugin {
    KvPlugin::load(engine, &component("kv-hostile"), options).await.unwrap()
}

/// Calls that trap, each after the back-off of the one before.
async fn strike(plugin: &KvPlugin, clock: &ManualClock, times: u32) {
    for _ in 0..times {
        let error = plugin.get(&key("key-0")).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Plugin && !is_refusal(&error), "{}", error.chain());
        clock.advance(Duration::from_secs(60));
    }
}

/// Without an instance there is no guest whose code could run.
fn has_no_instance(report: &PluginReport, calls: u64) {
    assert_eq!((report.instances, report.calls), (0, calls), "{report:?}");
}

#[tokio::test]
async fn a_second_strike_leads_to_a_back_off_in_which_no_guest_code_runs() {
    let engine = engine();
    for mode in MODES {
        let clock = Arc::new(ManualClock::default());
        let plugin = load(&engine, options(mode, &clock, &[("get", "trap")])).await;
        // The first costs its instance and nothing else.
        plugin.get(&key("key-0")).await.unwrap_err();
        plugin.health().await.unwrap();
        plugin.get(&key("key-0")).await.unwrap_err();
        let before = plugin.report();
        assert!(
            matches!(before.state, PluginState::BackingOff { retry_after_ms: 5_000..=10_000 }),
            "{before:?}"
        );
        assert!(plugin.is_refusing());
        for _ in 0..20 {
            let error = plugin.health().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
            assert!(error.retry_after_hint().is_some_and(|wait| wait <= Duration::from_secs(10)));
            assert!(is_refusal(&error) && !error.is_effect_unknown(), "{error}");
            assert_eq!(error.context("plugin"), Some("hostile"));
        }
        let report = plugin.report();
        has_no_instance(&report, before.calls);
        assert_eq!((report.traps, report.strikes), (2, 2), "a call that was not made is no strike");
        assert!(report.last_error.is_some_and(|last| last.message.contains("trapped")));

        clock.advance(Duration::from_secs(10));
        plugin.health().await.unwrap();
        let report = plugin.report();
        assert_eq!((&report.state, report.instances), (&PluginState::Serving, 1), "{report:?}");
        // Good time forgives.
        clock.advance(Duration::from_secs(600));
        assert_eq!(plugin.report().strikes, 0);
        // The next mode is not to find what this one left.
        plugin.release();
    }
    is_alive(&engine).await;
}

#[tokio::test]
async fn a_component_that_fails_on_is_quarantined_for_every_plugin_that_runs_it() {
    for mode in MODES {
        let engine = engine();
        let clock = Arc::new(ManualClock::default());
        let bad = load(&engine, options(mode, &clock, &[("get", "trap")])).await;
        let same = load(&engine, options(mode, &clock, &[])).await;
        assert!(same.get(&key("key-0")).await.unwrap().is_some());
        strike(&bad, &clock, 4).await;
        clock.advance(Duration::from_secs(1_000_000));
        for plugin in [&bad, &same] {
            let error = plugin.get(&key("key-0")).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
            assert!(is_refusal(&error) && error.message().contains("quarantined"), "{error}");
            assert!(matches!(plugin.report().state, PluginState::Quarantined { .. }));
        }
        has_no_instance(&bad.report(), 4);
        let loaded = KvPlugin::load(&engine, &component("kv-hostile"), options(mode, &clock, &[])).await;
        assert!(is_refusal(&loaded.unwrap_err()), "it is not loaded again");
        is_alive(&engine).await;

        // Another component lifts it for the plugin that turns to it, and for no other.
        bad.swap_with(&rebuilt("kv-hostile", 1), &unchecked()).await.unwrap();
        bad.health().await.unwrap();
        assert_eq!(bad.report().state, PluginState::Serving);
        assert!(is_refusal(&same.health().await.unwrap_err()));
        let back = bad.swap(&component("kv-hostile")).await.unwrap_err();
        assert!(is_refusal(&back) && back.message().contains("quarantined"), "{back}");
        // A person may know better.
        same.release();
        assert!(same.get(&key("key-0")).await.unwrap().is_some());
        assert_eq!(same.report().strikes, 0);
    }
}

#[tokio::test]
async fn the_last_good_component_is_put_back_where_the_rules_ask_for_it() {
    for mode in MODES {
        let engine = engine();
        let clock = Arc::new(ManualClock::default());
        let mut options = options(mode, &clock, &[("get", "trap"), ("after", "2")]);
        options.supervision.remedy = Remedy::LastGood;
        options.supervision.strikes_max = 1;
        let plugin = load(&engine, options).await;
        assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
        let good = plugin.digest();
        plugin.swap_with(&rebuilt("kv-hostile", 1), &unchecked()).await.unwrap();
        // The new one behaves, and then does not.
        for _ in 0..2 {
            assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
        }
        plugin.get(&key("key-0")).await.unwrap_err();
        assert!(plugin.get(&key("key-0")).await.unwrap().is_some(), "{mode:?}");
        assert_eq!((plugin.digest(), plugin.generation()), (good, 3));
        assert_eq!(plugin.report().state, PluginState::Serving);
        // There is none before it.
        plugin.get(&key("key-0")).await.unwrap();
        plugin.get(&key("key-0")).await.unwrap_err();
        assert!(is_refusal(&plugin.get(&key("key-0")).await.unwrap_err()));
    }
}

#[tokio::test]
async fn instances_that_do_not_start_are_strikes() {
    let engine = engine();
    let clock = Arc::new(ManualClock::default());
    // Configured once in good order, and never again; the first call costs the instance that was.
    let folder = tempfile::tempdir().unwrap();
    let options = options(Mode::Auto, &clock, &[("get", "trap"), ("once", "/data/started")]).with_folder(
        folder.path(),
        "/data",
        larder_wasm::Access::ReadWrite,
    );
    let plugin = load(&engine, options).await;
    plugin.get(&key("key-0")).await.unwrap_err();
    let error = plugin.health().await.unwrap_err();
    assert!(!is_refusal(&error), "{}", error.chain());
    let error = plugin.health().await.unwrap_err();
    assert!(is_refusal(&error) && error.retry_after_hint().is_some(), "{}", error.chain());
}

#[tokio::test]
async fn a_caller_too_many_is_told_to_come_back_at_once() {
    let engine = engine();
    let mut options = hostile(&[("get", "slow"), ("amount", "50")]).with_mode(Mode::Fiber);
    options.limits.waiting_max = 2;
    let plugin = load(&engine, options).await;
    let name = key("key-0");
    let calls = (0..6).map(|_| plugin.get(&name));
    let answers = futures::future::join_all(calls).await;
    let (answered, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((answered.len(), refused.len()), (3, 3), "one is called, and two wait");
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.retry_after_hint().is_some() && error.message().contains("limits.queue"), "{error}");
    }
    let report = plugin.report();
    assert_eq!((report.waiting, report.waiting_max, report.strikes), (0, 2, 0), "{report:?}");
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_counted() {
    let engine = engine();
    let clock = Arc::new(ManualClock::default());
    let mut options = options(Mode::Fiber, &clock, &[("get", "flood-log")]);
    options.limits.log_lines = 7;
    options.limits.deadline = Duration::from_secs(30);
    let plugin = load(&engine, options).await;
    assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    // Ten seconds' worth at once; the clock stands still.
    assert_eq!(plugin.report().log_lines_dropped, 100_000 - 70);
}

#[tokio::test]
async fn a_hoard_of_handles_ends_with_the_instance() {
    let engine = engine();
    for mode in MODES {
        let mut options = hostile(&[("get", "hoard"), ("after", "1")]).with_mode(mode);
        options.limits.handles_max = 32;
        let plugin = load(&engine, options).await;
        assert!(plugin.get(&key("key-0")).await.unwrap().is_some(), "32 are enough for an honest call");
        let error = plugin.get(&key("key-0")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin, "{}", error.chain());
        assert_eq!(plugin.report().traps, 1);
        assert!(plugin.get(&key("key-0")).await.unwrap().is_some());
    }
    is_alive(&engine).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_moves_too_much_over_its_connections_is_stopped() {
    let server = MemcachedServer::start().unwrap();
    let address = server.address();
    let mut options = PluginOptions::new("kv-memcached")
        .with_setting("address", &address)
        .with_tcp(address.parse().unwrap());
    options.limits.socket_bytes_max = 64 << 10;
    let store = KvPlugin::load(&engine(), &component("kv-memcached"), options).await.unwrap();
    let put = |bytes: usize| Commit::new().put(key("k"), vec![b'x'; bytes]);
    // Each call has its own share.
    for _ in 0..4 {
        store.commit(&put(40 << 10)).await.unwrap();
    }
    assert_eq!(store.get(&key("k")).await.unwrap().unwrap().value.len(), 40 << 10);
    let error = store.commit(&put(100 << 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin, "{}", error.chain());
    assert!(error.message().contains("limits.socket_bytes"), "{}", error.chain());
    assert!(store.get(&key("k")).await.unwrap().is_some(), "the next call is served");
}
