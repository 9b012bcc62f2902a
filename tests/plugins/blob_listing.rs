//! A folder that others work on while a plugin lists it.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
};

use larder_wasm::{Access, BlobPlugin, Engine, EngineOptions, PluginOptions};

use crate::component;

/// Starts of the plugin, each of which lists what is unfinished.
const STARTS: usize = 100;
/// Files that come and go all the while.
const FILES: usize = 8;

/// The story: of several instances on one folder, one began while another published a blob and removed its unfinished
/// file. The host had read the file's name and then found no file; the plugin took that for a failed listing and did not
/// start, so that a put that had nothing to do with it failed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_starts_while_others_finish_their_uploads() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unfinished = folder.path().join("unfinished");
    fs::create_dir_all(&unfinished).expect("a folder");
    let engine = Engine::new(EngineOptions::default()).expect("an engine");
    let done = AtomicBool::new(false);
    let runtime = tokio::runtime::Handle::current();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for step in [true, false] {
                    for number in 0..FILES {
                        let file = unfinished.join(format!("{number:032x}"));
                        let changed = if step { fs::write(file, "begun") } else { fs::remove_file(file) };
                        changed.expect("a file of its own");
                    }
                }
            }
        });
        let started = (0..STARTS).try_for_each(|_| {
            let options = PluginOptions::new("blob-folder")
                .with_setting("folder", "/data")
                .with_setting("shared", "true")
                .with_folder(folder.path(), "/data", Access::ReadWrite);
            let component = component("blob-folder");
            let starting = BlobPlugin::load(&engine, &component, options);
            tokio::task::block_in_place(|| runtime.block_on(starting)).map(drop)
        });
        done.store(true, Ordering::Relaxed);
        started.expect("every instance starts");
    });
}
