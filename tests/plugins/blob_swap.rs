//! A swap of a blob plugin while blobs are written through it.

use std::{path::Path, sync::Arc};

use larder_wasm::{Access, BlobPlugin, Engine, EngineOptions, PluginOptions, Source};

async fn load(engine: &Arc<Engine>, folder: &Path) -> BlobPlugin {
    let options = PluginOptions::new("blob-folder").with_setting("folder", "/data").with_folder(
        folder,
        "/data",
        Access::ReadWrite,
    );
    let source = Source::file(larder_tests::plugin("blob-folder"));
    BlobPlugin::load(engine, &source, options).await.expect("the plugin loads")
}

/// The same component under another digest: with a custom section that nobody reads.
fn another_build() -> Source {
    let mut bytes = std::fs::read(larder_tests::plugin("blob-folder")).expect("the component is built");
    bytes.extend_from_slice(&[0, 6, 5, b'b', b'u', b'i', b'l', b'd']);
    Source::bytes("blob-folder, another build", bytes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_swap_waits_for_the_writer_that_was_begun_and_no_byte_is_lost() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = load(&engine, folder.path()).await;
    let operator = plugin.operator();
    let content: Vec<u8> = (0..5_u32 << 20).map(|at| (at % 251) as u8).collect();
    let mut pieces = content.chunks(1 << 20);

    let mut writer = operator.writer("blob").await.expect("a writer");
    for piece in pieces.by_ref().take(3) {
        writer.write(piece.to_vec()).await.expect("a part is written");
    }
    let swapping = {
        let plugin = plugin.clone();
        tokio::spawn(async move { plugin.swap(&another_build()).await })
    };
    for piece in pieces {
        writer.write(piece.to_vec()).await.expect("a part is written");
        assert_eq!(plugin.generation(), 1, "a stream stays with the generation that began it");
    }
    writer.close().await.expect("the blob is finished");
    let swapped = swapping.await.expect("no panic").expect("the swap succeeds");
    assert_eq!((swapped.generation, plugin.generation()), (2, 2));
    assert!(operator.read("blob").await.expect("the blob is there").to_vec() == content);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_is_dropped_lets_the_swap_go_on() {
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plugin = load(&engine, folder.path()).await;
    let mut writer = plugin.operator().writer("blob").await.expect("a writer");
    writer.write(vec![1; 3 << 20]).await.expect("parts are written");
    drop(writer);
    let swapped = plugin.swap(&another_build()).await.expect("the swap succeeds");
    assert_eq!(swapped.generation, 2);
    assert!(!plugin.operator().exists("blob").await.expect("an answer"));
    let unfinished = std::fs::read_dir(folder.path().join("unfinished")).expect("the plugin's folder");
    assert_eq!(unfinished.count(), 0, "the upload was aborted before its generation went");
}
