//! Grants are read and compared, requests told apart.

use std::{
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use http::{Request, header};
use http_body_util::{BodyExt as _, Empty};
use larder_core::BoxFuture;
use wasmtime_wasi_http::{Error, WasiBody};

use super::{guard::HttpGuard, *};
use crate::network::Resolver;

fn grant(text: &str) -> HttpGrant {
    text.parse().unwrap()
}

fn guard(grants: &[&str]) -> Arc<HttpGuard> {
    let options = grants.iter().fold(PluginOptions::new("p"), |options, text| options.with_http(grant(text)));
    HttpGuard::new(&options).unwrap()
}

fn request(uri: &str) -> Request<WasiBody> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    Request::builder().uri(uri).body(body).unwrap()
}

fn is_admitted(guard: &Arc<HttpGuard>, uri: &str) -> bool {
    guard.arm();
    let admitted = guard.admit(request(uri), None).is_ok();
    if let Some(refusal) = guard.refusal() {
        assert!(refusal.contains("grants.http"), "{refusal}");
    }
    admitted
}

#[test]
fn grants_are_read_and_shown_in_one_form() {
    for (text, shown) in [
        ("https://api.example.org", "https://api.example.org"),
        ("https://API.Example.org.:443/", "https://api.example.org"),
        ("http://127.0.0.1:2379", "http://127.0.0.1:2379"),
        ("http://[::FFFF:127.0.0.1]:80/v1/", "http://127.0.0.1/v1"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("https://b\u{fc}cher.example/a", "https://xn--bcher-kva.example/a"),
    ] {
        assert_eq!(grant(text).to_string(), shown, "{text}");
    }
}

#[test]
fn what_is_no_grant_is_refused_and_said_why() {
    for text in [
        "",
        "api.example.org",
        "ftp://h",
        "https://",
        "https://*.example.org",
        "https://u:s3cret@h",
        "https://h/?q=s3cret",
        "https://h/#x",
        "https://h:0",
        "https://h:65536",
        "https://a b",
        "https://h/a%2fb",
    ] {
        let error = text.parse::<HttpGrant>().expect_err(text);
        assert!(error.message().contains("https://api.example.org"), "{text}: {error}");
    }
    let error = "https://u:s3cret@h".parse::<HttpGrant>().unwrap_err();
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[test]
fn a_request_is_matched_by_scheme_host_port_and_path() {
    let guard =
        guard(&["https://api.example.org", "http://127.0.0.1:2379/v3", "https://b\u{fc}cher.example"]);
    for uri in [
        "https://api.example.org/",
        "https://API.EXAMPLE.ORG:443/any?x=../..",
        "https://api.example.org./",
        "http://127.0.0.1:2379/v3",
        "http://127.0.0.1:2379/v3/kv/range",
        "http://127.1:2379/v3",
        "http://[::ffff:127.0.0.1]:2379/v3/x",
        "https://xn--bcher-kva.example/",
    ] {
        assert!(is_admitted(&guard, uri), "{uri}");
    }
    for uri in [
        "http://api.example.org/",
        "https://api.example.org:8443/",
        "https://example.org/",
        "https://api.example.org.evil.example/",
        "https://x.api.example.org/",
        "http://127.0.0.1:2380/v3",
        "http://127.0.0.2:2379/v3",
        "http://localhost:2379/v3",
        "https://169.254.169.254/",
        "http://127.0.0.1:2379/",
        "http://127.0.0.1:2379/v33",
        "http://127.0.0.1:2379/v3/../v2",
        "http://127.0.0.1:2379/v3/%2e%2e/v2",
        "http://127.0.0.1:2379/v3/.%2E;x/v2",
        "http://127.0.0.1:2379/v3/..%2fv2",
        "http://127.0.0.1:2379/v3/%252e%252e/v2",
        "https://u:p@api.example.org/",
        "ftp://api.example.org/",
    ] {
        assert!(!is_admitted(&guard, uri), "{uri}");
    }
}

#[test]
fn of_two_grants_the_one_that_says_more_lends_its_headers() {
    let options = PluginOptions::new("p")
        .with_http(grant("https://h/a").with_header("Authorization", "below").unwrap())
        .with_http(grant("https://h").with_header("Authorization", "all").unwrap());
    let guard = HttpGuard::new(&options).unwrap();
    for (uri, value) in [("https://h/a/b", "below"), ("https://h/ab", "all"), ("https://h/", "all")] {
        let mut asked = request(uri);
        asked.headers_mut().insert(header::AUTHORIZATION, "mine".parse().unwrap());
        let sent = guard.admit(asked, None).unwrap().request;
        assert_eq!(sent.headers()[header::AUTHORIZATION], value, "{uri}");
        assert_eq!(sent.headers().get_all(header::AUTHORIZATION).iter().count(), 1);
        assert_eq!(sent.headers()[header::HOST], "h");
        assert!(sent.uri().authority().is_none());
    }
}

#[test]
fn a_secret_header_shows_in_no_debug_and_no_error() {
    let granted = grant("https://h").with_header("Authorization", "s3cret").unwrap();
    assert!(!format!("{granted:?}").contains("s3cret") && format!("{granted:?}").contains("authorization"));
    for (name, value) in
        [("Host", "s3cret"), ("a b", "s3cret"), ("x", "s3cret\r\ny: z"), ("Proxy-Secret", "s3cret")]
    {
        let error = grant("https://h").with_header(name, value).unwrap_err();
        assert!(error.message().contains(name) && !format!("{error:?}").contains("s3cret"), "{error:?}");
    }
}

#[test]
fn tunnels_echoes_and_what_is_too_long_are_not_sent() {
    let guard = guard(&["https://h"]);
    for method in ["CONNECT", "TRACE"] {
        let mut asked = request("https://h/");
        *asked.method_mut() = method.parse().unwrap();
        assert!(matches!(guard.admit(asked, None), Err(Error::HttpRequestDenied)));
    }
    let long = format!("https://h/{}", "x".repeat(17 << 10));
    assert!(matches!(guard.admit(request(&long), None), Err(Error::HttpRequestUriTooLong)));
    let mut asked = request("https://h/");
    asked.headers_mut().insert("x", "x".repeat(33 << 10).parse().unwrap());
    assert!(matches!(guard.admit(asked, None), Err(Error::HttpRequestHeaderSectionSize(_))));
}

#[test]
fn requests_under_way_are_counted_and_waits_are_no_longer_than_a_call() {
    let guard = guard(&["https://h"]);
    let mut under_way: Vec<_> =
        (0..16).map(|_| guard.admit(request("https://h/"), None).ok().unwrap()).collect();
    assert!(matches!(guard.admit(request("https://h/"), None), Err(Error::ConnectionLimitReached)));
    under_way.pop();
    let admitted = guard.admit(request("https://h/"), None).ok().unwrap();
    assert_eq!(admitted.waits.first_byte, crate::PluginLimits::default().deadline);
}

/// Answers the same to each name.
#[derive(Debug)]
struct Told(Mutex<Vec<IpAddr>>);

impl Resolver for Told {
    fn resolve(&self, _name: String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    }
}

#[tokio::test]
async fn a_name_leads_neither_home_nor_to_metadata() {
    for (name, found, is_reached) in [
        ("h.example", "93.184.216.34", true),
        ("h.example", "10.0.0.7", true),
        ("h.example", "127.0.0.1", false),
        ("h.example", "::1", false),
        ("h.example", "::ffff:169.254.169.254", false),
        ("h.example", "fd00:ec2::254", false),
        ("h.example", "0.0.0.0", false),
        ("localhost", "127.0.0.1", true),
        ("localhost", "169.254.169.254", false),
    ] {
        let options = PluginOptions::new("p")
            .with_http(grant(&format!("http://{name}:8080")))
            .with_resolver(Arc::new(Told(Mutex::new(vec![found.parse().unwrap()]))));
        let guard = HttpGuard::new(&options).unwrap();
        let reached = guard.addresses(guard.grants[0].origin()).await;
        assert_eq!(reached.is_ok(), is_reached, "{name} {found}");
        let refusal = guard.refusal().unwrap_or_default();
        assert_eq!(refusal.contains("alone would allow it"), !is_reached, "{refusal}");
    }
}
