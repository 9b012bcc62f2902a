//! What can be shown without a server: URLs, and that no secret gets out. Everything else is in the conformance suite,
//! over real ones.

use std::time::Duration;

use larder_core::{Error, ErrorKind};

use super::{
    Durability, RedisKv, RedisOptions,
    error::{Fault, Intent},
    options::{Address, Topology},
};

fn refused(url: &str) -> Error {
    let error = RedisOptions::from_url(url).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{url}");
    error
}

fn address(host: &str, port: u16) -> Address {
    Address { host: host.to_owned(), port }
}

#[test]
fn a_url_says_everything() {
    let options = RedisOptions::from_url(
        "rediss://fetch%40er:p%2Fw%3A@cache.example:6380/3?prefix=crawl%3A1&connect_timeout=500ms&response_timeout=2s\
         &cleanup_interval=0&value_bytes_max=1024&durability=every-second&tls_ca=ca.pem&tls_certificate=c.pem&tls_key=k.pem",
    )
    .unwrap();
    assert_eq!(options.topology, Topology::Standalone(address("cache.example", 6_380)));
    assert_eq!((options.db, options.prefix.as_str()), (3, "crawl:1"));
    assert_eq!(options.credentials.user.as_deref(), Some("fetch@er"));
    assert_eq!(options.credentials.password.as_ref().unwrap().0, "p/w:");
    assert_eq!(options.connect_timeout, Duration::from_millis(500));
    assert_eq!(options.response_timeout, Duration::from_secs(2));
    assert_eq!(options.cleanup_interval, Duration::ZERO);
    assert_eq!(options.value_bytes_max, 1_024);
    assert_eq!(options.durability, Durability::EverySecond);
    let tls = options.tls.as_ref().unwrap();
    assert_eq!(tls.ca.as_deref().unwrap().to_str(), Some("ca.pem"));
    assert!(tls.client.is_some());
}

#[test]
fn a_url_says_little_and_means_the_usual() {
    for (url, host) in
        [("redis://localhost", "localhost"), ("redis://[::1]", "::1"), ("redis://127.0.0.1/", "127.0.0.1")]
    {
        let options = RedisOptions::from_url(url).unwrap();
        assert_eq!(options.topology, Topology::Standalone(address(host, 6_379)), "{url}");
        assert_eq!(
            (options.db, options.prefix.as_str(), options.tls.is_some()),
            (0, "larder", false),
            "{url}"
        );
    }
    let options = RedisOptions::from_url("redis://:secret@[::1]:7000?db=2").unwrap();
    assert_eq!((options.db, options.credentials.user), (2, None));
}

#[test]
fn sentinels_and_clusters_have_several_hosts() {
    let options = RedisOptions::from_url(
        "redis-sentinel://u:p@a:1,b,[::2]:3/main/4?sentinel_user=s&sentinel_password=t",
    )
    .unwrap();
    let sentinels = vec![address("a", 1), address("b", 26_379), address("::2", 3)];
    assert_eq!(options.topology, Topology::Sentinel { sentinels, master: "main".to_owned() });
    assert_eq!(options.db, 4);
    assert_eq!(options.sentinel_credentials.user.as_deref(), Some("s"));
    for scheme in ["redis+cluster", "rediss+cluster"] {
        let options = RedisOptions::from_url(&format!("{scheme}://a:7000,b")).unwrap();
        assert_eq!(options.topology, Topology::Cluster(vec![address("a", 7_000), address("b", 6_379)]));
        assert_eq!(options.tls.is_some(), scheme == "rediss+cluster");
    }
    assert!(RedisOptions::from_url("rediss-sentinel://a/main").unwrap().tls.is_some());
}

#[test]
fn what_is_wrong_in_a_url_is_named_with_what_would_be_right() {
    for (url, expected) in [
        ("localhost:6379", "redis://"),
        ("http://localhost", "redis+cluster"),
        ("redis://", "host"),
        ("redis://a,b", "redis-sentinel"),
        ("redis://a/mydb", "?prefix="),
        ("redis://a:0", "host"),
        ("redis://a:70000", "host"),
        ("redis-sentinel://a", "master"),
        ("redis+cluster://a/1", "only 0"),
        ("redis://a?prefix=", "fetcher"),
        ("redis://a?prefix=a%7Db", "brace"),
        ("redis://a?prefx=b", "did you mean `prefix`"),
        ("redis://a?response_timout=1s", "did you mean `response_timeout`"),
        ("redis://a?frobnicate=1", "there are prefix, db"),
        ("redis://a?response_timeout=soon", "500ms"),
        ("redis://a?response_timeout=0", "5s"),
        ("redis://a?durability=yes", "every-second"),
        ("redis://a?value_bytes_max=8MB", "8388608"),
        ("redis://a?value_bytes_max=0", "takes 1 to"),
        ("redis://a?tls_ca=x", "rediss"),
        ("rediss://a?tls_key=x", "expected both"),
        ("redis://user@a", "user without a password"),
        ("redis://a?prefix=%zz", "hexadecimal"),
        ("redis://a?prefix=%ff", "UTF-8"),
    ] {
        let error = refused(url);
        assert!(error.to_string().contains(expected), "{url}: {error}");
    }
}

#[test]
fn no_secret_is_in_any_error_debug_or_display() {
    let secret = "hunter2";
    for url in [
        "redis://u:hunter2@a:b:c",
        "redis://u:hunter2@a/x",
        "redis://u:hunter2@a?hunter=1",
        "redis://u:x?hunter2@a",
        "redis://u:x/hunter2@a",
        "redis://u:x#hunter2@a",
        "redis://u:hunter2",
        "redis://u:hunter2%@a",
        "redis://u:hunter2%ff@a",
        "http://u:hunter2@a",
        "redis-sentinel://u:hunter2@a",
        "redis-sentinel://a/m?sentinel_password=hunter2%",
    ] {
        let error = refused(url);
        assert!(!error.chain().contains(secret) && !format!("{error:?}").contains(secret), "{url}: {error}");
    }
    let url = "redis-sentinel://hunter2user:hunter2@a/m/0?sentinel_password=hunter2";
    let options = RedisOptions::from_url(url).unwrap();
    assert!(
        !format!("{options:?} {options} {:?} {:?}", options.credentials, options.topology)
            .contains("hunter2@")
    );
    assert!(!format!("{options:?} {options}").contains(secret));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable_and_nothing_was_written() {
    // Bound and never listened on: nothing can answer there.
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port();
    drop(held);
    let options = RedisOptions::standalone("127.0.0.1", port, 0).user("u").password("hunter2");
    let error = RedisKv::connect(options).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(!error.is_effect_unknown());
    assert!(!error.chain().contains("hunter2"), "{error}");
}

#[test]
fn codes_of_the_server_decide_kind_and_effect() {
    let fault = |code: &str| {
        let line = format!("-{code} some text of the server\r\n");
        match redis::parse_redis_value(line.as_bytes()).unwrap() {
            redis::Value::ServerError(cause) => Fault::Refused(cause),
            other => panic!("{other:?}"),
        }
    };
    for (codes, kind) in [
        (
            &[
                "LOADING",
                "MASTERDOWN",
                "CLUSTERDOWN",
                "TRYAGAIN",
                "READONLY",
                "BUSY",
                "OOM",
                "MISCONF",
                "NOREPLICAS",
            ][..],
            ErrorKind::Unavailable,
        ),
        (&["NOAUTH", "WRONGPASS", "NOPERM"], ErrorKind::Denied),
        (&["WRONGTYPE"], ErrorKind::Corrupt),
        (&["CROSSSLOT"], ErrorKind::Unsupported),
    ] {
        for code in codes {
            let error = fault(code).into_error(Intent::Write);
            assert_eq!((error.kind(), error.is_effect_unknown()), (kind, false), "{code}");
            assert_eq!(error.retry_after_hint().is_some(), kind == ErrorKind::Unavailable, "{code}");
        }
    }
    // What nobody knows may have come after a change.
    let error = fault("NEWCODE").into_error(Intent::Write);
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Unavailable, true));
    assert!(!fault("NEWCODE").into_error(Intent::Read).is_effect_unknown());
}

#[test]
fn an_answer_that_does_not_come_leaves_a_write_in_doubt_and_a_read_not() {
    for (io, kind) in [
        (std::io::ErrorKind::TimedOut, ErrorKind::Timeout),
        (std::io::ErrorKind::BrokenPipe, ErrorKind::Unavailable),
        (std::io::ErrorKind::ConnectionReset, ErrorKind::Unavailable),
    ] {
        for (intent, doubt) in [(Intent::Write, true), (Intent::Read, false)] {
            let error = Fault::Lost(std::io::Error::from(io).into()).into_error(intent);
            assert_eq!((error.kind(), error.is_effect_unknown()), (kind, doubt), "{io:?} {intent:?}");
        }
    }
}
