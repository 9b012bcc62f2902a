//! Blob stores. The component must be built: `larder_tests::plugin` says how.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use larder_backends::object;
use larder_conformance::blob;
use larder_core::{BoxFuture, Result};
use larder_wasm::{Access, BlobPlugin, Engine, EngineOptions, PluginOptions, Source};
use opendal::Operator;
use tempfile::TempDir;

use super::keep;

/// A blob store from its name and a way to open an empty one. What it lives in goes with the next one.
struct BlobStore<F> {
    name: &'static str,
    open: F,
    folder: Mutex<Option<TempDir>>,
}

impl<F> blob::Subject for BlobStore<F>
where
    F: Fn(PathBuf) -> BoxFuture<'static, Result<Operator>> + Send + Sync,
{
    fn name(&self) -> String {
        self.name.to_owned()
    }

    fn fresh(&self) -> BoxFuture<'_, Result<Operator>> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let opened = (self.open)(folder.path().to_owned());
        *self.folder.lock().expect("no panic before") = Some(folder);
        opened
    }
}

async fn blobs_hold<F>(name: &'static str, open: F)
where
    F: Fn(PathBuf) -> BoxFuture<'static, Result<Operator>> + Send + Sync,
{
    let subject = BlobStore { name, open, folder: Mutex::default() };
    let report = blob::run(&subject, &blob::Options::default()).await;
    keep(&report);
    assert!(report.holds(), "{report}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_memory_keep_the_contract() {
    blobs_hold("memory", |_| Box::pin(async { Ok(object::memory()) })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_in_a_folder_keep_the_contract() {
    blobs_hold("fs", |folder| Box::pin(async move { object::fs(&folder) })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blob_folder_keeps_the_contract() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    blobs_hold("blob-folder", move |folder| {
        let engine = engine.clone();
        Box::pin(async move { Ok(blob_folder(&engine, &folder, &[]).await?.operator()) })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blob_folder_keeps_the_contract_where_several_instances_share_the_folder() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    blobs_hold("blob-folder (shared)", move |folder| {
        let engine = engine.clone();
        Box::pin(async move { Ok(blob_folder(&engine, &folder, &[("shared", "true")]).await?.operator()) })
    })
    .await;
}

async fn blob_folder(engine: &Arc<Engine>, folder: &Path, settings: &[(&str, &str)]) -> Result<BlobPlugin> {
    let mut options = PluginOptions::new("blob-folder").with_setting("folder", "/data").with_folder(
        folder,
        "/data",
        Access::ReadWrite,
    );
    for (name, value) in settings {
        options = options.with_setting(*name, *value);
    }
    BlobPlugin::load(engine, &Source::file(larder_tests::plugin("blob-folder")), options).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blob_layer_over_a_folder_keeps_the_contract() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    blobs_hold("blob-pass over fs", move |folder| {
        let engine = engine.clone();
        Box::pin(async move {
            let source = Source::file(larder_tests::plugin("blob-pass"));
            let options = PluginOptions::new("blob-pass");
            Ok(BlobPlugin::load_layer(&engine, &source, options, object::fs(&folder)?).await?.operator())
        })
    })
    .await;
}

/// One that never heard of larder, in what its standard promises.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_component_of_wasi_blobstore_keeps_the_contract() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    blobs_hold("blob-wasi", move |_| {
        let engine = engine.clone();
        Box::pin(async move {
            let source = Source::file(larder_tests::plugin("blob-wasi"));
            Ok(BlobPlugin::load(&engine, &source, PluginOptions::new("blob-wasi")).await?.operator())
        })
    })
    .await;
}
