use std::{path::Path, time::Duration};

use larder_core::{Commit, ErrorKind, Expectation, Key, KeyRange, KvStore as _, Outcome, Scan, Version};
use tempfile::TempDir;

use super::*;
use crate::sql::store::{AnyStore, Store};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn options(folder: &Path) -> SqlOptions {
    SqlOptions::from_url(&format!("sqlite://{}", folder.join("state.db").display())).unwrap()
}

async fn open(folder: &Path) -> (Store<Sqlite>, sqlx::SqlitePool) {
    let driver = Sqlite::connect(options(folder)).await.unwrap();
    let writer = driver.pools.writer.clone();
    (Store::new(driver, "test".to_owned(), 8 << 20, Duration::ZERO), writer)
}

#[tokio::test]
async fn a_disk_without_room_fails_the_commit_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let (store, writer) = open(folder.path()).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let large = vec![7_u8; 4 << 20];
    let single = Commit::new().put(key("a"), large.clone());
    let several = Commit::new().put(key("a"), "2").put(key("b"), large.clone());
    let checked = several.clone().check(key("b"), Expectation::Absent);
    for commit in [single, several.clone(), checked] {
        // SQLite says of a limit of pages what it says of a full disk. The limit is the connection's, and goes with it.
        sqlx::query("PRAGMA max_page_count = 64").execute(&writer).await.unwrap();
        let error = store.commit(&commit).await.unwrap_err();
        assert_eq!((error.kind(), error.context("sqlite")), (ErrorKind::Unavailable, Some("13")), "{error}");
        assert!(!error.is_effect_unknown(), "{error}");
        assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1");
        assert_eq!(store.scan(&Scan::new(KeyRange::all())).await.unwrap().entries.len(), 1);
    }
    store.commit(&several).await.unwrap();
}

#[tokio::test]
async fn a_sweep_leaves_what_is_damaged() {
    let folder = TempDir::new().unwrap();
    let (store, writer) = open(folder.path()).await;
    let ms = Duration::from_millis(1);
    store
        .commit(&Commit::new().put(key("damaged"), "1").put_with_ttl(key("expired"), "1", ms))
        .await
        .unwrap();
    sqlx::query("UPDATE larder SET expires_at = 1").execute(&writer).await.unwrap();
    let sweep = async || AnyStore::sweep(&store).await.unwrap();
    assert_eq!(sweep().await, 0, "both rows say that they have expired, and neither can be trusted");
    assert_eq!(store.get(&key("damaged")).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let expired =
        (0..300).fold(Commit::new(), |commit, i| commit.put_with_ttl(key(&format!("k{i}")), "1", ms));
    store.commit(&expired).await.unwrap();
    // The clock is the machine's: by the time that they are gone for readers, they are for the sweep.
    while store.get(&key("k299")).await.unwrap().is_some() {
        tokio::task::yield_now().await;
    }
    assert_eq!(sweep().await, 300);
}

#[tokio::test]
async fn versions_go_on_where_the_last_process_may_have_stopped() {
    let folder = TempDir::new().unwrap();
    let mut last = Version(0);
    for _ in 0..3 {
        let (store, _) = open(folder.path()).await;
        match store.commit(&Commit::new().put(key("a"), "1")).await.unwrap()[..] {
            [Outcome::Written(version)] => {
                assert!(version.0 > last.0, "{version} after {last}");
                last = version;
            }
            ref other => panic!("a put answered {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_thousand_items_are_put_together_and_none_is_lost() {
    let folder = TempDir::new().unwrap();
    let (store, _) = open(folder.path()).await;
    let keys: Vec<Key> = (0..1_000).map(|i| key(&format!("k{i:04}"))).collect();
    let puts = keys.iter().fold(Commit::new(), |commit, key| commit.put(key.clone(), key.to_string()));
    let outcomes = store.commit(&puts).await.unwrap();
    let found = store.get_many(&keys).await.unwrap();
    for ((key, outcome), found) in keys.iter().zip(outcomes).zip(found) {
        let found = found.unwrap();
        assert_eq!((found.value, Outcome::Written(found.version)), (key.to_string().into(), outcome));
    }
    // As many checks as there may be, each on a key of its own, and as many writes on others.
    let mut commit =
        keys.iter().fold(Commit::new(), |commit, key| commit.check(key.clone(), Expectation::Present));
    for i in 0..1_000 {
        commit = commit.put(key(&format!("l{i:04}")), "1");
    }
    store.commit(&commit).await.unwrap();
    let deletes = keys.iter().fold(Commit::new(), |commit, key| commit.delete(key.clone()));
    assert_eq!(store.commit(&deletes).await.unwrap(), vec![Outcome::Deleted(true); 1_000]);
    let absent = vec![key("absent"); 1_000];
    assert_eq!(
        store.get_many(&absent).await.unwrap(),
        vec![None; 1_000],
        "answered by position, also what is missing"
    );
}
