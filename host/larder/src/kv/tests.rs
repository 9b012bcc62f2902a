//! The handle over the in-memory store.

use std::time::Duration;

use futures::TryStreamExt;
use larder_core::{ErrorKind, KeyRange, Outcome, limits::KEY_BYTES_MAX};

use super::*;
use crate::{Config, Host};

async fn host() -> Host {
    Host::open(Config::default().plan().unwrap()).await.unwrap()
}

async fn kv() -> Kv {
    host().await.default_kv().unwrap()
}

async fn keys(kv: &Kv, options: ScanOptions) -> Vec<String> {
    let entries: Vec<_> = kv.scan(options).try_collect().await.unwrap();
    entries.into_iter().map(|(key, _)| key.to_string()).collect()
}

#[tokio::test]
async fn values_are_json_unless_they_are_bytes() {
    let kv = kv().await;
    kv.set("list", &vec![1, 2]).await.unwrap();
    assert_eq!(kv.get::<Vec<u8>>("list").await.unwrap(), Some(vec![1, 2]));
    assert_eq!(kv.get_bytes("list").await.unwrap().unwrap(), "[1,2]");
    kv.set_bytes("raw", &b"\xff"[..]).await.unwrap();
    assert_eq!(kv.get_bytes("raw").await.unwrap().unwrap(), &b"\xff"[..]);
    assert_eq!(kv.get::<String>("missing").await.unwrap(), None);
    for (key, message) in [("raw", "is not JSON"), ("list", "not of the type")] {
        let error = kv.get::<String>(key).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.message().contains(message), "{error}");
        assert_eq!(error.context("key"), Some(key));
    }
}

#[tokio::test]
async fn writes_carry_conditions_and_times_to_live() {
    let kv = kv().await;
    let first = kv.set_with("a", &1, SetOptions::default().if_absent()).await.unwrap();
    let error = kv.set_with("a", &2, SetOptions::default().if_absent()).await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Conflict, Some("a")));
    let second = kv.compare_and_set("a", Some(first), &3).await.unwrap();
    assert_ne!(first, second);
    assert_eq!(kv.compare_and_set("a", Some(first), &4).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(kv.compare_and_set("a", None, &4).await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(kv.get_versioned::<u32>("a").await.unwrap().unwrap().version, second);

    kv.set_with("b", &1, SetOptions::default().ttl(Duration::from_secs(60))).await.unwrap();
    assert!(kv.get_entry("b").await.unwrap().unwrap().expires_at.is_some());
    let error = kv.set_with("b", &1, SetOptions::default().ttl(Duration::ZERO)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(kv.delete("b").await.unwrap());
    assert!(!kv.delete("b").await.unwrap());
    assert!(!kv.exists("b").await.unwrap());
}

#[tokio::test]
async fn counters_are_json_numbers_too() {
    let kv = kv().await;
    assert_eq!(kv.increment("n", 5).await.unwrap(), 5);
    assert_eq!(kv.increment("n", -7).await.unwrap(), -2);
    assert_eq!(kv.get::<i64>("n").await.unwrap(), Some(-2));
    kv.set("text", "x").await.unwrap();
    assert_eq!(kv.increment("text", 1).await.unwrap_err().kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn many_are_answered_by_position_in_any_number() {
    let kv = kv().await;
    kv.set("1", &1).await.unwrap();
    let names: Vec<String> = (0..2_500).map(|n| (n % 3).to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values = kv.get_many::<u32>(&names).await.unwrap();
    assert_eq!(values.len(), 2_500);
    assert!(values.iter().zip(&names).all(|(value, name)| value.is_some() == (*name == "1")));
}

#[tokio::test]
async fn a_scan_streams_all_pages_and_stops_at_its_limit() {
    let kv = kv().await;
    for n in 0..2_300 {
        kv.set_bytes(&format!("k:{n:04}"), "v").await.unwrap();
    }
    kv.set_bytes("l", "v").await.unwrap();
    assert_eq!(keys(&kv, ScanOptions::prefix("k:")).await.len(), 2_300);
    assert_eq!(keys(&kv, ScanOptions::all().limit(1_500)).await.len(), 1_500);
    assert_eq!(keys(&kv, ScanOptions::all().limit(0)).await.len(), 0);
    let between = ScanOptions::range(KeyRange::between("k:0010", "k:0012"));
    assert_eq!(keys(&kv, between).await, ["k:0010", "k:0011"]);
    let page: Vec<_> = kv.scan(ScanOptions::prefix("l").keys_only()).try_collect().await.unwrap();
    assert!(page[0].1.value.is_empty());
}

#[tokio::test]
async fn a_commit_is_all_or_nothing_and_answers_by_position() {
    let kv = kv().await;
    let outcomes = kv.commit().set("a", &1).increment("n", 3).delete("b").run().await.unwrap();
    assert!(matches!(outcomes[..], [Outcome::Written(_), Outcome::Added(3), Outcome::Deleted(false)]));
    let error = kv.commit().if_absent("a").set("c", &1).run().await.unwrap_err();
    assert_eq!((error.kind(), error.context("key")), (ErrorKind::Conflict, Some("a")));
    assert!(!kv.exists("c").await.unwrap());
    let error = kv.commit().set("c", &1).set("", &1).run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(!kv.exists("c").await.unwrap());
}

#[tokio::test]
async fn a_namespace_is_invisible_in_keys_ranges_and_errors() {
    let kv = kv().await;
    let users = kv.namespace("users").unwrap();
    let admins = users.namespace("admins").unwrap();
    for n in ["a", "b"] {
        users.set(n, &1).await.unwrap();
        admins.set(n, &2).await.unwrap();
        kv.set(n, &0).await.unwrap();
    }
    // It lies between the namespace's own keys, and after all of them.
    kv.set("users", &0).await.unwrap();
    kv.set("users;", &0).await.unwrap();
    assert_eq!(keys(&users, ScanOptions::all()).await, ["a", "admins:a", "admins:b", "b"]);
    assert_eq!(keys(&admins, ScanOptions::prefix("b")).await, ["b"]);
    assert_eq!(keys(&users, ScanOptions::range(KeyRange::from_key("b"))).await, ["b"]);
    assert_eq!(kv.get::<u32>("users:admins:a").await.unwrap(), Some(2));

    let conflict = admins.set_with("a", &1, SetOptions::default().if_absent()).await.unwrap_err();
    let unreadable = admins.get::<String>("a").await.unwrap_err();
    let broken = admins.commit().if_absent("b").set("c", &1).run().await.unwrap_err();
    let ttl = admins.set_with("a", &1, SetOptions::default().ttl(Duration::ZERO)).await.unwrap_err();
    for error in [conflict, unreadable, broken, ttl] {
        assert!(!error.chain().contains("admins:"), "{error}");
    }
    let long = "x".repeat(KEY_BYTES_MAX - "users:".len());
    users.set(&long, &1).await.unwrap();
    let error = users.set(&format!("{long}x"), &1).await.unwrap_err();
    assert!(
        error.message().contains(&format!("{} bytes, more than {}", long.len() + 1, long.len())),
        "{error}"
    );
}

#[tokio::test]
async fn names_of_namespaces_and_keys_are_checked() {
    let kv = kv().await;
    for bad in ["", "a:b", &"x".repeat(KEY_BYTES_MAX)] {
        assert_eq!(kv.namespace(bad).unwrap_err().kind(), ErrorKind::Invalid);
    }
    let inside = kv.namespace("n").unwrap();
    for kv in [&kv, &inside] {
        for bad in ["", &"x".repeat(KEY_BYTES_MAX + 1)] {
            assert_eq!(kv.get_bytes(bad).await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(kv.set_bytes(bad, "v").await.unwrap_err().kind(), ErrorKind::Invalid);
        }
    }
}

#[tokio::test]
async fn the_store_counts_what_its_handles_do() {
    let host = host().await;
    let kv = host.default_kv().unwrap();
    let part = kv.namespace("part").unwrap();
    part.set("a", &1).await.unwrap();
    part.get_bytes("a").await.unwrap();
    kv.get_bytes("b").await.unwrap();
    let metrics = host.kv("state").unwrap().metrics();
    assert_eq!((metrics.hits, metrics.misses, metrics.writes), (1, 1, 1));
    assert_eq!(kv.to_string(), "metrics(errors(checks(memory)))");
}

#[tokio::test]
async fn an_unknown_store_is_refused_with_the_nearest() {
    let error = host().await.kv("stat").unwrap_err();
    assert!(error.message().contains("`state`"), "{error}");
}
