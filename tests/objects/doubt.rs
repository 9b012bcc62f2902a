//! Writes whose answer was lost: never wrongly a conflict, never wrongly a success.

use larder_core::ErrorKind;
use larder_tests::servers::s3::Fault;

use crate::{PART_BYTES, bytes, seen, server, store, told};

const LARGE: usize = 2 * PART_BYTES + 1_000;

/// The blob was stored by a request whose answer never came, and the repetition meets it.
#[tokio::test]
async fn a_lost_answer_to_a_write_where_nothing_may_be_is_no_conflict() {
    let server = server();
    let store = store(&server).await;
    for (path, length) in [("small", 100), ("large", LARGE)] {
        let (method, part) = if length == LARGE { ("POST", "uploadId=") } else { ("PUT", path) };
        server.script().fail(method, part, Fault::LoseAnswer);
        let content = bytes(1, length);
        let write = store.write_with(path, content.clone()).chunk(PART_BYTES).if_not_exists(true);
        let metadata = write.content_type("text/plain").await.expect("the write has happened");
        assert!(server.script().is_done());
        assert_eq!(metadata.content_length(), length as u64);
        assert!(metadata.user_metadata().is_none_or(|user| user.is_empty()), "{metadata:?}");
        assert!(store.read(path).await.unwrap().to_vec() == content);
        // The next one is a conflict, and told as one.
        let second = store.write_with(path, "x").if_not_exists(true).await.unwrap_err();
        assert_eq!(told(second).kind(), ErrorKind::Conflict);
    }
    assert_eq!(server.unfinished_uploads(), 0);
}

#[tokio::test]
async fn a_lost_answer_to_a_write_over_a_version_is_no_conflict() {
    let server = server();
    let store = store(&server).await;
    store.write("a", "1").await.unwrap();
    let etag = store.stat("a").await.unwrap().etag().unwrap().to_owned();
    server.script().fail("PUT", "a", Fault::LoseAnswer);
    store.write_with("a", "2").if_match(&etag).await.expect("the write has happened");
    assert_eq!(store.read("a").await.unwrap().to_bytes(), "2");
    let stale = store.write_with("a", "3").if_match(&etag).await.unwrap_err();
    assert_eq!(told(stale).kind(), ErrorKind::Conflict);
}

/// Without a condition too: an upload in parts that is completed twice is gone the second time.
#[tokio::test]
async fn a_lost_answer_to_the_completion_of_parts_is_a_success() {
    let server = server();
    let store = store(&server).await;
    server.script().fail("POST", "uploadId=", Fault::LoseAnswer);
    let content = bytes(2, LARGE);
    store.write_with("a", content.clone()).chunk(PART_BYTES).await.expect("the write has happened");
    assert!(store.read("a").await.unwrap().to_vec() == content);
    assert_eq!(seen(&server, "POST").len(), 3, "one to begin, two to complete");
}

/// The first attempt fails so that nobody knows, and somebody else's blob is there: that is no conflict either, since
/// ours may have been there before it.
#[tokio::test]
async fn a_refusal_that_cannot_be_told_from_its_own_effect_is_unknown() {
    let server = server();
    let store = store(&server).await;
    store.write("a", "theirs").await.unwrap();
    server.script().fail("PUT", "a", Fault::Answer(500, "InternalError", None));
    let error = told(store.write_with("a", "ours").if_not_exists(true).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.chain());
    assert!(error.is_effect_unknown());
    assert_eq!(store.read("a").await.unwrap().to_bytes(), "theirs");
}

/// Nothing was sent, so there is no doubt: the conflict is one.
#[tokio::test]
async fn a_server_that_asked_to_wait_did_nothing() {
    let server = server();
    let store = store(&server).await;
    store.write("a", "theirs").await.unwrap();
    server.script().fail("PUT", "a", Fault::Answer(503, "SlowDown", None));
    let error = told(store.write_with("a", "ours").if_not_exists(true).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Conflict, "{}", error.chain());
    assert!(!error.is_effect_unknown());
}

/// A session that ends between two attempts: the refusal is certain of the second alone.
#[tokio::test]
async fn a_refusal_after_a_lost_answer_says_that_the_write_may_have_happened() {
    let server = server();
    let store = store(&server).await;
    server.script().fail("PUT", "a", Fault::LoseAnswer);
    server.script().fail("PUT", "a", Fault::Answer(403, "ExpiredToken", None));
    let error = told(store.write("a", "ours").await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
    assert!(error.is_effect_unknown());
}

/// Parts are repeated by themselves; the rest of the blob is not sent again.
#[tokio::test]
async fn a_part_that_fails_is_sent_again_and_no_other() {
    let server = server();
    let store = store(&server).await;
    server.script().fail("PUT", "partNumber=2", Fault::Refuse);
    server.script().fail("PUT", "partNumber=1", Fault::Answer(500, "InternalError", None));
    let content = bytes(3, LARGE);
    store.write_with("a", content.clone()).chunk(PART_BYTES).await.unwrap();
    assert!(store.read("a").await.unwrap().to_vec() == content);
    assert_eq!(seen(&server, "PUT").len(), 5, "three parts, two of them twice");
    assert_eq!(server.unfinished_uploads(), 0);
}

/// What recognises a write is nobody's business, and written only where it is needed.
#[tokio::test]
async fn the_token_of_a_write_is_seen_by_nobody() {
    let server = server();
    let store = store(&server).await;
    let user = [("source".to_owned(), "ä".to_owned())];
    store.write_with("a", "1").user_metadata(user.clone()).if_not_exists(true).await.unwrap();
    store.copy("a", "b").await.unwrap();
    for path in ["a", "b"] {
        let metadata = store.stat(path).await.unwrap();
        let kept: Vec<_> = metadata.user_metadata().unwrap().into_iter().collect();
        assert_eq!(kept, [("source", "ä")], "{path}");
    }
    let refused =
        store.write_with("c", "1").user_metadata([("larderwrite".to_owned(), "x".to_owned())]).await;
    assert_eq!(refused.unwrap_err().kind(), opendal::ErrorKind::Unsupported);
}
