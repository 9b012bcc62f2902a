//! Another component in the place of the one that serves: no call is lost, no data either, and a
//! swap that fails changes nothing.

use std::sync::Arc;

use larder_core::{Commit, Expectation, KvStore, ManualClock, Outcome};
use larder_tests::{attacks::Attack, plugin};
use larder_wasm::{Access, Engine, KvPlugin, Mode, PluginOptions, Source};
use tokio::sync::watch;

use crate::{MODES, component, engine, is_alive, key, load_hostile};

/// The same component with another digest: a custom section more, which means nothing.
pub(crate) fn rebuilt(name: &str, build: u8) -> Source {
    let mut bytes = std::fs::read(plugin(name)).unwrap();
    // Section 0 of 3 bytes: a name of 1 byte, and a byte of content.
    bytes.extend([0, 3, 1, b'b', build]);
    Source::bytes(format!("{name}, build {build}"), bytes)
}

async fn memory_plugin(engine: &Arc<Engine>, mode: Mode) -> KvPlugin {
    let options =
        PluginOptions::new("kv-memory").with_mode(mode).with_clock(Arc::new(ManualClock::default()));
    KvPlugin::load(engine, &component("kv-memory"), options).await.unwrap()
}

async fn put(store: &dyn KvStore, name: &str, value: &'static str) {
    store.commit(&Commit::new().put(key(name), value)).await.unwrap();
}

async fn value(store: &dyn KvStore, name: &str) -> Option<String> {
    let entry = store.get(&key(name)).await.unwrap();
    entry.map(|entry| String::from_utf8(entry.value.to_vec()).unwrap())
}

#[tokio::test]
async fn handoff_keeps_entries_versions_and_expiries_over_a_swap() {
    let engine = engine();
    for mode in MODES {
        let store = memory_plugin(&engine, mode).await;
        put(&store, "a", "1").await;
        let hour = std::time::Duration::from_secs(3_600);
        store.commit(&Commit::new().put_with_ttl(key("b"), "2", hour)).await.unwrap();
        let before = store.get_many(&[key("a"), key("b")]).await.unwrap();
        let digest = store.digest();

        let swapped = store.swap(&rebuilt("kv-memory", 2)).await.unwrap();
        assert_eq!((swapped.generation, store.generation()), (2, 2));
        assert_eq!((swapped.from, swapped.to), (digest, store.digest()));

        assert_eq!(store.get_many(&[key("a"), key("b")]).await.unwrap(), before);
        let version = before[0].as_ref().unwrap().version;
        let swap = Commit::new().check(key("a"), Expectation::Version(version)).put(key("a"), "3");
        store.commit(&swap).await.unwrap();
        assert!(store.commit(&swap).await.is_err(), "a version is used up by the write under it");
    }
}

#[tokio::test]
async fn a_swap_that_fails_leaves_the_old_generation_with_its_data() {
    let mut attack = Attack::begin("swap to what can't serve");
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    for mode in MODES {
        let store = memory_plugin(&engine, mode).await;
        put(&store, "a", "1").await;
        let digest = store.digest();
        for bad in [
            Source::file(folder.path().join("missing.wasm")),
            Source::bytes("text", &b"no plugin"[..]),
            Source::bytes("module", wat::parse_str("(module)").unwrap()),
            component("kv-pass"),
            component("kv-next-version"),
            component("kv-ungranted"),
            // Starts, and then refuses the state that it is handed.
            component("kv-hostile"),
        ] {
            let error = store.swap(&bad).await.expect_err("this can't take over");
            assert!(!error.is_effect_unknown(), "{error}");
            attack.reported(&error);
            assert_eq!((store.generation(), store.digest()), (1, digest.clone()), "{bad:?}");
            assert_eq!(value(&store, "a").await.as_deref(), Some("1"), "after {bad:?}");
            put(&store, "b", "2").await;
        }
        assert_eq!(store.swap(&rebuilt("kv-memory", 3)).await.unwrap().generation, 2);
        assert_eq!(value(&store, "b").await.as_deref(), Some("2"));
    }
    attack.held();
}

#[tokio::test]
async fn a_plugin_that_goes_wrong_in_its_handoff_serves_on() {
    let mut attack = Attack::begin("misdeeds in the hand-over");
    let engine = engine();
    for mode in MODES {
        for misdeed in ["trap", "loop", "fail"] {
            let store = load_hostile(&engine, mode, &[("save", misdeed)]).await.unwrap();
            attack.reported(&store.swap(&rebuilt("kv-hostile", 1)).await.expect_err(misdeed));
            assert_eq!(store.generation(), 1);
            assert!(store.get(&key("key-0")).await.unwrap().is_some(), "{mode:?} {misdeed}");

            let store = load_hostile(&engine, mode, &[("restore", misdeed)]).await.unwrap();
            attack.reported(&store.swap(&rebuilt("kv-hostile", 1)).await.expect_err(misdeed));
            assert_eq!(store.generation(), 1);
            // The old component can't take its own state back either; what it must not do is to take the host along.
            drop(store.get(&key("key-0")).await);
            is_alive(&engine).await;
        }
    }
    attack.held();
}

#[tokio::test]
async fn a_swap_to_the_same_component_changes_nothing() {
    let engine = engine();
    let store = memory_plugin(&engine, Mode::Auto).await;
    put(&store, "a", "1").await;
    assert_eq!(store.swap(&component("kv-memory")).await.unwrap().generation, 1);
    assert_eq!(value(&store, "a").await.as_deref(), Some("1"));
}

/// Increments a counter from several tasks until it is told to stop; answers how often it succeeded.
async fn swapped_under_load(store: KvPlugin, builds: Vec<Source>) -> (i64, Vec<i64>) {
    let (stop, stopped) = watch::channel(false);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (store, stopped) = (store.clone(), stopped.clone());
        tasks.spawn(async move {
            let mut values = Vec::new();
            while !*stopped.borrow() {
                let outcomes = store.commit(&Commit::new().add(key("n"), 1)).await.expect("no call is lost");
                match outcomes[..] {
                    [Outcome::Added(value)] => values.push(value),
                    _ => panic!("an add answered {outcomes:?}"),
                }
                let read = value(&store, "n").await.unwrap().parse::<i64>().unwrap();
                assert!(read >= *values.last().unwrap(), "a counter went back from {values:?} to {read}");
                tokio::task::yield_now().await;
            }
            values
        });
    }
    for build in &builds {
        // Not before calls have reached the generation that serves.
        let reached = value(&store, "n").await.map_or(0, |n| n.parse::<i64>().unwrap());
        while value(&store, "n").await.map_or(0, |n| n.parse::<i64>().unwrap()) < reached + 20 {
            tokio::task::yield_now().await;
        }
        store.swap(build).await.expect("the swap succeeds under load");
    }
    stop.send(true).unwrap();
    let mut values = tasks.join_all().await.concat();
    values.sort_unstable();
    (value(&store, "n").await.unwrap().parse().unwrap(), values)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_no_call_and_no_write() {
    let engine = engine();
    for mode in MODES {
        let store = memory_plugin(&engine, mode).await;
        let builds = (1..=5).map(|build| rebuilt("kv-memory", build)).collect();
        let (last, values) = swapped_under_load(store.clone(), builds).await;
        assert_eq!(store.generation(), 6);
        // Each value once: two generations that both served would have given one twice.
        assert_eq!(values, (1..=last).collect::<Vec<_>>(), "{mode:?}");
    }
}

/// Instances of `many` have a memory each here, so what was put before a swap is seen by the old generation alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn once_a_swap_is_done_no_call_reaches_an_old_instance() {
    let engine = engine();
    for mode in MODES {
        let settings = [("instances", "many")];
        let store = load_hostile(&engine, mode, &settings).await.unwrap();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, stopped) = (store.clone(), stopped.clone());
            tasks.spawn(async move {
                let mut calls = 0_u64;
                while !*stopped.borrow() {
                    assert!(value(&store, "key-0").await.is_some(), "no call is lost");
                    calls += 1;
                    tokio::task::yield_now().await;
                }
                calls
            });
        }
        for build in 1..=5 {
            let mark = format!("before-{build}");
            let written = Commit::new().put(key(&mark), "old");
            for _ in 0..64 {
                store.commit(&written).await.unwrap();
                tokio::task::yield_now().await;
            }
            store.swap(&rebuilt("kv-hostile", build)).await.expect("the swap succeeds under load");
            for _ in 0..64 {
                assert_eq!(value(&store, &mark).await, None, "{mode:?}: an old instance answered");
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(store.generation(), 6);
        stop.send(true).unwrap();
        assert!(tasks.join_all().await.iter().all(|calls| *calls > 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_swapped_to_another_build_over_the_same_folder() {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let options = || {
        PluginOptions::new("kv-log").with_setting("folder", "/data").with_folder(
            folder.path().join("log"),
            "/data",
            Access::ReadWrite,
        )
    };
    let store = KvPlugin::load(&engine, &component("kv-log"), options()).await.unwrap();
    let builds = ["kv-log-b", "kv-log", "kv-log-b"].map(component).to_vec();
    let (last, values) = swapped_under_load(store.clone(), builds).await;
    assert_eq!(store.generation(), 4);
    assert_eq!(values, (1..=last).collect::<Vec<_>>());
    drop(store);
    let again = KvPlugin::load(&engine, &component("kv-log"), options()).await.unwrap();
    assert_eq!(value(&again, "n").await, Some(last.to_string()));
}
