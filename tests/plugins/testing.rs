//! `larder::testing` with components: in the place of a native store, behind the tools, on the test's time, and swapped.

use std::time::Duration;

use larder::{
    Config, ErrorKind, SetOptions, Source,
    testing::{Fault, Faults, Operation, Recorder, TestHost, TestPlugin, Tool},
};
use larder_tests::plugin;

fn source(name: &str) -> Source {
    Source::file(plugin(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_takes_the_place_of_a_native_store_in_one_line() {
    let host = TestHost::memory();
    let kv = host.kv("state").unwrap();
    kv.set("a", &1).await.unwrap();
    host.swap_for_plugin("state", source("kv-memory")).await.unwrap();
    assert_eq!(kv.get::<u32>("a").await.unwrap(), None);
    kv.set("a", &2).await.unwrap();
    host.put_back("state").unwrap();
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_does_not_load_leaves_the_store_as_it_was() {
    let host = TestHost::memory();
    let kv = host.kv("state").unwrap();
    kv.set("a", &1).await.unwrap();
    let broken = Source::bytes("broken", &b"no wasm"[..]);
    assert_eq!(host.swap_for_plugin("state", broken).await.unwrap_err().kind(), ErrorKind::Config);
    let of_blobs = host.swap_for_plugin("state", source("blob-folder")).await.unwrap_err();
    assert_eq!(of_blobs.kind(), ErrorKind::Config);
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_stand_in_front_of_a_component_as_of_any_store() {
    let host = TestHost::memory();
    let recorder = Recorder::new();
    let faults = Faults::seeded(1).with(Fault::on(Operation::Commit).nth(2).answer_lost());
    let store = host.plugin_kv("under-test", source("kv-memory")).await.unwrap();
    host.swap_kv("state", recorder.over_kv(faults.over_kv(store))).unwrap();
    let kv = host.kv("state").unwrap();
    kv.set("a", &1).await.unwrap();
    assert!(kv.set("a", &2).await.unwrap_err().is_effect_unknown());
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(2));
    recorder.assert_calls([
        "commit put a=1 -> ok",
        "commit * -> error unavailable, effect unknown",
        "get a -> 2",
    ]);
    faults.assert_all_struck();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_component_keeps_expires_by_the_time_of_the_test() {
    let host = TestHost::memory();
    host.swap_for_plugin("state", source("kv-memory")).await.unwrap();
    let kv = host.kv("state").unwrap();
    kv.set_with("a", &1, SetOptions::default().ttl(Duration::from_secs(60))).await.unwrap();
    host.advance(Duration::from_secs(59)).await;
    assert!(kv.exists("a").await.unwrap());
    host.advance(Duration::from_secs(1)).await;
    assert!(!kv.exists("a").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn blobs_of_a_component_take_the_place_of_native_ones() {
    let folder = tempfile::tempdir().unwrap();
    let host = TestHost::memory();
    let blobs = host.blobs("storage").unwrap();
    let plugin =
        TestPlugin::new(source("blob-folder")).setting("folder", "/data").folder(folder.path(), "/data");
    host.swap_for_plugin("storage", plugin).await.unwrap();
    let recorder = Recorder::new();
    host.put_in_front("storage", &recorder).unwrap();
    blobs.put("a", "page").await.unwrap();
    assert_eq!(blobs.get("a").await.unwrap().unwrap(), "page");
    recorder.assert_count(Operation::Finish, 1);
    host.put_back("storage").unwrap();
    assert!(!blobs.exists("a").await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_can_be_a_layer_in_front_of_a_store() {
    let host = TestHost::memory();
    let (kv, blobs) = (host.kv("state").unwrap(), host.blobs("storage").unwrap());
    kv.set("a", &1).await.unwrap();
    let recorder = Recorder::new();
    for (store, layer) in [("state", "kv-pass"), ("storage", "blob-pass")] {
        host.put_in_front(store, &recorder).unwrap();
        host.put_plugin_in_front(store, source(layer)).await.unwrap();
    }
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
    blobs.put("a", "page").await.unwrap();
    recorder.assert_contains(["get a -> 1", "finish a -> ok"]);
}

/// A configuration with a plugin as a store, and one in front of another.
fn config(folder: &std::path::Path) -> Config {
    let yaml = format!(
        "
        plugins:
          kv-log:
            path: '{}'
            grants: {{ folders: [{{ path: state, as: /data, access: read-write }}] }}
          kv-pass: {{ path: '{}' }}
        stores:
          frontier: {{ backend: kv-log }}
          seen: {{ url: 'redis://127.0.0.1:1/0', layers: [kv-pass] }}
        ",
        plugin("kv-log").display(),
        plugin("kv-pass").display(),
    );
    Config::from_yaml(&yaml).unwrap().relative_to(folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_of_the_configuration_stay_and_are_swapped_as_in_production() {
    let folder = tempfile::tempdir().unwrap();
    let host = TestHost::builder().config(config(folder.path())).open().await.unwrap();
    for store in ["frontier", "seen"] {
        host.kv(store).unwrap().set("a", store).await.unwrap();
    }
    assert_eq!(host.swap_plugin("kv-log", source("kv-log-b")).await.unwrap().generation, 2);
    for store in ["frontier", "seen"] {
        assert_eq!(host.kv(store).unwrap().get::<String>("a").await.unwrap().unwrap(), store);
    }
    // A crash ends the plugin too; what it had in its folder is there.
    let host = host.crash().await.unwrap();
    for store in ["frontier", "seen"] {
        assert_eq!(host.kv(store).unwrap().get::<String>("a").await.unwrap().unwrap(), store);
    }
    assert!(host.plugins().list().iter().all(|plugin| plugin.generation == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_plugin_can_be_kept_in_memory_instead() {
    let folder = tempfile::tempdir().unwrap();
    let builder = TestHost::builder().config(config(folder.path())).in_memory("frontier");
    let host = builder.open().await.unwrap();
    host.kv("frontier").unwrap().set("a", &1).await.unwrap();
    assert!(host.plugins().list().iter().all(|plugin| plugin.name != "kv-log"));
    assert!(!folder.path().join("state").exists());
}
