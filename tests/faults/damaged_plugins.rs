//! The same of plugins that keep their data in a granted folder.

use std::{fs, path::Path};

use larder_core::{Commit, ErrorKind, Key, KvStore, Result};
use larder_tests::plugin;
use larder_wasm::{Access, Engine, EngineOptions, KvPlugin, PluginOptions, Source};

use crate::damage::{ENTRIES, data_file, value};

async fn open(folder: &Path) -> Result<KvPlugin> {
    let engine = Engine::new(EngineOptions::default())?;
    let options = PluginOptions::new("kv-log").with_setting("folder", "/data").with_folder(
        folder,
        "/data",
        Access::ReadWrite,
    );
    KvPlugin::load(&engine, &Source::file(plugin("kv-log")), options).await
}

fn key(i: usize) -> Key {
    Key::new(format!("key-{i}")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_in_a_log_never_comes_back_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path()).await.unwrap();
    for i in 0..ENTRIES {
        log.commit(&Commit::new().put(key(i), value(i))).await.unwrap();
    }
    drop(log);
    let file = data_file(folder.path());
    let whole = fs::read(&file).unwrap();
    let places = 8;
    for i in 0..places {
        let at = i * whole.len() / places + (i * 37) % (whole.len() / places);
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (i % 8);
        fs::write(&file, &flipped).unwrap();
        let log = match open(folder.path()).await {
            Ok(log) => log,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at} flipped: {}", error.chain());
                continue;
            }
        };
        for i in 0..ENTRIES {
            match log.get(&key(i)).await {
                Ok(Some(entry)) => assert_eq!(entry.value, value(i), "byte {at} flipped"),
                Ok(None) => panic!("byte {at} flipped: {} was lost without a word", key(i)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {at} flipped: {error}"),
            }
        }
    }
    fs::write(&file, &whole).unwrap();
    let log = open(folder.path()).await.unwrap();
    assert!(log.get(&key(0)).await.unwrap().is_some(), "with its bytes restored the log opens again");
}
