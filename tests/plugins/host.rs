//! Plugins as a configuration names them: opened, listed, swapped, closed by the host.

use futures::TryStreamExt;
use larder::{Config, ErrorKind, Host, ScanOptions, Source};
use larder_tests::plugin;

/// A configuration of stores over plugins that keep their data in `folder`.
fn config(folder: &std::path::Path) -> Config {
    let yaml = format!(
        "
        plugins:
          kv-memory: {{ path: '{}' }}
          kv-log:
            path: '{}'
            grants: {{ folders: [{{ path: state, as: /data, access: read-write }}] }}
          kv-pass: {{ path: '{}' }}
          blob-folder:
            path: '{}'
            settings: {{ folder: /data }}
            grants: {{ folders: [{{ path: pages, as: /data, access: read-write }}] }}
        stores:
          memory: {{ backend: kv-memory }}
          same: {{ backend: kv-memory }}
          frontier: {{ backend: kv-log, layers: [kv-pass, kv-pass] }}
          other: {{ backend: memory, layers: [kv-pass] }}
          pages: {{ kind: blob, backend: blob-folder }}
        ",
        plugin("kv-memory").display(),
        plugin("kv-log").display(),
        plugin("kv-pass").display(),
        plugin("blob-folder").display(),
    );
    Config::from_yaml(&yaml).expect("a right configuration").relative_to(folder)
}

async fn open(config: &Config) -> Host {
    Host::open(config.plan().expect("a right configuration")).await.expect("a host")
}

#[tokio::test(flavor = "multi_thread")]
async fn stores_over_plugins_keep_what_they_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let host = open(&config).await;
    let frontier = host.kv("frontier").unwrap();
    frontier.set("a", &1).await.unwrap();
    assert_eq!(frontier.increment("n", 2).await.unwrap(), 2);
    host.blobs("pages").unwrap().put("x/1", "page").await.unwrap();
    // Two stores that name one plugin share its data.
    host.kv("memory").unwrap().set("b", &2).await.unwrap();
    assert_eq!(host.kv("same").unwrap().get::<u32>("b").await.unwrap(), Some(2));
    drop(frontier);
    host.close().await.unwrap();

    let host = open(&config).await;
    let keys: Vec<_> = host.kv("frontier").unwrap().scan(ScanOptions::all()).try_collect().await.unwrap();
    assert_eq!(keys.len(), 2);
    assert_eq!(host.blobs("pages").unwrap().get("x/1").await.unwrap().unwrap(), "page");
    assert_eq!(host.kv("memory").unwrap().get::<u32>("b").await.unwrap(), None);
    host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_changes_every_place_where_the_plugin_stands_and_keeps_the_data() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(&config(folder.path())).await;
    for store in ["frontier", "memory", "other"] {
        host.kv(store).unwrap().set("a", store).await.unwrap();
    }
    for name in ["kv-log", "kv-pass", "kv-memory", "blob-folder"] {
        host.plugins().swap(name, Source::file(plugin(name))).await.unwrap();
    }
    let listed = host.plugins().list();
    let stores: Vec<_> = listed.iter().map(|p| (p.name.as_str(), p.stores.join(" "))).collect();
    assert_eq!(
        stores,
        [
            ("blob-folder", "pages".to_owned()),
            ("kv-log", "frontier".to_owned()),
            ("kv-memory", "memory same".to_owned()),
            ("kv-pass", "frontier frontier other".to_owned()),
        ]
    );
    for store in ["frontier", "memory", "other"] {
        assert_eq!(host.kv(store).unwrap().get::<String>("a").await.unwrap().unwrap(), store);
    }
    host.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_fails_leaves_what_served_before() {
    let folder = tempfile::tempdir().unwrap();
    let host = open(&config(folder.path())).await;
    let kv = host.kv("frontier").unwrap();
    kv.set("a", &1).await.unwrap();
    let before = host.plugins().list();
    for (name, source) in [
        ("kv-pass", Source::file(plugin("kv-memory"))),
        ("kv-log", Source::file(folder.path().join("no-such.wasm"))),
        ("kv-log", Source::bytes("nothing", &b"no wasm"[..])),
    ] {
        let error = host.plugins().swap(name, source).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    }
    assert_eq!(host.plugins().list(), before);
    assert_eq!(kv.get::<u32>("a").await.unwrap(), Some(1));
    let error = host.plugins().swap("kv-lgo", Source::file("x.wasm")).await.unwrap_err();
    assert!(error.message().contains("`kv-log`"), "{error}");
}
