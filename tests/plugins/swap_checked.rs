//! What stands between a broken component and the calls of users: its self-test, reads that are compared, a probation with
//! a way back. Whatever is wrong with a component, no call is lost and none sees what it made up.

use std::{sync::Arc, time::Duration};

use larder::SwapStep;
use larder_core::{Capabilities, Commit, Error, ErrorKind, KeyRange, KvStore, MemoryKv, Scan};
use larder_tests::plugin;
use larder_wasm::{Audit, Engine, KvPlugin, Mode, PluginOptions, ShadowOptions, Source, SwapOptions};

use crate::{component, engine, key};

/// Longer than any test: a probation that ends ends for another reason.
const LONG: Duration = Duration::from_secs(3_600);

fn options() -> SwapOptions {
    SwapOptions::default().with_probation(Some(LONG)).with_shadow(None)
}

/// A layer in front of a store in memory that has the entry `a`: `1`.
async fn layer(engine: &Arc<Engine>, audit: &Arc<Audit>) -> (KvPlugin, Arc<MemoryKv>) {
    let next = Arc::new(MemoryKv::new());
    next.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let options = PluginOptions::new("kv-pass").with_audit(Arc::clone(audit));
    let plugin = KvPlugin::load_layer(engine, &component("kv-pass"), options, next.clone()).await.unwrap();
    (plugin, next)
}

async fn is_whole(store: &KvPlugin) {
    assert_eq!(store.get(&key("a")).await.expect("no call is lost").expect("it is there").value, "1");
}

/// The steps of an audit with what became of them.
fn steps(audit: &Audit) -> Vec<(SwapStep, bool)> {
    audit.records().iter().map(|record| (record.step, !record.is_failure)).collect()
}

#[tokio::test]
async fn a_component_that_lies_or_traps_is_found_out_before_it_serves() {
    let engine = engine();
    let audit = Arc::new(Audit::new());
    let (store, next) = layer(&engine, &audit).await;
    for bad in ["kv-pass-crash", "kv-pass-liar"] {
        let error = store.swap_with(&component(bad), &options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Plugin, "{bad}: {error}");
        assert_eq!(steps(&audit).last(), Some(&(SwapStep::Canary, false)));
        is_whole(&store).await;
    }
    assert_eq!(store.generation(), 1);
    let all = next.scan(&Scan::new(KeyRange::all())).await.unwrap();
    assert_eq!(all.entries.len(), 1, "a self-test of a layer is in front of a store of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_lies_to_all_but_its_self_test_is_found_out_by_reads_that_arrive() {
    let engine = engine();
    let (store, _) = layer(&engine, &Arc::default()).await;
    let compare = options().with_shadow(Some(ShadowOptions::new(1, 8, LONG)));
    let swapping = |source: Source| {
        let (store, compare) = (store.clone(), compare.clone());
        tokio::spawn(async move { store.swap_with(&source, &compare).await })
    };
    let sly = swapping(component("kv-pass-sly"));
    while !sly.is_finished() {
        is_whole(&store).await;
        tokio::task::yield_now().await;
    }
    let error: Error = sly.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.context("differs")), (ErrorKind::Plugin, Some("value")), "{error}");
    assert_eq!(error.context("key_sha256"), Some("ca978112ca1bbdca"), "a hash of the key: {error}");
    assert!(!error.chain().contains("a lie"), "{error}");
    assert_eq!(store.generation(), 1);

    // Values that change all the time are no difference.
    let good = swapping(component("kv-pass-late"));
    for number in 0_u64.. {
        if good.is_finished() {
            break;
        }
        store.commit(&Commit::new().put(key("a"), number.to_string())).await.unwrap();
        assert!(store.get(&key("a")).await.unwrap().is_some());
        tokio::task::yield_now().await;
    }
    assert_eq!(good.await.unwrap().expect("both read the same data").generation, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_fails_once_it_serves_is_returned_from_and_no_read_is_lost() {
    let engine = engine();
    for mode in [Some(Mode::Inline), Some(Mode::Fiber), None] {
        let audit = Arc::new(Audit::new());
        let (store, late, found) = match mode {
            Some(mode) => {
                let options = PluginOptions::new("kv-static").with_mode(mode).with_audit(Arc::clone(&audit));
                let plugin = KvPlugin::load(&engine, &component("kv-static"), options).await.unwrap();
                (plugin, "kv-static-late", "7")
            }
            None => (layer(&engine, &audit).await.0, "kv-pass-late", "a"),
        };
        let before = store.digest();
        let swapped = store.swap_with(&component(late), &options()).await.unwrap();
        assert_eq!((swapped.generation, store.is_on_probation()), (2, true));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            tasks.spawn(async move {
                while store.is_on_probation() {
                    assert!(store.get(&key(found)).await.expect("no call is lost").is_some());
                    assert!(store.get(&key("no such key")).await.expect("no call is lost").is_none());
                    tokio::task::yield_now().await;
                }
            });
        }
        tasks.join_all().await;
        store.settled().await;
        assert_eq!((store.generation(), store.digest()), (1, before), "{mode:?}");
        assert!(steps(&audit).contains(&(SwapStep::Probation, false)));
        assert!(steps(&audit).contains(&(SwapStep::Return, true)));
        for _ in 0..200 {
            assert!(store.get(&key(found)).await.expect("no call is lost").is_some());
        }
        // A number is given once, so that the failed one is not mistaken for the next.
        let again = if mode.is_some() { "kv-static" } else { "kv-pass" };
        let mut bytes = std::fs::read(plugin(again)).unwrap();
        bytes.extend([0, 3, 1, b'b', 1]);
        let again = Source::bytes("built again", bytes);
        assert_eq!(store.swap_with(&again, &options()).await.unwrap().generation, 3);
    }
}

#[tokio::test]
async fn a_component_that_does_well_stays_and_the_audit_tells_all_its_steps() {
    let engine = engine();
    let audit = Arc::new(Audit::new());
    let (store, _) = layer(&engine, &audit).await;
    let options = options().with_probation(Some(Duration::from_millis(1))).asked_by("a test");
    let good = SwapOptions::clone(&options).with_shadow(Some(ShadowOptions::new(1, 1, Duration::ZERO)));
    store.swap_with(&component("kv-pass-late"), &good).await.unwrap();
    store.settled().await;
    assert_eq!(store.generation(), 2);
    let expected = [
        SwapStep::Read,
        SwapStep::Compile,
        SwapStep::Canary,
        SwapStep::Start,
        SwapStep::Prewarm,
        SwapStep::Shadow,
        SwapStep::Switch,
        SwapStep::Drain,
        SwapStep::Probation,
    ];
    assert_eq!(steps(&audit), expected.map(|step| (step, true)));
    assert!(audit.records().iter().all(|record| record.by == "a test" && record.plugin == "kv-pass"));
    is_whole(&store).await;
}

#[tokio::test]
async fn a_component_that_is_much_slower_is_returned_from() {
    let engine = engine();
    let audit = Arc::new(Audit::new());
    let (store, _) = layer(&engine, &audit).await;
    let slow = store.prepare_swap(&component("kv-pass-slow"), &options()).await.unwrap();
    // From the beginning of a swap to its switch it is counted how the old one does.
    for _ in 0..100 {
        is_whole(&store).await;
    }
    slow.finish().await.expect("it is right in all that it answers");
    while store.is_on_probation() {
        is_whole(&store).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(store.generation(), 1);
    let why = audit.records().into_iter().find(|record| record.step == SwapStep::Probation).unwrap();
    assert!(why.outcome.contains("in the median"), "{}", why.outcome);
}

#[tokio::test]
async fn a_plugin_that_owns_its_data_hands_it_back_when_it_is_returned_from() {
    let engine = engine();
    for mode in crate::MODES {
        let audit = Arc::new(Audit::new());
        let plugin_options = PluginOptions::new("kv-memory").with_mode(mode).with_audit(Arc::clone(&audit));
        let store = KvPlugin::load(&engine, &component("kv-memory"), plugin_options).await.unwrap();
        let before = store.digest();
        store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
        store.swap_with(&component("kv-memory-tired"), &options()).await.unwrap();
        store.commit(&Commit::new().put(key("b"), "2")).await.unwrap();
        let failed = loop {
            match store.get(&key("a")).await {
                Ok(found) => assert_eq!(found.unwrap().value, "1"),
                Err(error) => break error,
            }
        };
        assert_eq!(failed.kind(), ErrorKind::Plugin);
        store.settled().await;
        assert_eq!(store.digest(), before, "{mode:?}: {:?}", steps(&audit));
        assert_eq!(store.generation(), 3);
        for (name, value) in [("a", "1"), ("b", "2")] {
            assert_eq!(store.get(&key(name)).await.unwrap().unwrap().value, value, "{mode:?}");
        }
    }
}

#[tokio::test]
async fn a_swap_that_is_prepared_and_dropped_changed_nothing() {
    let engine = engine();
    let (store, _) = layer(&engine, &Arc::default()).await;
    drop(store.prepare_swap(&component("kv-pass-late"), &options()).await.unwrap());
    is_whole(&store).await;
    let ready = store.prepare_swap(&component("kv-pass-late"), &options()).await.unwrap();
    let switched = ready.switch(&larder_wasm::SwapGroup::new()).await.unwrap();
    assert_eq!(store.generation(), 2);
    assert!(switched.undo("the test says so").await);
    assert_eq!(store.generation(), 1);
    is_whole(&store).await;
    // One that is neither settled nor undone serves on.
    let ready = store.prepare_swap(&component("kv-pass-late"), &options()).await.unwrap();
    drop(ready.switch(&larder_wasm::SwapGroup::new()).await.unwrap());
    assert_eq!((store.generation(), store.is_on_probation()), (3, false));
    is_whole(&store).await;
}

#[tokio::test]
async fn a_pinned_plugin_is_swapped_by_who_names_the_new_digest() {
    let engine = engine();
    let digest =
        |name: &str| larder_wasm::inspect(&engine, &component(name)).expect("the component is one").digest;
    let (old, new) = (digest("kv-memory"), digest("kv-memory-tired"));
    let pinned = PluginOptions::new("kv-memory").with_sha256(&old);
    let store = KvPlugin::load(&engine, &component("kv-memory"), pinned).await.unwrap();
    let tired = component("kv-memory-tired");
    for wrong in [options(), options().with_sha256(&old)] {
        let error = store.swap_with(&tired, &wrong).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    }
    store.swap_with(&tired, &options().with_sha256(&new)).await.unwrap();
    assert_eq!(store.digest(), new);
}

#[tokio::test]
async fn a_store_that_takes_no_writes_is_swapped_to_one_that_takes_none_either() {
    let engine = engine();
    let load = |name: &'static str| {
        let engine = Arc::clone(&engine);
        async move {
            let source = Source::file(plugin(name));
            KvPlugin::load(&engine, &source, PluginOptions::new(name)).await.unwrap()
        }
    };
    let fixed = load("kv-static").await;
    assert_eq!(fixed.describe().capabilities, Capabilities::empty());
    fixed.swap_with(&component("kv-static-late"), &options()).await.expect("both only read");
}

/// The bar of the bench `swap-load`, without its clock: swaps in a row under load, among them some to components that are
/// broken in each way there is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_in_a_row_among_them_broken_ones_lose_no_call_and_show_no_wrong_answer() {
    let engine = engine();
    let (store, _) = layer(&engine, &Arc::default()).await;
    let mut truncated = std::fs::read(plugin("kv-pass")).unwrap();
    truncated.truncate(truncated.len() / 2);
    let mut bytes = std::fs::read(plugin("kv-pass")).unwrap();
    bytes.extend([0, 3, 1, b'b', 1]);
    let other = Source::bytes("kv-pass, built again", bytes);
    let broken = [
        (component("kv-pass-crash"), false),
        (component("kv-pass-liar"), false),
        (component("kv-pass-sly"), false),
        (component("kv-memory"), false),
        (Source::bytes("half of kv-pass", truncated), false),
        // Only afterwards.
        (component("kv-pass-late"), true),
    ];
    let stop = tokio::sync::watch::Sender::new(false);
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..4_u64 {
        let (store, stopped) = (store.clone(), stop.subscribe());
        tasks.spawn(async move {
            let own = key(&format!("own-{task}"));
            let mut calls = 0_u64;
            while !*stopped.borrow() {
                store
                    .commit(&Commit::new().put(own.clone(), calls.to_string()))
                    .await
                    .expect("no write is lost");
                let found = store.get(&own).await.expect("no read is lost").expect("it is there");
                assert_eq!(found.value, calls.to_string(), "a broken generation answered");
                calls += 1;
                tokio::task::yield_now().await;
            }
            calls
        });
    }
    let compare = options().with_shadow(Some(ShadowOptions::new(1, 16, LONG)));
    for (bad, switches) in broken {
        let swapped = store.swap_with(&bad, &compare).await;
        assert_eq!(swapped.is_ok(), switches, "{bad:?}: {swapped:?}");
        // A probation ends by itself here, since calls go on.
        store.settled().await;
        for good in [&other, &component("kv-pass")] {
            store
                .swap_with(good, &compare.clone().with_probation(Some(Duration::from_millis(1))))
                .await
                .unwrap();
            store.settled().await;
        }
    }
    stop.send_replace(true);
    assert!(tasks.join_all().await.iter().all(|calls| *calls > 0));
}
