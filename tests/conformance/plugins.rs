//! The plugins that ship with larder, through the host that runs them.

use std::sync::Arc;

use larder_core::KvStore;
use larder_tests::plugin;
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
