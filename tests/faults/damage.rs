//! Files that are damaged under a configured host: what a caller at the top sees of it.
//!
//! Disks that fill up, fail and lie are the subject of the backends' own tests, at the seam where a
//! disk can be replaced. Here the whole stack is asked, from the configuration down: the kind of the
//! error survives every layer, damaged bytes never come back as good, and the host goes on.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use larder::{Config, Host};
use larder_core::{Error, ErrorKind, Result};
use tempfile::TempDir;

/// Entries of a store that is going to be damaged: enough for several pages of its file.
pub(crate) const ENTRIES: usize = 64;

pub(crate) fn value(i: usize) -> String {
    format!("value {i} ").repeat(40)
}

/// A host with one key-value store, `state`, in a folder.
async fn open(folder: &Path) -> Result<Host> {
    // A path in quotes as JSON has them is a text of YAML, too.
    let path = serde_json::to_string(folder).expect("the path of a test is UTF-8");
    let yaml = format!("stores: {{ state: {{ kind: kv, backend: file, path: {path} }} }}");
    Host::open(Config::from_yaml(&yaml)?.plan()?).await
}

/// A folder with a store of [`ENTRIES`] entries, closed.
async fn filled() -> TempDir {
    let folder = TempDir::new().unwrap();
    let host = open(folder.path()).await.unwrap();
    let kv = host.kv("state").unwrap();
    for i in 0..ENTRIES {
        kv.set_bytes(&format!("key-{i}"), value(i)).await.unwrap();
    }
    drop(kv);
    host.close().await.unwrap();
    folder
}

/// The largest file below a folder: the one with the data.
pub(crate) fn data_file(folder: &Path) -> PathBuf {
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => files.push((entry.metadata().unwrap().len(), entry.path())),
            }
        }
    }
    files.into_iter().max().expect("a store has files").1
}

/// Reads all that was stored. Each entry must be right or an error that says that it is damaged;
/// answers how many were right.
async fn right_or_corrupt(folder: &Path, about: &str) -> usize {
    let is_honest = |error: &Error| {
        assert!(
            matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported),
            "{about}: {}",
            error.chain()
        );
        assert!(!error.is_effect_unknown(), "{about}: {error}");
    };
    let host = match open(folder).await {
        Ok(host) => host,
        Err(error) => {
            is_honest(&error);
            return 0;
        }
    };
    let kv = host.kv("state").unwrap();
    let mut right = 0;
    for i in 0..ENTRIES {
        match kv.get_bytes(&format!("key-{i}")).await {
            Ok(Some(got)) => {
                assert_eq!(got, value(i), "{about}: wrong bytes came back as good");
                right += 1;
            }
            Ok(None) => panic!("{about}: key-{i} was lost without a word"),
            Err(error) => is_honest(&error),
        }
    }
    right
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flipped_byte_is_found_or_harmless() {
    let folder = filled().await;
    let file = data_file(folder.path());
    let whole = fs::read(&file).unwrap();
    assert_eq!(right_or_corrupt(folder.path(), "untouched").await, ENTRIES);
    // Places spread over the file by a fixed stride: headers, pages of the tree, values, free space.
    let places = 24;
    for i in 0..places {
        let at = i * whole.len() / places + (i * 37) % (whole.len() / places);
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (i % 8);
        fs::write(&file, &flipped).unwrap();
        right_or_corrupt(folder.path(), &format!("byte {at} flipped")).await;
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(right_or_corrupt(folder.path(), "restored").await, ENTRIES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_truncated_database_is_corrupt_and_not_begun_anew() {
    let folder = filled().await;
    let file = data_file(folder.path());
    let whole = fs::read(&file).unwrap();
    for left in [whole.len() - 4_096, whole.len() / 2, 100, 0] {
        fs::write(&file, &whole[..left]).unwrap();
        let about = format!("{left} of {} bytes left", whole.len());
        right_or_corrupt(folder.path(), &about).await;
        let error = open(folder.path()).await.err();
        assert!(left > whole.len() / 2 || error.is_some(), "{about}: it opened all the same");
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(right_or_corrupt(folder.path(), "restored").await, ENTRIES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_on_the_folder_is_told_who_has_it() {
    const FOLDER: &str = "LARDER_TEST_SECOND_PROCESS";
    if let Some(folder) = std::env::var_os(FOLDER) {
        // This is the second process: the same test, started by the one below.
        let error = open(Path::new(&folder)).await.expect_err("the folder is taken");
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
        assert!(
            error.chain().contains(&std::os::unix::process::parent_id().to_string()),
            "{}",
            error.chain()
        );
        return;
    }
    let folder = filled().await;
    let host = open(folder.path()).await.unwrap();
    let second = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "damage::a_second_process_on_the_folder_is_told_who_has_it", "--nocapture"])
        .env(FOLDER, folder.path())
        .output()
        .unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    // The first one has not noticed anything.
    let kv = host.kv("state").unwrap();
    kv.set_bytes("after", "1").await.unwrap();
    assert_eq!(kv.get_bytes("key-0").await.unwrap().unwrap(), value(0));
}
