//! What lies where, and that other clients and larder understand each other.

use std::time::Duration;

use larder_backends::redis::{RedisKv, RedisOptions};
use larder_core::{Commit, ErrorKind, Expectation, KvStore, Outcome};
use larder_tests::servers::redis::{RedisServer, RedisSettings};
use redis::{Value, cmd};

use super::{get, key, names, open, put};

fn bulk(text: &str) -> Value {
    Value::BulkString(text.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_lies_behind_a_head_of_24_bytes_under_prefix_and_key() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&format!("{}?prefix=fetcher", server.url())).await;
    put(&store, "users/42", "Ada").await;
    assert_eq!(server.tell(cmd("GETRANGE").arg("{fetcher}:users/42").arg(24).arg(-1)).unwrap(), bulk("Ada"));
    let head = server.tell(cmd("GETRANGE").arg("{fetcher}:users/42").arg(0).arg(23)).unwrap();
    let Value::BulkString(head) = head else { panic!("{head:?}") };
    assert_eq!(&head[..8], b"\xFFlarder\x01");
    let version = get(&store, "users/42").await.unwrap().version;
    assert_eq!(head[8..16], version.0.to_be_bytes());
    assert_eq!(head[16..], [0; 8]);
    let members = server.tell(cmd("ZRANGE").arg("{fetcher}/index").arg(0).arg(-1)).unwrap();
    assert_eq!(members, Value::Array(vec![bulk(""), bulk("users/42")]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_value_that_another_client_wrote_is_an_entry() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    server.tell(cmd("SET").arg("{larder}:before").arg("old")).unwrap();
    let store = open(&server.url()).await;
    // What was there before the store is found by its first scan, what comes later once it has been read.
    assert_eq!(names(&store, 10).await, ["before"]);
    server.tell(cmd("SET").arg("{larder}:plain").arg("text").arg("PX").arg(3_600_000)).unwrap();
    server.tell(cmd("SET").arg("{larder}:empty").arg("")).unwrap();
    let plain = get(&store, "plain").await.unwrap();
    assert_eq!(plain.value, "text");
    assert!(plain.expires_at.is_some(), "its expiry is the server's");
    assert_eq!(get(&store, "empty").await.unwrap().value, "");
    let many = store.get_many(&[key("plain"), key("missing"), key("empty")]).await.unwrap();
    let many: Vec<_> = many.into_iter().map(|entry| entry.map(|entry| entry.value)).collect();
    assert_eq!(many, [Some("text".into()), None, Some("".into())]);
    assert_eq!(names(&store, 10).await, ["before", "empty", "plain"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_version_of_a_plain_value_is_made_of_its_bytes() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    server.tell(cmd("SET").arg("{larder}:a").arg("1")).unwrap();
    let first = get(&store, "a").await.unwrap().version;
    let swap = |version, value: &'static str| {
        Commit::new().check(key("a"), Expectation::Version(version)).put(key("a"), value)
    };
    server.tell(cmd("SET").arg("{larder}:a").arg("2")).unwrap();
    assert_eq!(store.commit(&swap(first, "3")).await.unwrap_err().kind(), ErrorKind::Conflict);
    let second = get(&store, "a").await.unwrap().version;
    assert_ne!(first, second);
    store.commit(&swap(second, "3")).await.unwrap();
    assert_eq!(get(&store, "a").await.unwrap().value, "3");
    assert_eq!(store.commit(&swap(second, "4")).await.unwrap_err().kind(), ErrorKind::Conflict);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_counter_that_another_client_began_goes_on_and_keeps_its_expiry() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    server.tell(cmd("SET").arg("{larder}:n").arg("41").arg("PX").arg(3_600_000)).unwrap();
    let added = store.commit(&Commit::new().add(key("n"), 1)).await.unwrap();
    assert_eq!(added, [Outcome::Added(42)]);
    assert!(get(&store, "n").await.unwrap().expires_at.is_some());
    let Value::Int(left) = server.tell(cmd("PTTL").arg("{larder}:n")).unwrap() else { panic!("a number") };
    assert!((1..=3_600_000).contains(&left), "{left}");
    // Redis would take any of these for a number, or turn it into one.
    for bad in [" 1", "01", "+1", "1 ", "1.0", "", "9223372036854775808", "-9223372036854775809", "1e3"] {
        server.tell(cmd("SET").arg("{larder}:n").arg(bad)).unwrap();
        let error = store.commit(&Commit::new().put(key("other"), "1").add(key("n"), 1)).await.unwrap_err();
        assert_eq!((error.kind(), error.context("key")), (ErrorKind::Invalid, Some("n")), "{bad:?}");
        assert_eq!(get(&store, "n").await.unwrap().value, bad);
        assert_eq!(get(&store, "other").await, None);
    }
    let scratch = server.tell(cmd("EXISTS").arg("{larder}/scratch")).unwrap();
    assert_eq!(scratch, Value::Int(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_ends_what_has_lived_and_other_clients_see_it_too() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    let ttl = Duration::from_millis(150);
    store.commit(&Commit::new().put_with_ttl(key("short"), "1", ttl).put(key("long"), "2")).await.unwrap();
    let at = get(&store, "short").await.unwrap().expires_at.unwrap();
    let Value::Int(deadline) = server.tell(cmd("PEXPIRETIME").arg("{larder}:short")).unwrap() else {
        panic!("a number")
    };
    assert_eq!(deadline, i64::try_from(at.0).unwrap());
    // The server itself says when it is over; a read before that may be too slow to prove anything.
    while server.tell(cmd("EXISTS").arg("{larder}:short")).unwrap() == Value::Int(1) {}
    assert_eq!(get(&store, "short").await, None);
    assert_eq!(names(&store, 10).await, ["long"]);
    // A put without a time to live stays.
    store.commit(&Commit::new().put_with_ttl(key("kept"), "1", Duration::from_secs(3_600))).await.unwrap();
    put(&store, "kept", "2").await;
    assert_eq!(server.tell(cmd("PTTL").arg("{larder}:kept")).unwrap(), Value::Int(-1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stores_of_different_prefixes_and_databases_share_nothing() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let mut stores = Vec::new();
    for (prefix, db) in [("a", 0), ("a:b", 0), ("a:", 0), ("a*", 0), ("ab", 0), ("a", 1)] {
        let options = RedisOptions::standalone("127.0.0.1", server.port(), db).key_prefix(prefix);
        let store = RedisKv::connect(options).await.unwrap();
        put(&store, "b:c", &format!("{prefix} {db}")).await;
        stores.push((store, format!("{prefix} {db}")));
    }
    for (store, value) in &stores {
        assert_eq!(get(store, "b:c").await.unwrap().value, *value);
        assert_eq!(names(store, 10).await, ["b:c"]);
    }
    stores[0].0.commit(&Commit::new().delete(key("b:c"))).await.unwrap();
    for (store, value) in &stores[1..] {
        assert_eq!(get(store, "b:c").await.unwrap().value, *value);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_string_is_no_entry_and_stops_no_scan() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    for name in ["a", "list", "z"] {
        put(&store, name, "1").await;
    }
    server.tell(cmd("DEL").arg("{larder}:list")).unwrap();
    server.tell(cmd("RPUSH").arg("{larder}:list").arg("1")).unwrap();
    assert_eq!(store.get(&key("list")).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(store.get_many(&[key("a"), key("list")]).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let add = Commit::new().put(key("b"), "1").add(key("list"), 1);
    let error = store.commit(&add).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Corrupt && !error.is_effect_unknown(), "{error}");
    assert_eq!(names(&store, 10).await, ["a", "z"]);
    // Putting it, or deleting it, is how it goes away.
    put(&store, "list", "2").await;
    assert_eq!(get(&store, "list").await.unwrap().value, "2");
    assert_eq!(names(&store, 10).await, ["a", "list", "z"]);
}
