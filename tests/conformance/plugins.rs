//! The plugins that ship with larder, through the host that runs them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use larder_backends::file::{FileKv, FileOptions};
use larder_core::{KvStore, MemoryKv};
use larder_tests::{
    plugin,
    servers::{
        etcd::{self, EtcdServer},
        memcached::MemcachedServer,
    },
};
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

/// One server for all stores, each below a prefix of its own. It takes the contract's largest commit, which etcd does not
/// unless it is told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kv_etcd_keeps_the_contract() {
    let server = EtcdServer::start().expect("etcd starts");
    let (engine, source) = (engine(), Source::file(plugin("kv-etcd")));
    let (url, opened) = (server.url(), AtomicU32::new(0));
    kv_holds("kv-etcd", move |place| {
        let (engine, source, url) = (engine.clone(), source.clone(), url.clone());
        let prefix = format!("store-{}/", opened.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            let options = PluginOptions::new("kv-etcd")
                .with_clock(place.clock)
                .with_setting("url", &url)
                .with_setting("prefix", prefix)
                .with_setting("request_bytes", etcd::REQUEST_BYTES.to_string())
                .with_http(url.parse()?);
            Ok(Arc::new(KvPlugin::load(&engine, &source, options).await?) as Arc<dyn KvStore>)
        })
    })
    .await;
    drop(server);
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
