//! Swaps as a host does them: in all places where a plugin stands, by hand and when its file changes.

use std::time::Duration;

use larder::{Config, Host, Source, SwapOptions, SwapStep};
use larder_tests::plugin;

/// Two stores behind one layer, whose component is a file of its own.
async fn open(folder: &std::path::Path, swap: &str) -> Host {
    std::fs::copy(plugin("kv-pass"), folder.join("pass.wasm")).unwrap();
    let yaml = format!(
        "
        plugins: {{ pass: {{ path: pass.wasm, swap: {{ {swap} }} }} }}
        stores:
          one: {{ backend: memory, layers: [pass] }}
          two: {{ backend: memory, layers: [pass] }}
        plugin_cache: off
        "
    );
    let config = Config::from_yaml(&yaml).expect("a right configuration").relative_to(folder);
    Host::open(config.plan().expect("a right configuration")).await.expect("a host")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_that_fails_in_front_of_one_store_is_returned_from_in_front_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(folder.path(), "probation: 1h, shadow: { reads: 0 }").await;
    let (one, two) = (host.kv("one").unwrap(), host.kv("two").unwrap());
    one.set("a", &1).await.unwrap();
    two.set("a", &2).await.unwrap();
    let before = host.plugins().list();
    host.plugins().swap("pass", Source::file(plugin("kv-pass-late"))).await.unwrap();
    assert!(host.plugins().list()[0].is_on_probation);
    // The other store is not called at all.
    while host.plugins().list()[0].is_on_probation {
        assert_eq!(one.get::<u32>("a").await.expect("no call is lost"), Some(1));
        tokio::task::yield_now().await;
    }
    host.plugins().settled("pass").await.unwrap();
    assert_eq!(host.plugins().list()[0].digest, before[0].digest);
    let audit = host.plugins().audit();
    let back = audit.iter().filter(|record| record.step == SwapStep::Return && !record.is_failure);
    assert_eq!(back.count(), 2, "in front of both: {audit:#?}");
    assert_eq!(two.get::<u32>("a").await.unwrap(), Some(2));
    host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_is_swapped_when_its_file_changes_and_not_to_what_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(folder.path(), "watch: true, probation: 1h, shadow: { reads: 0 }").await;
    let kv = host.kv("one").unwrap();
    kv.set("a", &1).await.unwrap();
    let replace = |bytes: &[u8]| {
        std::fs::write(folder.path().join("new.wasm"), bytes).unwrap();
        std::fs::rename(folder.path().join("new.wasm"), folder.path().join("pass.wasm")).unwrap();
    };
    // Calls go on until the audit has what is waited for.
    let until = async |seen: &dyn Fn(&larder::AuditRecord) -> bool| {
        while !host.plugins().audit().iter().any(seen) {
            assert_eq!(kv.get::<u32>("a").await.expect("no call is lost"), Some(1));
            tokio::task::yield_now().await;
        }
    };
    let whole = std::fs::read(plugin("kv-pass")).unwrap();
    replace(&whole[..whole.len() / 2]);
    until(&|record| record.is_failure && record.step == SwapStep::Compile).await;
    replace(&std::fs::read(plugin("kv-pass-liar")).unwrap());
    until(&|record| record.is_failure && record.step == SwapStep::Canary).await;
    assert_eq!(host.plugins().list()[0].generation, 1);
    let again = [&whole[..], &[0, 3, 1, b'b', 1]].concat();
    replace(&again);
    until(&|record| record.step == SwapStep::Switch && record.outcome.contains("generation 2")).await;
    assert!(host.plugins().audit().iter().all(|record| record.by == "file watch"));
    host.close().await.unwrap();
}

#[tokio::test]
async fn options_say_how_a_swap_is_done_and_the_configuration_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let host =
        open(folder.path(), "canary: false, probation: 0, shadow: { one_in: 2, reads: 3, time: 4ms }").await;
    let options = host.plugins().swap_options("pass").unwrap();
    let shadow = options.shadow.unwrap();
    assert_eq!((options.canary, options.probation), (false, None));
    assert_eq!((shadow.one_in, shadow.reads_max, shadow.time_max), (2, 3, Duration::from_millis(4)));
    // Without a self-test what lies is taken; with one it is not.
    let liar = Source::file(plugin("kv-pass-liar"));
    host.plugins().swap_with("pass", liar.clone(), &SwapOptions::default()).await.unwrap_err();
    assert_eq!(host.plugins().swap("pass", liar).await.unwrap().generation, 2);
    host.close().await.unwrap();
}

#[test]
fn a_pinned_plugin_is_not_watched() {
    let yaml =
        format!("plugins: {{ p: {{ path: x, sha256: {}, swap: {{ watch: true }} }} }}", "ab".repeat(32));
    let error = Config::from_yaml(&yaml).unwrap().plan().unwrap_err();
    assert_eq!(error.context("key"), Some("plugins.p.swap.watch"), "{error}");
}
