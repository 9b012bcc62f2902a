//! Requests and answers over a script.

use super::*;
use crate::Error;

fn client() -> (Client, Scripted) {
    let scripted = Scripted::default();
    (Client::with_transport(scripted.clone()), scripted)
}

#[test]
fn addresses_are_taken_apart_and_what_is_none_is_refused_without_being_shown() {
    let url: Url = "HTTPS://h.example?q=1#part".parse().unwrap();
    assert_eq!((url.scheme(), url.authority(), url.path()), (Scheme::Https, "h.example", "/?q=1"));
    assert!(url.is_same_origin(&"https://H.example/other".parse().unwrap()));
    assert!(!url.is_same_origin(&"http://h.example".parse().unwrap()));
    for text in [
        "h.example/s3cret",
        "ftp://h/s3cret",
        "https:///s3cret",
        "http://u:s3cret@h/",
        "http://h/s3cret\r\nx:",
    ] {
        let failure = text.parse::<Url>().unwrap_err();
        assert_eq!((failure.cause(), failure.is_sent()), (Cause::Invalid, false), "{text}");
        assert!(!failure.to_string().contains("s3cret"), "{failure}");
    }
}

#[test]
fn a_whole_body_has_its_length_and_a_streamed_one_all_its_pieces() {
    let (mut client, scripted) = client();
    scripted.answer(201, &[], b"");
    scripted.answer(201, &[], b"");
    client.send(Request::new(Method::PUT, "http://h/a").body("12345")).unwrap();
    let mut upload =
        client.begin(Request::new(Method::of("MKCOL"), "http://h:81/b").body("a"), Some(3)).unwrap();
    upload.write(b"bc").unwrap();
    assert!(upload.finish().unwrap().is_success());
    let sent = scripted.sent();
    assert_eq!(sent[0].headers.get("Content-Length"), Some("5"));
    assert_eq!((&*sent[1].method, &*sent[1].origin, &*sent[1].path), ("MKCOL", "http://h:81", "/b"));
    assert_eq!(sent[1].body, b"abc");
}

#[test]
fn a_body_of_another_length_than_it_was_said_fails() {
    let (mut client, scripted) = client();
    scripted.answer(201, &[], b"");
    let upload = client.begin(Request::new(Method::PUT, "http://h/a").body("ab"), Some(3)).unwrap();
    assert_eq!(upload.finish().unwrap_err().cause(), Cause::Invalid);
    let own = Request::new(Method::PUT, "http://h/a").header("Content-Length", "7");
    assert_eq!(client.send(own).unwrap_err().cause(), Cause::Invalid);
}

#[test]
fn a_body_is_read_up_to_its_bound_and_a_cut_one_is_no_whole_one() {
    let (mut client, scripted) = client();
    let get = || Request::new(Method::GET, "http://h/");
    scripted.answer(200, &[], &[7; 100_000]);
    assert_eq!(client.send(get()).unwrap().bytes(100_000).unwrap().len(), 100_000);
    scripted.answer(200, &[], &[7; 100_000]);
    assert_eq!(client.send(get()).unwrap().bytes(99_999).unwrap_err().cause(), Cause::TooLarge);
    scripted.answer(200, &[("Content-Length", "100000")], &[7; 100_000]);
    let mut refused_at_its_head = client.send(get()).unwrap();
    assert_eq!(refused_at_its_head.bytes(10).unwrap_err().cause(), Cause::TooLarge);
    let cut = Failure::sent(Cause::Cut, "after 2 bytes");
    scripted.answer_in_pieces(200, &[], vec![Ok(vec![1, 2]), Err(cut.clone())]);
    let mut response = client.send(get()).unwrap();
    assert_eq!(response.chunk().unwrap().unwrap(), [1, 2]);
    assert_eq!(response.chunk().unwrap_err(), cut);
    assert_eq!(response.chunk().unwrap(), None);
}

#[test]
fn failures_and_statuses_become_the_contracts_errors() {
    let sent = |cause| Failure::sent(cause, "x");
    assert!(matches!(sent(Cause::TimedOut).of_read(), Error::Unavailable(_)));
    assert!(matches!(sent(Cause::TimedOut).of_write(), Error::Indeterminate(_)));
    assert!(matches!(Failure::unsent(Cause::Unreached, "x").of_write(), Error::Unavailable(_)));
    assert!(matches!(Failure::unsent(Cause::Denied, "x").of_write(), Error::Denied(_)));

    let (mut client, scripted) = client();
    let mut status = |status| {
        scripted.answer(status, &[("Retry-After", "2")], b"");
        client.send(Request::new(Method::PUT, "http://h/")).unwrap()
    };
    assert!(matches!(status(403).error_of_write("put"), Error::Denied(_)));
    assert!(matches!(status(413).error_of_write("put"), Error::Invalid(_)));
    assert!(matches!(status(500).error_of_write("put"), Error::Indeterminate(_)));
    assert!(matches!(status(501).error_of_write("put"), Error::Unsupported(_)));
    assert!(
        matches!(status(503).error_of_write("put"), Error::Unavailable(wait) if wait.retry_after_ms == Some(2000))
    );
}

#[test]
fn natively_there_is_no_http_and_it_says_so() {
    let failure = Client::new().send(Request::new(Method::GET, "https://h/")).unwrap_err();
    assert!(!failure.is_sent() && failure.to_string().contains("with_transport"), "{failure}");
}

#[test]
fn a_header_shows_in_no_debug() {
    let request = Request::new(Method::GET, "https://h/").header("authorization", "s3cret");
    assert!(!format!("{request:?}").contains("s3cret"));
}
