//! The cache of compiled components: the same plugin without compiling it, and never anything but what larder compiled itself.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use larder_core::{Commit, ErrorKind, KvStore as _};
use larder_tests::{attacks::Attack, plugin};
use larder_wasm::{Engine, EngineOptions, KvPlugin, PluginOptions, Source};

use crate::{component, is_alive, key};

/// An engine as a new process would have it.
fn engine(folder: &Path) -> Arc<Engine> {
    Engine::new(EngineOptions::default().with_compiled(folder)).unwrap()
}

/// Loads `kv-memory`, uses it, and says its digest.
async fn use_it(engine: &Arc<Engine>) -> String {
    let plugin = KvPlugin::load(engine, &component("kv-memory"), PluginOptions::new("p")).await.unwrap();
    plugin.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    assert_eq!(plugin.get(&key("a")).await.unwrap().unwrap().value, "1");
    plugin.digest()
}

/// How many were compiled, came from the disk, were refused.
fn counts(engine: &Engine) -> (u64, u64, u64) {
    let counts = engine.compilations();
    (counts.compiled, counts.from_disk, counts.refused)
}

/// The only entry of a folder.
fn entry(folder: &Path) -> PathBuf {
    let mut entries = entries(folder);
    assert_eq!(entries.len(), 1, "{entries:?}");
    entries.remove(0)
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|end| end == "compiled")).collect()
}

/// A folder with `kv-memory` in it.
async fn filled() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("compiled");
    let first = engine(&folder);
    use_it(&first).await;
    assert_eq!(counts(&first), (1, 0, 0));
    (home, folder)
}

/// What is in the folder is not used; the plugin works all the same, and the next engine finds it compiled anew.
async fn assert_compiled_anew(folder: &Path, what: &str) {
    let second = engine(folder);
    use_it(&second).await;
    assert_eq!(counts(&second), (1, 0, 1), "{what}");
    let third = engine(folder);
    use_it(&third).await;
    assert_eq!(counts(&third), (0, 1, 0), "{what}");
}

#[tokio::test]
async fn a_component_is_compiled_once_and_is_the_same_plugin_afterwards() {
    let (_home, folder) = filled().await;
    let second = engine(&folder);
    let digest = use_it(&second).await;
    assert_eq!(counts(&second), (0, 1, 0));
    let without = Engine::new(EngineOptions::default()).unwrap();
    assert_eq!(use_it(&without).await, digest);
    assert_eq!((counts(&without), without.compiled_folder()), ((1, 0, 0), None));
    use_it(&second).await;
    assert_eq!((counts(&second).1, second.compilations().from_memory), (1, 1));
    assert_eq!(second.compiled_folder(), Some(folder.as_path()));
}

#[tokio::test]
async fn a_pin_holds_for_what_was_compiled_before() {
    let (_home, folder) = filled().await;
    let engine = engine(&folder);
    let options = PluginOptions::new("p").with_sha256("00".repeat(32));
    let error = KvPlugin::load(&engine, &component("kv-memory"), options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    let options = PluginOptions::new("p").with_sha256(use_it(&engine).await);
    KvPlugin::load(&engine, &component("kv-memory"), options).await.unwrap();
}

#[tokio::test]
async fn a_poisoned_entry_is_never_run_and_is_compiled_anew() {
    let attack = Attack::begin("poisoned compile cache");
    let (_home, folder) = filled().await;
    let entry = entry(&folder);
    let whole = fs::read(&entry).unwrap();
    for at in [0, 50, whole.len() / 3, whole.len() - 1] {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&entry, flipped).unwrap();
        assert_compiled_anew(&folder, &format!("a flipped bit in byte {at}")).await;
    }
    for length in [0, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&entry, &whole[..length]).unwrap();
        assert_compiled_anew(&folder, &format!("cut to {length}")).await;
    }
    fs::set_permissions(&entry, fs::Permissions::from_mode(0o666)).unwrap();
    assert_compiled_anew(&folder, "others may write it").await;
    let moved = folder.join("moved");
    fs::rename(&entry, &moved).unwrap();
    symlink(&moved, &entry).unwrap();
    assert_compiled_anew(&folder, "a link").await;
    fs::write(folder.join("key"), [9; 32]).unwrap();
    assert_compiled_anew(&folder, "another key").await;
    attack.held();
}

#[tokio::test]
async fn the_code_of_another_component_is_not_run_in_its_place() {
    let attack = Attack::begin("entry of another component in the compile cache");
    let (_home, folder) = filled().await;
    let mine = entry(&folder);
    let other = engine(&folder);
    let source = component("kv-log");
    // It lacks its folder and does not start, but it was compiled.
    assert!(KvPlugin::load(&other, &source, PluginOptions::new("p")).await.is_err());
    let theirs = entries(&folder).into_iter().find(|path| *path != mine).expect("two entries");
    fs::rename(theirs, &mine).unwrap();
    assert_compiled_anew(&folder, "the entry of another component").await;
    attack.held();
}

#[tokio::test]
async fn code_from_another_folder_is_not_run() {
    let attack = Attack::begin("entry of another compile cache");
    let (_home, folder) = filled().await;
    let (_other_home, other) = filled().await;
    fs::copy(entry(&other), entry(&folder)).unwrap();
    assert_compiled_anew(&folder, "the entry of another folder").await;
    attack.held();
}

#[tokio::test]
async fn a_folder_that_can_not_be_trusted_is_done_without() {
    let attack = Attack::begin("untrusted folder for the compile cache");
    let (home, folder) = filled().await;
    let link = home.path().join("link");
    symlink(&folder, &link).unwrap();
    let open = home.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    for bad in [link, open, file] {
        let engine = engine(&bad);
        assert_eq!(engine.compiled_folder(), None, "{}", bad.display());
        use_it(&engine).await;
        assert_eq!(counts(&engine), (1, 0, 0), "{}", bad.display());
    }
    attack.held();
}

#[tokio::test]
async fn compiled_code_is_no_source_of_a_plugin() {
    let attack = Attack::begin("compiled code as a source");
    let (_home, folder) = filled().await;
    let engine = engine(&folder);
    let whole = fs::read(entry(&folder)).unwrap();
    let elf = whole.windows(4).position(|four| four == b"\x7fELF").unwrap();
    let stranger = Source::bytes("plugin.cwasm", whole[elf..].to_vec());
    let error = KvPlugin::load(&engine, &stranger, PluginOptions::new("p")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.message().contains("compiled code"), "{error}");
    is_alive(&engine).await;
    attack.held_with(&error);
}

/// Tells a process of this suite which folder to use.
const FOLDER: &str = "LARDER_TEST_COMPILED";

#[tokio::test]
async fn a_process_that_uses_the_folder_of_another() {
    // Alone it has nothing to show: the next test starts it.
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let engine = engine(Path::new(&folder));
    for name in ["kv-memory", "kv-static"] {
        let loaded = KvPlugin::load(&engine, &component(name), PluginOptions::new("p")).await;
        assert!(loaded.is_ok() || name != "kv-memory", "{loaded:?}");
    }
    let counts = engine.compilations();
    assert_eq!(counts.refused, 0);
    assert_eq!(counts.compiled + counts.from_disk, 2);
}

#[test]
fn several_processes_use_one_folder_at_once() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("compiled");
    assert!(plugin("kv-memory").is_file());
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "compiled::a_process_that_uses_the_folder_of_another"])
            .env(FOLDER, &folder)
            .spawn()
            .unwrap()
    };
    let processes: Vec<_> = (0..4).map(|_| start()).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(entries(&folder).len(), 2);
    assert!(fs::read_dir(&folder).unwrap().count() == 3, "something unfinished is left");
}
