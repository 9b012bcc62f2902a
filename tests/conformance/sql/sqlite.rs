//! What is particular to SQLite: the file, who else has it open, and what becomes of it when it is damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use larder_backends::sql::{SqlKv, SqlOptions};
use larder_core::{Commit, ErrorKind, Expectation, Key, KeyRange, KvStore, ManualClock, Result, Scan};
use larder_tests::crash::Random;
use sqlx::{Connection as _, Executor as _, Row as _, SqliteConnection, query};
use tempfile::TempDir;

/// Entries of the files that are damaged.
const ENTRIES: usize = 200;

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn options(file: &Path) -> SqlOptions {
    SqlOptions::from_url(&format!("sqlite://{}", file.display())).unwrap()
}

async fn connect(options: SqlOptions) -> SqlKv {
    SqlKv::connect(options).await.unwrap()
}

/// Another program that has the file open.
async fn raw(file: &Path) -> SqliteConnection {
    SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", file.display())).await.unwrap()
}

#[tokio::test]
async fn the_file_and_its_folders_are_made() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("not/yet/there/why? 100%.db");
    let url = format!("sqlite://{}", file.display().to_string().replace('%', "%25").replace('?', "%3F"));
    let store = connect(SqlOptions::from_url(&url).unwrap()).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    assert!(file.is_file());
    store.close().await.unwrap();
    let beside: Vec<PathBuf> =
        fs::read_dir(file.parent().unwrap()).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(beside, std::slice::from_ref(&file), "closed, the store is one file");
    assert_eq!(connect(options(&folder.path().join("other.db"))).await.get(&key("a")).await.unwrap(), None);
    // A path through a file is nobody's folder.
    let error = SqlKv::connect(options(&folder.path().join("other.db").join("x.db"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
    let error = SqlKv::connect(options(folder.path())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
}

#[tokio::test]
async fn commits_are_synced_and_the_journal_is_a_log() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    // A file that another program made, with a journal of another kind.
    raw(&file).await.execute("PRAGMA journal_mode = DELETE; CREATE TABLE theirs (x)").await.unwrap();
    let store = connect(options(&file)).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mode = query("PRAGMA journal_mode").fetch_one(&mut raw(&file).await).await.unwrap();
    assert_eq!(mode.get::<String, _>(0), "wal");
    // Acknowledged is in the log, before any checkpoint: a copy of file and log is what a crash leaves.
    let copy = folder.path().join("copy.db");
    fs::copy(&file, &copy).unwrap();
    fs::copy(folder.path().join("state.db-wal"), folder.path().join("copy.db-wal")).unwrap();
    assert_eq!(connect(options(&copy)).await.get(&key("a")).await.unwrap().unwrap().value, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_another_process_holds_is_unavailable_to_writers_and_open_to_readers() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    let store = connect(options(&file).statement_timeout(Duration::from_millis(100))).await;
    store.commit(&Commit::new().put(key("a"), "1")).await.unwrap();
    let mut other = raw(&file).await;
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let several = Commit::new().check(key("a"), Expectation::Present).delete(key("b")).put(key("a"), "2");
    for commit in [Commit::new().put(key("a"), "2"), several.clone(), Commit::new().add(key("n"), 1)] {
        let error = store.commit(&commit).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.is_effect_unknown()),
            (ErrorKind::Unavailable, false),
            "{}",
            error.chain()
        );
        assert_eq!(error.context("sqlite"), Some("5"));
    }
    assert_eq!(store.get(&key("a")).await.unwrap().unwrap().value, "1");
    other.execute("ROLLBACK").await.unwrap();
    store.commit(&several).await.unwrap();
    // One that waits is let in as soon as the other has finished.
    let patient = Arc::new(connect(options(&file)).await);
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let waiting = tokio::spawn({
        let patient = patient.clone();
        async move { patient.commit(&Commit::new().put(key("a"), "3")).await }
    });
    assert_eq!(patient.get(&key("a")).await.unwrap().unwrap().value, "2");
    other.execute("COMMIT").await.unwrap();
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_corrupt_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    let text = "This is no database. ".repeat(500);
    fs::write(&file, &text).unwrap();
    let error = SqlKv::connect(options(&file)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{}", error.chain());
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

fn value(i: usize) -> String {
    format!("value {i} ").repeat(1 + i % 60)
}

/// A closed store with entries whose values tell their keys.
async fn filled(folder: &Path) -> Vec<u8> {
    let file = folder.join("whole.db");
    let store = connect(options(&file)).await;
    let fill = (0..ENTRIES).fold(Commit::new(), |fill, i| fill.put(key(&format!("key {i:04}")), value(i)));
    store.commit(&fill).await.unwrap();
    store.close().await.unwrap();
    fs::read(&file).unwrap()
}

/// Whether a read gave what was written, or said that it could not. Anything else is the defect.
fn good_or_corrupt(i: usize, read: &Result<Option<larder_core::Entry>>, miss: bool) -> Result<bool, String> {
    match read {
        Ok(Some(entry)) if entry.value == value(i) => Ok(true),
        Ok(None) if miss => Ok(false),
        Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
        Ok(Some(entry)) => Err(format!("key {i}: a wrong value of {} bytes", entry.value.len())),
        Ok(None) => Err(format!("key {i}: is missing")),
        Err(error) => Err(format!("key {i}: {}", error.chain())),
    }
}

async fn read_all(store: &SqlKv, miss: bool) -> Result<usize, String> {
    let mut good = 0;
    for i in 0..ENTRIES {
        let read = store.get(&key(&format!("key {i:04}"))).await;
        good += usize::from(good_or_corrupt(i, &read, miss)?);
    }
    match store.scan(&Scan::new(KeyRange::all())).await {
        Ok(page) => {
            for (name, entry) in page.entries {
                let i = name
                    .strip_prefix("key ")
                    .and_then(|i| i.parse().ok())
                    .ok_or(format!("a key {name:?}"))?;
                good_or_corrupt(i, &Ok(Some(entry)), false)?;
            }
        }
        Err(error) if error.kind() == ErrorKind::Corrupt => {}
        Err(error) => return Err(format!("scan: {}", error.chain())),
    }
    Ok(good)
}

/// Bits flip, bytes turn, pages go to zero, the end is cut off. Verified as it is opened, such a file is refused or
/// whole; not verified, it never gives a wrong value.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_corrupt_and_never_wrong() {
    const DAMAGES: u64 = 120;
    let folder = TempDir::new().unwrap();
    let whole = filled(folder.path()).await;
    let seed = std::env::var("LARDER_SEED").map_or(0x51_0001, |seed| seed.parse().unwrap());
    let (mut refused, mut harmless) = (0, 0);
    for damage in 0..DAMAGES {
        let mut random = Random::new(seed, damage, 0);
        let mut bytes = whole.clone();
        let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
        let what = match damage % 4 {
            0 => {
                bytes[at] ^= 1 << random.below(8);
                "a flipped bit"
            }
            1 => {
                let end = (at + 64).min(bytes.len());
                bytes[at..end].fill_with(|| 0xA5);
                "64 bytes overwritten"
            }
            2 => {
                let page = at / 4096 * 4096;
                bytes[page..page + 4096].fill(0);
                "a page of zeros"
            }
            _ => {
                bytes.truncate(at);
                "a cut"
            }
        };
        let at_what = || format!("{what} at {at}, damage {damage}, LARDER_SEED={seed}");
        for (verify, miss) in [(u64::MAX, false), (0, true)] {
            let file = folder.path().join(format!("damaged {damage} {miss}.db"));
            fs::write(&file, &bytes).unwrap();
            match SqlKv::connect(options(&file).verify_bytes_max(verify)).await {
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Corrupt, "{}: {}", at_what(), error.chain());
                    refused += 1;
                }
                Ok(store) => {
                    // An empty file is a new store, and a cut to nothing is that.
                    let miss = miss || bytes.is_empty();
                    let good = read_all(&store, miss).await.unwrap_or_else(|e| panic!("{}: {e}", at_what()));
                    harmless += usize::from(good == ENTRIES);
                    store.close().await.unwrap();
                }
            }
        }
    }
    assert!(
        refused > 60 && harmless > 5,
        "{refused} refused, {harmless} harmless: the damage means something"
    );
}

#[tokio::test]
async fn a_row_that_another_program_changed_is_corrupt_until_it_is_written_again() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("state.db");
    let store = connect(options(&file)).await;
    for name in ["a", "b", "c", "d", "e"] {
        store.commit(&Commit::new().put(key(name), "1")).await.unwrap();
    }
    raw(&file)
        .await
        .execute(
            "UPDATE larder SET value = x'32' WHERE key = x'61'; UPDATE larder SET version = version + 100 WHERE \
             key = x'62'; UPDATE larder SET expires_at = 9999999999999 WHERE key = x'63'; \
             UPDATE larder SET key = x'6464' WHERE key = x'64'",
        )
        .await
        .unwrap();
    for name in ["a", "b", "c", "dd"] {
        let error = store.get(&key(name)).await.unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::Corrupt, Some(name)), "{error}");
        let error = store.get_many(&[key("e"), key(name)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let error = store.commit(&Commit::new().add(key(name), 1)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Corrupt, false));
    }
    assert_eq!(store.scan(&Scan::new(KeyRange::all())).await.unwrap_err().kind(), ErrorKind::Corrupt);
    // The value alone is not looked at where only keys are asked for.
    assert_eq!(
        store.scan(&Scan::new(KeyRange::between("a", "b")).keys_only()).await.unwrap().entries.len(),
        1
    );
    for name in ["a", "b", "c", "dd"] {
        store.commit(&Commit::new().put(key(name), "2")).await.unwrap();
        assert_eq!(store.get(&key(name)).await.unwrap().unwrap().value, "2");
    }
}

#[tokio::test]
async fn large_values_pass_a_scan_a_few_at_a_time() {
    let folder = TempDir::new().unwrap();
    let store = connect(options(&folder.path().join("state.db"))).await;
    let large = vec![7_u8; 3 << 20];
    for i in 0..12 {
        store.commit(&Commit::new().put(key(&format!("k{i:02}")), large.clone())).await.unwrap();
    }
    let mut range = KeyRange::all();
    let mut pages = 0;
    loop {
        let page = store.scan(&Scan::new(range.clone())).await.unwrap();
        assert_eq!(page.entries.len(), 1);
        pages += 1;
        match page.next {
            Some(next) => range = range.resume(&next),
            None => break,
        }
    }
    assert_eq!(pages, 12);
}

#[tokio::test]
async fn a_range_of_expired_entries_is_passed_over_in_bounded_pages() {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::default());
    let options = options(&folder.path().join("state.db")).clock(Some(clock.clone()));
    let store = connect(options).await;
    let second = Duration::from_secs(1);
    for batch in 0..3 {
        let fill = (0..500)
            .fold(Commit::new(), |fill, i| fill.put_with_ttl(key(&format!("k{batch}{i:03}")), "1", second));
        store.commit(&fill).await.unwrap();
    }
    store.commit(&Commit::new().put(key("last"), "1").put(key("z"), "1")).await.unwrap();
    clock.advance(second);
    let (mut scan, mut found, mut pages) = (Scan::new(KeyRange::all()).limit(1), Vec::new(), 0);
    loop {
        let page = store.scan(&scan).await.unwrap();
        pages += 1;
        found.extend(page.entries.into_iter().map(|(name, _)| name.to_string()));
        match page.next {
            Some(next) => scan.range = scan.range.resume(&next),
            None => break,
        }
    }
    assert_eq!(found, ["last", "z"]);
    assert!((10..30).contains(&pages), "{pages} pages for 1,500 expired entries");
    assert_eq!(store.sweep().await.unwrap(), 1_500);
}

/// The runtime may be gone by the time a caller lets go of what it was doing; nothing panics then.
#[test]
fn operations_may_be_dropped_outside_of_the_runtime() {
    let folder = TempDir::new().unwrap();
    let runtime =
        || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (file, first) = (folder.path().join("state.db"), runtime());
    let store = first.block_on(connect(options(&file)));
    let commit = Commit::new().put(key("a"), "1").delete(key("b"));
    for polls in 1..12 {
        let mut work = store.commit(&commit);
        first.block_on(async {
            for _ in 0..polls {
                if futures::poll!(work.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        });
        drop(work);
    }
    drop(store);
    drop(first);
    runtime().block_on(async {
        connect(options(&file)).await.commit(&commit).await.unwrap();
    });
}
