//! What a service may answer, or not, and the kind of error that it becomes.

use std::time::Duration;

use larder_backends::object::{Check, Guards, S3Options, check, guarded};
use larder_core::{Error, ErrorKind};
use larder_tests::servers::{
    free_port,
    s3::{ACCESS_KEY, Fault, SECRET_KEY},
};

use crate::{BUCKET, options, server, told};

/// A store without guards, so that each answer is told.
async fn bare(server: &larder_tests::servers::s3::S3Server) -> opendal::Operator {
    options(server).open().await.expect("a store")
}

#[tokio::test]
async fn statuses_and_codes_become_kinds() {
    let server = server();
    let store = bare(&server).await;
    for (status, code, kind, unknown) in [
        (403, "AccessDenied", ErrorKind::Denied, false),
        (412, "PreconditionFailed", ErrorKind::Conflict, false),
        (409, "ConditionalRequestConflict", ErrorKind::Conflict, false),
        (404, "NoSuchBucket", ErrorKind::Config, false),
        (429, "TooManyRequests", ErrorKind::Unavailable, false),
        (503, "SlowDown", ErrorKind::Unavailable, false),
        (503, "ServiceUnavailable", ErrorKind::Unavailable, true),
        (500, "InternalError", ErrorKind::Unavailable, true),
    ] {
        server.script().fail("PUT", "a", Fault::Answer(status, code, None));
        let error = told(store.write_with("a", "x").if_not_exists(true).await.unwrap_err());
        assert_eq!(error.kind(), kind, "{status} {code}: {}", error.chain());
        assert_eq!(error.is_effect_unknown(), unknown, "{status} {code}");
        assert!(server.script().is_done());
        server.script().fail("GET", "a", Fault::Answer(status, code, None));
        let read = told(store.read("a").await.unwrap_err());
        assert!(!read.is_effect_unknown(), "{status} {code}");
    }
    assert!(!store.exists("a").await.unwrap(), "404 is a miss");
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_heard() {
    let server = server();
    let store = bare(&server).await;
    for status in [429, 503] {
        server.script().fail("GET", "a", Fault::Answer(status, "SlowDown", Some(7)));
        let error = told(store.read("a").await.unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.retry_after_hint(), Some(Duration::from_secs(7)));
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout_and_not_for_ever() {
    let server = server();
    let short = Duration::from_millis(300);
    let store = options(&server).into_object().unwrap().answer_timeout(short).open().await.unwrap();
    server.script().fail("GET", "a", Fault::Hang);
    let error = told(store.read("a").await.unwrap_err());
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, false), "{}", error.chain());
    server.script().fail("PUT", "a", Fault::HangAfter);
    let error = told(store.write("a", "x").await.unwrap_err());
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, true), "{}", error.chain());
    // The same by the guard, whose time is shorter than the client's.
    let guards = Guards { timeout: Some(short), ..Guards::default() };
    let store = guarded(bare(&server).await, guards);
    server.script().fail("GET", "a", Fault::Hang);
    let error = told(store.read("a").await.unwrap_err());
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, false), "{}", error.chain());
    server.script().fail("PUT", "a", Fault::HangAfter);
    let error = told(store.write("a", "y").await.unwrap_err());
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, true), "{}", error.chain());
    assert_eq!(store.read("a").await.unwrap().to_bytes(), "y");
}

#[tokio::test]
async fn a_timeout_under_a_retry_loses_no_state() {
    let server = server();
    let guards = Guards { retries: Some(3), timeout: Some(Duration::from_millis(500)), concurrency: Some(8) };
    let store = guarded(bare(&server).await, guards);
    server.script().fail("PUT", "a", Fault::HangAfter);
    store.write_with("a", "x").if_not_exists(true).await.expect("its own effect is recognised");
    server.script().fail("GET", "a", Fault::Hang);
    assert_eq!(store.read("a").await.unwrap().to_bytes(), "x");
    server.script().fail("GET", "list-type", Fault::Hang);
    assert_eq!(store.list("/").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_nothing_was_written() {
    let endpoint = format!("http://127.0.0.1:{}", free_port().unwrap());
    let options = S3Options::new(BUCKET).endpoint(endpoint).keys(ACCESS_KEY, SECRET_KEY, None);
    let options = options.into_object().unwrap();
    assert_eq!(options.open().await.unwrap_err().kind(), ErrorKind::Unavailable);
    let store = options.check(Check::Never).open().await.unwrap();
    let error = told(store.write("a", "x").await.unwrap_err());
    assert_eq!(
        (error.kind(), error.is_effect_unknown()),
        (ErrorKind::Unavailable, false),
        "{}",
        error.chain()
    );
}

async fn refused(options: S3Options) -> Error {
    options.open().await.expect_err("it opened")
}

#[tokio::test]
async fn a_bucket_that_is_not_there_and_keys_that_are_wrong_are_told_at_opening() {
    let server = server();
    let missing = S3Options::new("missing").endpoint(server.endpoint()).keys(ACCESS_KEY, SECRET_KEY, None);
    let error = refused(missing).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{}", error.chain());
    assert_eq!(error.context("name"), Some("missing"));
    assert!(error.message().contains("no such bucket"));

    const SECRET: &str = "not-the-secret-of-anyone";
    for options in [
        S3Options::new(BUCKET).keys(ACCESS_KEY, SECRET, Some(SECRET.to_owned())),
        S3Options::new(BUCKET).keys("nobody", SECRET, None),
        S3Options::new(BUCKET).anonymous(),
    ] {
        let options = options.endpoint(server.endpoint());
        let shown = format!("{options:?} {options} {:?}", options.clone().into_object().unwrap());
        let error = refused(options).await;
        assert_eq!(error.kind(), ErrorKind::Denied, "{}", error.chain());
        for text in [shown, error.chain(), format!("{error:?}")] {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
    let healthy = bare(&server).await;
    check(&healthy).await.unwrap();
    let shown = format!("{healthy:?} {:?}", healthy.info());
    assert!(!shown.contains(SECRET_KEY), "{shown}");
}
