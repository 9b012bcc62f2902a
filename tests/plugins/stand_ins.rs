//! What a store does while its plugin fails, as its configuration says.

use futures::TryStreamExt as _;
use larder::{Config, ErrorKind, Host, PluginState, ScanOptions};
use larder_tests::plugin;

/// A store whose plugin traps at each read and is quarantined at the second time.
async fn open(on_failure: &str) -> Host {
    let yaml = format!(
        "
        plugins:
          bad:
            path: '{}'
            settings: {{ get: trap, fill: '8' }}
            supervision: {{ strikes: 2 }}
        stores:
          main: {{ backend: bad, on_failure: {on_failure} }}
          spare: memory://
        ",
        plugin("kv-hostile").display()
    );
    let config = Config::from_yaml(&yaml).expect("a right configuration");
    Host::open(config.plan().expect("a right configuration")).await.expect("a host")
}

async fn quarantine(host: &Host) {
    let main = host.kv("main").unwrap();
    for _ in 0..2 {
        // What it answers is the store's choice; that it trapped is not.
        drop(main.get_bytes("key-0").await);
    }
    let report = report(host);
    assert!(matches!(report.state, PluginState::Quarantined { .. }), "{report:?}");
    assert_eq!(report.traps, 2);
}

/// That of the only place where the only plugin stands.
fn report(host: &Host) -> larder::PluginReport {
    host.plugins().list().into_iter().flat_map(|status| status.reports).next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_says_so() {
    let host = open("fail").await;
    quarantine(&host).await;
    let main = host.kv("main").unwrap();
    let error = main.get_bytes("key-0").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    assert_eq!(error.context("store"), Some("main"), "{error}");
    host.plugins().release("bad").unwrap();
    main.set("key-9", &1).await.unwrap();
    assert!(host.plugins().release("bda").unwrap_err().message().contains("`bad`"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_finds_nothing_and_acknowledges_nothing() {
    let host = open("miss").await;
    let main = host.kv("main").unwrap();
    assert_eq!(main.get_bytes("key-0").await.unwrap(), None, "a read that trapped");
    quarantine_more(&host).await;
    assert_eq!(main.get_bytes("key-0").await.unwrap(), None);
    assert_eq!(main.set("key-0", &1).await.unwrap_err().kind(), ErrorKind::Plugin);
    let scanned: Result<Vec<_>, _> = main.scan(ScanOptions::all()).try_collect().await;
    assert_eq!(scanned.unwrap_err().kind(), ErrorKind::Plugin, "an empty page would be a lie");
}

async fn quarantine_more(host: &Host) {
    drop(host.kv("main").unwrap().get_bytes("key-0").await);
    assert!(matches!(report(host).state, PluginState::Quarantined { .. }));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_store_takes_what_depends_on_nothing() {
    let host = open("{ fallback: spare }").await;
    let (main, spare) = (host.kv("main").unwrap(), host.kv("spare").unwrap());
    main.set("before", &1).await.unwrap();
    quarantine(&host).await;
    main.set("meanwhile", &2).await.unwrap();
    assert_eq!(main.get::<u32>("meanwhile").await.unwrap(), Some(2));
    assert_eq!(spare.get::<u32>("meanwhile").await.unwrap(), Some(2));
    // What depends on what is stored can't be asked of a store that has something else.
    let found = main.get_versioned::<u32>("meanwhile").await.unwrap().unwrap();
    let error = main.compare_and_set("meanwhile", Some(found.version), &3).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Plugin, "{error}");
    assert_eq!(main.increment("n", 1).await.unwrap_err().kind(), ErrorKind::Plugin);
    let scanned: Result<Vec<_>, _> = main.scan(ScanOptions::all()).try_collect().await;
    assert_eq!(scanned.unwrap_err().kind(), ErrorKind::Plugin);
    // A version of the one store is never one of the other.
    let own = spare.get_versioned::<u32>("meanwhile").await.unwrap().unwrap();
    assert_ne!(own.version, found.version);

    host.plugins().release("bad").unwrap();
    main.set("after", &4).await.unwrap();
    assert_eq!(spare.get::<u32>("after").await.unwrap(), None, "the plugin is back");
}
