//! The plugins that ship with larder, through the host that runs them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_backends::file::{FileKv, FileOptions};
use larder_core::{Capabilities, KvStore, MemoryKv};
use larder_tests::{plugin, servers::memcached::MemcachedServer};
use larder_wasm::{Access, Engine, EngineOptions, KvPlugin, Mode, PluginOptions, Source};

use crate::kv_holds;

fn engine() -> Arc<Engine> {
    Engine::new(EngineOptions::default()).expect("this machine runs WebAssembly")
}

async fn memory_plugin_holds(name: &'static str, mode: Mode) {
    let (engine, source) = (engine(), Source::file(plugin("kv-memory")));
    kv_holds(name, move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let options = PluginOptions::new("kv-memory").with_clock(place.clock).with_mode(mode);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_memory_keeps_the_contract_inline() {
    memory_plugin_holds("kv-memory", Mode::Inline).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_memory_keeps_the_contract_on_a_fiber() {
    memory_plugin_holds("kv-memory on a fiber", Mode::Fiber).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_log_keeps_the_contract() {
    let (engine, source) = (engine(), Source::file(plugin("kv-log")));
    kv_holds("kv-log", move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let options = PluginOptions::new("kv-log")
                .with_clock(place.clock)
                .with_setting("folder", "/data")
                .with_folder(place.folder, "/data", Access::ReadWrite);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_encrypt_over_file_keeps_the_contract() {
    let (engine, source) = (engine(), Source::file(plugin("kv-encrypt")));
    kv_holds("kv-encrypt over file", move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let options = FileOptions { clock: place.clock.clone(), ..FileOptions::default() };
            let next = Arc::new(FileKv::open(place.folder, options)?);
            let options = PluginOptions::new("kv-encrypt")
                .with_clock(place.clock)
                .with_setting("key", "00112233445566778899aabbccddeeff".repeat(2));
            Ok(Arc::new(KvPlugin::load_layer(&engine, &source, options, next).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_python_keeps_the_contract() {
    let (engine, source) = (engine(), Source::file(plugin("kv-python")));
    kv_holds("kv-python", move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let options = PluginOptions::new("kv-python").with_clock(place.clock);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

/// With a rule for every key, so that each value goes through the reader of JSON; what is none is passed on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_redact_over_memory_keeps_the_contract() {
    let (engine, source) = (engine(), Source::file(plugin("kv-redact")));
    kv_holds("kv-redact over memory", move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let next = Arc::new(MemoryKv::with_clock(place.clock.clone()));
            let options = PluginOptions::new("kv-redact")
                .with_clock(place.clock)
                .with_setting("fields", "password, token")
                .with_setting("unreadable", "pass");
            Ok(Arc::new(KvPlugin::load_layer(&engine, &source, options, next).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

/// In the middle of a change: written under the new key, with a name, while the old one is still there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_encrypt_with_two_keys_keeps_the_contract() {
    let settings = [
        ("key", "00112233445566778899aabbccddeeff".repeat(2)),
        ("key.new", "ffeeddccbbaa99887766554433221100".repeat(2)),
        ("current", "new".to_owned()),
    ];
    layer_over_memory_holds("kv-encrypt", "kv-encrypt with two keys over memory", settings).await;
}

/// No schema covers a key of the suite.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_validate_keeps_the_contract_for_keys_without_a_schema() {
    let settings = [("schema.no key of the suite/", r#"{ "type": "object" }"#.to_owned())];
    layer_over_memory_holds("kv-validate", "kv-validate over memory", settings).await;
}

/// Every value of the suite is judged, every addition is made under a version, nearly all of them are bad, and parked where no
/// scan of the suite may see them; the suite must not notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_validate_keeps_the_contract_while_it_only_reports() {
    let settings = [("schema.", r#"{ "type": "object" }"#.to_owned()), ("on_bad", "report".to_owned())];
    layer_over_memory_holds("kv-validate", "kv-validate reporting over memory", settings).await;
}

async fn layer_over_memory_holds<const N: usize>(
    layer: &'static str,
    name: &'static str,
    settings: [(&'static str, String); N],
) {
    let (engine, source) = (engine(), Source::file(plugin(layer)));
    kv_holds(name, move |place| {
        let (engine, source, settings) = (engine.clone(), source.clone(), settings.clone());
        Box::pin(async move {
            let next = Arc::new(MemoryKv::with_clock(place.clock.clone()));
            let options = PluginOptions::new(layer).with_clock(place.clock);
            let options =
                settings.into_iter().fold(options, |options, (key, value)| options.with_setting(key, value));
            Ok(Arc::new(KvPlugin::load_layer(&engine, &source, options, next).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

/// One server for all stores, each below a prefix of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_memcached_keeps_the_contract() {
    let server = MemcachedServer::start().expect("memcached starts");
    let (engine, source) = (engine(), Source::file(plugin("kv-memcached")));
    let (address, opened) = (server.address(), AtomicU32::new(0));
    kv_holds("kv-memcached", move |place| {
        let (engine, source, address) = (engine.clone(), source.clone(), address.clone());
        let prefix = format!("store-{}:", opened.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            let options = PluginOptions::new("kv-memcached")
                .with_clock(place.clock)
                .with_setting("address", &address)
                .with_setting("prefix", prefix)
                .with_tcp(address.parse()?);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
    drop(server);
}

/// Components that never heard of larder, in what their standard promises.
async fn standard_holds(name: &'static str, declared: Capabilities) {
    let (engine, source) = (engine(), Source::file(plugin(name)));
    let loaded = KvPlugin::load(&engine, &source, PluginOptions::new(name)).await.unwrap();
    assert_eq!(loaded.describe().capabilities, declared);
    kv_holds(name, move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let options = PluginOptions::new(name).with_clock(place.clock);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_the_first_draft_of_wasi_keyvalue_keeps_the_contract() {
    standard_holds("kv-wasi-draft", Capabilities::empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_the_second_draft_of_wasi_keyvalue_keeps_the_contract_with_counters() {
    standard_holds("kv-wasi-draft2", Capabilities::COUNTERS).await;
}

/// The least that a layer is: what fails here fails in the host's half of a layer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_layer_that_passes_on_keeps_the_contract() {
    let (engine, source) = (engine(), Source::file(plugin("kv-pass")));
    kv_holds("kv-pass over memory", move |place| {
        let (engine, source) = (engine.clone(), source.clone());
        Box::pin(async move {
            let next = Arc::new(MemoryKv::with_clock(place.clock.clone()));
            let options = PluginOptions::new("kv-pass").with_clock(place.clock);
            Ok(Arc::new(KvPlugin::load_layer(&engine, &source, options, next).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
}
