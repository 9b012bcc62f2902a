//! What the conformance suite can't see from outside: races of processes, leftovers, the folder itself.

use std::fs as std_fs;

use futures::{TryStreamExt, future::join_all};
use opendal::{ErrorKind, Operator};
use tempfile::TempDir;

use super::*;

fn fresh() -> (TempDir, Operator) {
    let folder = tempfile::tempdir().unwrap();
    let operator = fs(folder.path()).unwrap();
    (folder, operator)
}

fn staged(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = std_fs::read_dir(folder.path().join(".larder"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.retain(|name| name != "lock");
    names
}

async fn list(operator: &Operator, path: &str, recursive: bool) -> Vec<String> {
    let lister = operator.lister_with(path).recursive(recursive).await.unwrap();
    lister.map_ok(|entry| entry.path().to_owned()).try_collect().await.unwrap()
}

#[tokio::test]
async fn metadata_is_there_from_the_first_moment_on_and_travels_with_copies() {
    let (_folder, operator) = fresh();
    let written = operator
        .write_with("pages/1", "<p>")
        .content_type("text/html")
        .user_metadata([("source".to_owned(), "http://a/".to_owned())])
        .await
        .unwrap();
    operator.copy("pages/1", "copies/1").await.unwrap();
    for metadata in
        [written, operator.stat("pages/1").await.unwrap(), operator.stat("copies/1").await.unwrap()]
    {
        assert_eq!(metadata.content_length(), 3);
        assert_eq!(metadata.content_type(), Some("text/html"));
        assert_eq!(metadata.user_metadata().unwrap().get("source"), Some("http://a/"));
    }
    // An overwrite without metadata has none.
    operator.write("pages/1", "x").await.unwrap();
    assert_eq!(operator.stat("pages/1").await.unwrap().content_type(), None);
}

#[tokio::test]
async fn of_many_writers_that_want_to_be_first_exactly_one_is() {
    // Two operators stand for two processes: OpenDAL's own check is of no help between them.
    let (folder, one) = fresh();
    let other = super::fs(folder.path()).unwrap();
    let attempts = (0..32_u8).map(|number| {
        let operator = if number % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            let result = operator.write_with("claim", vec![number; 1000]).if_not_exists(true).await;
            result.map(|_| number)
        })
    });
    let results: Vec<_> = join_all(attempts).await.into_iter().map(Result::unwrap).collect();
    let winners: Vec<u8> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
    assert_eq!(winners.len(), 1);
    for result in results.into_iter().filter_map(Result::err) {
        assert_eq!(result.kind(), ErrorKind::ConditionNotMatch);
    }
    assert_eq!(one.read("claim").await.unwrap().to_vec(), vec![winners[0]; 1000]);
    assert_eq!(staged(&folder), Vec::<String>::new());
}

#[tokio::test]
async fn nothing_is_visible_before_close_and_nothing_stays_of_a_dropped_writer() {
    let (folder, operator) = fresh();
    let mut writer = operator.writer("a/b").await.unwrap();
    writer.write("half").await.unwrap();
    assert_eq!(staged(&folder).len(), 1);
    assert!(!operator.exists("a/b").await.unwrap());
    assert_eq!(list(&operator, "/", true).await, Vec::<String>::new());
    drop(writer);
    assert_eq!(staged(&folder), Vec::<String>::new());

    let mut writer = operator.writer("a/b").await.unwrap();
    writer.write("half").await.unwrap();
    writer.abort().await.unwrap();
    assert_eq!(staged(&folder), Vec::<String>::new());
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn leftovers_go_when_no_process_can_own_them_and_not_before() {
    let (folder, operator) = fresh();
    let left = folder.path().join(".larder/0123-0");
    std_fs::write(&left, "left").unwrap();
    let second = super::fs(folder.path()).unwrap();
    assert!(left.exists(), "the first operator is alive: the file may be its own");
    drop((operator, second));
    let _third = super::fs(folder.path()).unwrap();
    assert!(!left.exists());
}

#[tokio::test]
async fn the_staging_folder_and_paths_outside_are_out_of_reach() {
    let (_folder, operator) = fresh();
    for path in [".larder/lock", ".larder/x", "../x", "a/../../x", "a/./b"] {
        assert_eq!(operator.stat(path).await.unwrap_err().kind(), ErrorKind::NotFound, "{path}");
        let refused = operator.write(path, "x").await.unwrap_err();
        assert_eq!(error(refused).kind(), larder_core::ErrorKind::Invalid, "{path}");
        assert!(operator.copy("a", path).await.is_err(), "{path}");
        assert!(operator.delete(path).await.is_err(), "{path}");
        assert!(operator.read(path).await.is_err(), "{path}");
    }
    assert_eq!(list(&operator, "/", true).await, Vec::<String>::new());
}

#[tokio::test]
async fn listings_ascend_by_whole_paths_and_folders_go_with_their_last_blob() {
    let (folder, operator) = fresh();
    for path in ["a!", "a/b/c", "a/b", "b", "a0"] {
        // `a/b` is a folder by then.
        assert_eq!(operator.write(path, "x").await.is_ok(), path != "a/b", "{path}");
    }
    assert_eq!(list(&operator, "/", true).await, ["a!", "a/b/c", "a0", "b"]);
    assert_eq!(list(&operator, "/", false).await, ["a!", "a/", "a0", "b"]);
    assert_eq!(list(&operator, "a", false).await, ["a!", "a/", "a0"]);
    assert_eq!(list(&operator, "a/", true).await, ["a/b/c"]);
    assert_eq!(list(&operator, "b/", true).await, Vec::<String>::new());
    operator.delete("a/b/c").await.unwrap();
    operator.delete("a/b/c").await.unwrap();
    assert!(!folder.path().join("a").exists());
}

#[tokio::test]
async fn a_reader_keeps_the_blob_that_it_opened() {
    let (_folder, operator) = fresh();
    let old = vec![1; 5 << 20];
    operator.write("blob", old.clone()).await.unwrap();
    let mut stream = operator.reader("blob").await.unwrap().into_stream(..).await.unwrap();
    let mut read = stream.try_next().await.unwrap().unwrap().to_vec();
    operator.write("blob", vec![2; 9 << 20]).await.unwrap();
    while let Some(more) = stream.try_next().await.unwrap() {
        read.extend(more.to_vec());
    }
    assert!(read == old, "an overwrite must not be seen half way");
}

#[tokio::test]
async fn what_a_folder_cannot_keep_is_refused() {
    let (_folder, operator) = fresh();
    for result in [
        operator.write_with("a", "x").append(true).await,
        operator.write_with("a", "x").cache_control("no-store").await,
        operator.write_with("a", "x").if_match("etag").await,
        operator.write_with("a", "x").user_metadata([("mime_type".to_owned(), "x".to_owned())]).await,
    ] {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    operator.write("a", "x").await.unwrap();
    assert_eq!(error(operator.write("a/b", "x").await.unwrap_err()).kind(), larder_core::ErrorKind::Invalid);
    assert_eq!(operator.stat("a/b").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(operator.read("a/b").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error_of_the_configuration() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(super::fs(file.path()).unwrap_err().kind(), larder_core::ErrorKind::Config);
}
