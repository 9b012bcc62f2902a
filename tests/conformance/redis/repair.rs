//! The index mends itself, whatever others do to the database.

use std::time::Duration;

use larder_core::{Commit, KeyRange, KvStore, Outcome, Scan, limits::COMMIT_ITEMS_MAX};
use larder_tests::servers::redis::{RedisServer, RedisSettings};
use redis::{Value, cmd};

use super::{get, key, names, open, put};

async fn filled(server: &RedisServer) -> larder_backends::redis::RedisKv {
    let store = open(&server.url()).await;
    for i in 0..25 {
        put(&store, &format!("k{i:02}"), "1").await;
    }
    assert_eq!(names(&store, 7).await.len(), 25);
    store
}

fn members(server: &RedisServer, name: &str) -> i64 {
    match server.tell(cmd("ZCARD").arg(name)).unwrap() {
        Value::Int(members) => members,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_another_client_deleted_are_in_no_scan_and_leave_the_index() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = filled(&server).await;
    for i in 0..20 {
        server.tell(cmd("DEL").arg(format!("{{larder}}:k{i:02}"))).unwrap();
    }
    assert_eq!(names(&store, 3).await, ["k20", "k21", "k22", "k23", "k24"]);
    assert_eq!(members(&server, "{larder}/index"), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_another_client_deleted_is_built_again() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = filled(&server).await;
    server.tell(cmd("DEL").arg("{larder}/index")).unwrap();
    // A commit must not make the scan believe that its key is the only one.
    put(&store, "new", "1").await;
    assert_eq!(names(&store, 10).await.len(), 26);
    server.tell(cmd("DEL").arg("{larder}/index").arg("{larder}/expiries")).unwrap();
    assert_eq!(names(&store, 10).await.len(), 26);
    // And by another host that finds it like that.
    server.tell(cmd("DEL").arg("{larder}/index")).unwrap();
    assert_eq!(names(&open(&server.url()).await, 10).await.len(), 26);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_build_the_index_at_once_do_not_disturb_each_other() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    drop(filled(&server).await);
    let (first, second) = (open(&server.url()).await, open(&server.url()).await);
    for _ in 0..20 {
        server.tell(cmd("DEL").arg("{larder}/index")).unwrap();
        let (a, b) = futures::join!(names(&first, 10), names(&second, 10));
        assert_eq!((a.len(), b.len()), (25, 25));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_emptied_is_an_empty_store() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = filled(&server).await;
    server.tell(&cmd("FLUSHDB")).unwrap();
    assert_eq!(get(&store, "k00").await, None);
    assert_eq!(names(&store, 10).await, [""; 0]);
    put(&store, "new", "1").await;
    assert_eq!(names(&store, 10).await, ["new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_the_server_evicted_are_in_no_scan() {
    let server = RedisServer::start(&RedisSettings::new().line("maxmemory-policy allkeys-random")).unwrap();
    let store = open(&server.url()).await;
    for i in 0..200 {
        put(&store, &format!("k{i:03}"), &"x".repeat(4 << 10)).await;
    }
    // So little that most of it goes. What goes may be the index as well.
    server.tell(cmd("CONFIG").arg("SET").arg("maxmemory").arg("1100kb")).unwrap();
    server.tell(cmd("SET").arg("other").arg("1")).ok();
    server.tell(cmd("CONFIG").arg("SET").arg("maxmemory").arg("0")).unwrap();
    let found = names(&store, 50).await;
    assert!(found.len() < 200, "nothing was evicted");
    for i in 0..200 {
        let name = format!("k{i:03}");
        assert_eq!(get(&store, &name).await.is_some(), found.contains(&name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = filled(&server).await;
    for i in 0..5 {
        server.tell(cmd("SCRIPT").arg("FLUSH")).unwrap();
        let added = store.commit(&Commit::new().add(key("n"), 1)).await.unwrap();
        assert_eq!(added, [Outcome::Added(i + 1)]);
        server.tell(cmd("SCRIPT").arg("FLUSH")).unwrap();
        assert_eq!(names(&store, 100).await.len(), 26);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_over_thousands_of_gone_entries_is_bounded_and_the_scan_goes_on() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    for part in 0..5 {
        let commit = (0..COMMIT_ITEMS_MAX)
            .fold(Commit::new(), |commit, i| commit.put(key(&format!("gone{part}{i:03}")), "1"));
        store.commit(&commit).await.unwrap();
    }
    put(&store, "there", "1").await;
    for part in 0..5 {
        let names: Vec<String> =
            (0..COMMIT_ITEMS_MAX).map(|i| format!("{{larder}}:gone{part}{i:03}")).collect();
        server.tell(cmd("DEL").arg(names)).unwrap();
    }
    let page = store.scan(&Scan::new(KeyRange::all()).limit(10)).await.unwrap();
    assert!(page.entries.is_empty() && page.next.is_some(), "one page went over 5,000 gone entries");
    assert_eq!(names(&store, 10).await, ["there"]);
    assert_eq!(members(&server, "{larder}/index"), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_expired_leaves_the_index_without_any_scan() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    let (short, long) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let fill = |ttl| {
        (0..COMMIT_ITEMS_MAX)
            .fold(Commit::new(), |commit, i| commit.put_with_ttl(key(&format!("k{i:03}")), "1", ttl))
    };
    store.commit(&fill(short)).await.unwrap();
    while server.tell(cmd("EXISTS").arg("{larder}:k999")).unwrap() == Value::Int(1) {}
    // Each commit that makes a row clears away a few.
    for i in 0..4 {
        let commit = Commit::new().put_with_ttl(key(&format!("new{i}")), "1", long);
        store.commit(&commit).await.unwrap();
    }
    assert_eq!(members(&server, "{larder}/expiries"), 1_000 - 4 * 16 + 4);
    // And a sweep clears away the rest.
    assert_eq!(store.sweep().await.unwrap(), 1_000 - 4 * 16);
    assert_eq!(members(&server, "{larder}/index"), 5);
    assert_eq!(members(&server, "{larder}/expiries"), 4);
    // What was deleted, or was put again to stay, leaves no row behind.
    store.commit(&Commit::new().delete(key("new0"))).await.unwrap();
    put(&store, "new1", "1").await;
    assert_eq!(members(&server, "{larder}/expiries"), 3);
    assert_eq!(names(&store, 10).await, ["new1", "new2", "new3"]);
}

/// How often the server ran a command.
fn runs(server: &RedisServer, command: &str) -> u64 {
    let Value::BulkString(stats) = server.tell(cmd("INFO").arg("commandstats")).unwrap() else {
        panic!("text")
    };
    let stats = String::from_utf8(stats).unwrap();
    let line = stats
        .lines()
        .find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))?.split(',').next());
    line.map_or(0, |calls| calls.parse().unwrap())
}

// Others have listed keys with KEYS or SCAN in each call, and compared-and-set with WATCH on a shared connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_walks_through_the_database_and_none_watches() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = filled(&server).await;
    let walks = runs(&server, "scan");
    for i in 0..10 {
        put(&store, &format!("more{i}"), "1").await;
        let version = get(&store, "k00").await.unwrap().version;
        let commit = Commit::new().check(key("k00"), larder_core::Expectation::Version(version));
        store.commit(&commit.put(key("k00"), "2").delete(key(&format!("k{:02}", i + 1)))).await.unwrap();
        store.get_many(&[key("k00"), key("missing")]).await.unwrap();
        names(&store, 5).await;
        store.sweep().await.unwrap();
    }
    assert_eq!(runs(&server, "scan"), walks);
    for command in ["keys", "watch", "multi", "exec", "flushdb", "flushall", "randomkey"] {
        assert_eq!(runs(&server, command), 0, "{command}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_thousands_is_built_whole_while_others_write() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    for part in 0..3 {
        let commit = (0..COMMIT_ITEMS_MAX)
            .fold(Commit::new(), |commit, i| commit.put(key(&format!("k{part}{i:03}")), "1"));
        store.commit(&commit).await.unwrap();
    }
    server.tell(cmd("DEL").arg("{larder}/index")).unwrap();
    let writes = async {
        for i in 0..200 {
            let commit = Commit::new().put(key(&format!("new{i:03}")), "1").delete(key(&format!("k0{i:03}")));
            store.commit(&commit).await.unwrap();
        }
    };
    let (found, ()) = futures::join!(names(&store, 1_000), writes);
    assert!(found.len() >= 2_800 && found.is_sorted(), "{} keys", found.len());
    let after = names(&store, 1_000).await;
    assert_eq!(after.len(), 3_000);
    assert!(!after.contains(&"k0000".to_owned()) && after.contains(&"new199".to_owned()));
}
