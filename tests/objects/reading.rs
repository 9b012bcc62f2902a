//! Reads whose connection is cut, and blobs that are replaced under them.

use futures::TryStreamExt;
use larder_core::ErrorKind;
use larder_tests::servers::s3::Fault;

use crate::{bytes, seen, server, store, told};

const LENGTH: usize = 20 << 20;

#[tokio::test]
async fn a_read_that_is_cut_in_mid_stream_goes_on_where_it_was_cut() {
    let server = server();
    let store = store(&server).await;
    let content = bytes(1, LENGTH);
    store.write("a", content.clone()).await.unwrap();
    server.script().take_seen();
    for cut in [0, 1, 3 << 20] {
        server.script().fail("GET", "a", Fault::CutBody(cut));
    }
    let stream = store.reader("a").await.unwrap().into_stream(..).await.unwrap();
    let read: Vec<u8> = stream
        .try_fold(Vec::new(), |mut read, piece| async move {
            read.extend(piece.to_vec());
            Ok(read)
        })
        .await
        .unwrap();
    assert!(read == content, "other bytes than were written");
    assert_eq!(seen(&server, "GET").len(), 4);
}

/// The rest of another version would make a blob that never was.
#[tokio::test]
async fn a_read_that_is_cut_does_not_go_on_in_another_version() {
    let server = server();
    let store = store(&server).await;
    let old = bytes(1, LENGTH);
    store.write("a", old.clone()).await.unwrap();
    server.script().fail("GET", "a", Fault::CutBody(15 << 20));
    let mut stream = store.reader("a").await.unwrap().into_stream(..).await.unwrap();
    let mut read = stream.try_next().await.unwrap().unwrap().to_vec();
    store.write("a", bytes(2, LENGTH)).await.unwrap();
    let error = loop {
        match stream.try_next().await {
            Ok(Some(piece)) => read.extend(piece.to_vec()),
            Ok(None) => panic!("{} bytes of more than one version", read.len()),
            Err(error) => break told(error),
        }
    };
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    assert!(old.starts_with(&read), "bytes of another version were handed out");
}

/// A blob that is gone is no miss to a reader that has seen it.
#[tokio::test]
async fn a_blob_that_is_deleted_under_its_reader_is_a_conflict() {
    let server = server();
    let store = store(&server).await;
    store.write("a", bytes(1, 1_000)).await.unwrap();
    let reader = store.reader("a").await.unwrap();
    reader.read(0..10).await.unwrap();
    store.delete("a").await.unwrap();
    assert_eq!(told(reader.read(10..20).await.unwrap_err()).kind(), ErrorKind::Conflict);
    assert_eq!(store.read("a").await.unwrap_err().kind(), opendal::ErrorKind::NotFound);
}

#[tokio::test]
async fn ranges_of_one_reader_are_of_one_version() {
    let server = server();
    let store = store(&server).await;
    store.write("a", bytes(1, 1_000)).await.unwrap();
    let reader = store.reader("a").await.unwrap();
    reader.read(0..10).await.unwrap();
    store.write("a", bytes(2, 1_000)).await.unwrap();
    assert_eq!(told(reader.read(10..20).await.unwrap_err()).kind(), ErrorKind::Conflict);
    assert_eq!(store.read("a").await.unwrap().to_vec(), bytes(2, 1_000));
}
