//! Servers that come and go, refuse, and hand over to each other.

use std::time::Duration;

use larder_backends::redis::{RedisKv, RedisOptions};
use larder_core::{Commit, Error, ErrorKind, KeyRange, KvStore, Outcome, Scan};
use larder_tests::servers::redis::{RedisCluster, RedisSentinel, RedisServer, RedisSettings};
use redis::{Value, cmd};

use super::{get, key, names, open, put};

fn is_unavailable_and_nothing_was_written(error: &Error) -> bool {
    error.kind() == ErrorKind::Unavailable && !error.is_effect_unknown()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_on_when_its_server_comes_back() {
    let mut server = RedisServer::start(&RedisSettings::new().durable()).unwrap();
    let store = open(&server.url()).await;
    put(&store, "a", "1").await;
    server.process().kill();
    // The connection is known to be broken before the next command is sent, or that command may have been sent.
    let error = store.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let error = store.commit(&Commit::new().put(key("a"), "2")).await.unwrap_err();
    assert!(is_unavailable_and_nothing_was_written(&error), "{error}");
    server.restart().unwrap();
    assert_eq!(until(async || store.get(&key("a")).await).await.unwrap().value, "1");
    put(&store, "b", "2").await;
    assert_eq!(names(&store, 10).await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_server_closes_is_replaced() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    for i in 0..20 {
        server.tell(cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes")).unwrap();
        // Either it was noticed, and a new one was opened; or this command met it.
        match store.commit(&Commit::new().add(key(&format!("n{i}")), 1)).await {
            Ok(outcomes) => assert_eq!(outcomes, [Outcome::Added(1)]),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
        until(async || store.health().await).await;
        put(&store, "a", "1").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_without_an_answer_is_in_doubt_and_is_not_sent_again() {
    let mut server = RedisServer::start(&RedisSettings::new()).unwrap();
    let options = RedisOptions::from_url(&server.url()).unwrap();
    let patience = Duration::from_millis(300);
    let options = options.response_timeout(patience).connect_timeout(patience);
    let store = RedisKv::connect(options).await.unwrap();
    put(&store, "a", "1").await;
    server.process().freeze();
    let error = store.commit(&Commit::new().add(key("n"), 1)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_effect_unknown()), (ErrorKind::Timeout, true), "{error}");
    // The connection is given up, and no other is to be had: this one was not sent.
    let error = store.commit(&Commit::new().add(key("m"), 1)).await.unwrap_err();
    assert!(is_unavailable_and_nothing_was_written(&error), "{error}");
    server.process().thaw();
    until(async || store.health().await).await;
    // The first one lies in the socket: it was executed, will be, or is lost with the connection; but not twice.
    put(&store, "b", "1").await;
    assert!(get(&store, "n").await.is_none_or(|entry| entry.value == "1"));
    assert_eq!(get(&store, "m").await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_goes_over_one_connection_and_a_dropped_store_closes_it() {
    let mut server = RedisServer::start(&RedisSettings::new()).unwrap();
    let port = server.port();
    let store = open(&server.url()).await;
    let writes = (0..64).map(|i| {
        let (store, name) = (&store, format!("k{i}"));
        async move { put(store, &name, "1").await }
    });
    futures::future::join_all(writes).await;
    assert_eq!(names(&store, 100).await.len(), 64);
    assert_eq!(clients(port), 1);
    drop(store);
    server.process().wait_until("the connection is closed", || clients(port) == 0).unwrap();
}

/// How many others are connected to a server.
fn clients(port: u16) -> usize {
    let mut connection =
        redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap().get_connection().unwrap();
    let list: String = cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
    list.lines().count() - 1
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_memory_takes_no_write_in_part() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    put(&store, "a", "1").await;
    put(&store, "n", "1").await;
    assert_eq!(names(&store, 10).await, ["a", "n"]);
    server.tell(cmd("CONFIG").arg("SET").arg("maxmemory").arg("1")).unwrap();
    for commit in [
        Commit::new().put(key("b"), "1"),
        Commit::new().put(key("a"), "2").put(key("b"), "2"),
        Commit::new().add(key("n"), 1),
        Commit::new().add(key("n"), i64::MAX - 1),
    ] {
        let error = store.commit(&commit).await.unwrap_err();
        assert!(is_unavailable_and_nothing_was_written(&error), "{error}");
    }
    assert_eq!(get(&store, "a").await.unwrap().value, "1");
    assert_eq!(get(&store, "n").await.unwrap().value, "1");
    assert_eq!(names(&store, 10).await, ["a", "n"]);
    // Deleting is how memory is won.
    store.commit(&Commit::new().delete(key("a"))).await.unwrap();
    // Where a commit wins and needs memory, it happens whole or not at all.
    let mixed = store.commit(&Commit::new().put(key("c"), "1").delete(key("n"))).await;
    assert_eq!(mixed.is_ok(), get(&store, "c").await.is_some());
    assert_eq!(mixed.is_ok(), get(&store, "n").await.is_none());
    server.tell(cmd("CONFIG").arg("SET").arg("maxmemory").arg("0")).unwrap();
    put(&store, "b", "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_can_be_read_and_refuses_writes_whole() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    put(&store, "a", "1").await;
    assert_eq!(names(&store, 10).await, ["a"]);
    server.tell(cmd("REPLICAOF").arg("127.0.0.1").arg(1)).unwrap();
    let error = store.commit(&Commit::new().put(key("a"), "2").delete(key("b"))).await.unwrap_err();
    assert!(is_unavailable_and_nothing_was_written(&error), "{error}");
    assert_eq!(get(&store, "a").await.unwrap().value, "1");
    assert_eq!(names(&store, 10).await, ["a"]);
    server.tell(cmd("REPLICAOF").arg("NO").arg("ONE")).unwrap();
    put(&store, "a", "2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_everything_that_the_limits_allow_happens() {
    let server = RedisServer::start(&RedisSettings::new()).unwrap();
    let store = open(&server.url()).await;
    let value = vec![0xFF_u8; (16 << 20) / 1_000 - 64];
    let commit = (0..1_000).fold(Commit::new(), |commit, i| {
        let name = key(&format!("k{i:03}"));
        commit.check(name.clone(), larder_core::Expectation::Absent).put(name, value.clone())
    });
    assert_eq!(store.commit(&commit).await.unwrap().len(), 1_000);
    assert_eq!(names(&store, 1_000).await.len(), 1_000);
    assert_eq!(store.commit(&commit).await.unwrap_err().context("key"), Some("k000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_follows_its_slot_through_a_cluster() {
    let mut cluster = RedisCluster::start(&RedisSettings::new()).unwrap();
    let store = open(&cluster.url()).await;
    put(&store, "a", "1").await;
    let nodes = cluster.nodes();
    let Value::Int(slot) = nodes[0].tell(cmd("CLUSTER").arg("KEYSLOT").arg("{larder}:a")).unwrap() else {
        panic!("a slot")
    };
    let id = |server: &RedisServer| match server.tell(cmd("CLUSTER").arg("MYID")).unwrap() {
        Value::BulkString(id) => String::from_utf8(id).unwrap(),
        other => panic!("{other:?}"),
    };
    let keys_of = |server: &RedisServer| {
        server.tell(cmd("CLUSTER").arg("COUNTKEYSINSLOT").arg(slot)).unwrap() != Value::Int(0)
    };
    let from = nodes.iter().position(keys_of).unwrap();
    let to = (from + 1) % nodes.len();
    let (source, target) = (id(&nodes[from]), id(&nodes[to]));
    nodes[to].tell(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("IMPORTING").arg(&source)).unwrap();
    nodes[from].tell(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("MIGRATING").arg(&target)).unwrap();
    // One key has moved, the index has not: commits can't be whole, single reads follow.
    let mut migrate = cmd("MIGRATE");
    migrate.arg("127.0.0.1").arg(nodes[to].port()).arg("").arg(0).arg(5_000).arg("KEYS");
    nodes[from].tell(migrate.clone().arg("{larder}:a")).unwrap();
    assert_eq!(get(&store, "a").await.unwrap().value, "1");
    assert_eq!(store.get_many(&[key("a")]).await.unwrap()[0].as_ref().unwrap().value, "1");
    let error = store.commit(&Commit::new().put(key("a"), "2")).await.unwrap_err();
    assert!(is_unavailable_and_nothing_was_written(&error), "{error}");
    // Everything has moved, and the nodes know it.
    nodes[from].tell(migrate.arg("{larder}/index")).unwrap();
    for node in [to, from] {
        nodes[node].tell(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(&target)).unwrap();
    }
    put(&store, "b", "2").await;
    assert_eq!(names(&store, 10).await, ["a", "b"]);
    assert!(keys_of(&nodes[to]) && !keys_of(&nodes[from]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_follows_a_failover_to_the_new_master() {
    let mut sentinel = RedisSentinel::start(&RedisSettings::new()).unwrap();
    let store = open(&sentinel.url()).await;
    put(&store, "a", "1").await;
    let before = sentinel.master_port().unwrap();
    // The replica has it before the master is lost.
    for server in sentinel.servers() {
        let port = server.port();
        server.process().wait_until("the write is everywhere", || count(port) == 2).unwrap();
    }
    let master = sentinel.servers().iter_mut().find(|server| server.port() == before).unwrap();
    master.process().kill();
    let error = store.commit(&Commit::new().put(key("b"), "1")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    sentinel.wait_for_another_master(before).unwrap();
    until_it_is_written(&store, "b").await;
    assert_eq!(until(async || store.get(&key("a")).await).await.unwrap().value, "1");
    assert_eq!(until(async || store.get_many(&[key("a"), key("b")]).await).await.len(), 2);
    // The old master comes back as a replica, and nobody is sent to it.
    let old = sentinel.servers().iter_mut().find(|server| server.port() == before).unwrap();
    old.restart().unwrap();
    until_it_is_written(&store, "c").await;
    assert_ne!(sentinel.master_port().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_leaves_a_master_that_became_a_replica() {
    let mut sentinel = RedisSentinel::start(&RedisSettings::new()).unwrap();
    let store = open(&sentinel.url()).await;
    put(&store, "a", "1").await;
    let before = sentinel.master_port().unwrap();
    sentinel.fail_over().unwrap();
    sentinel.wait_for_another_master(before).unwrap();
    until_it_is_written(&store, "b").await;
    assert_eq!(until(async || store.get(&key("a")).await).await.unwrap().value, "1");
}

/// Puts until that succeeds; everything until then must have been lost on the way to a server, or refused by one. Then
/// waits until nobody cuts connections any more: a Sentinel does, where a server changes its role.
async fn until_it_is_written(store: &RedisKv, name: &str) {
    let put = Commit::new().put(key(name), "1");
    until(async || store.commit(&put).await).await;
    until(async || store.scan(&Scan::new(KeyRange::all())).await).await;
}

/// Tries again while the server is not there.
async fn until<T>(mut attempt: impl AsyncFnMut() -> Result<T, Error>) -> T {
    let tried = async {
        loop {
            match attempt().await {
                Ok(answer) => return answer,
                Err(error) => {
                    assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout), "{error}")
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), tried).await.expect("the store does not find its server")
}

/// How many keys a server has.
fn count(port: u16) -> i64 {
    let ask = || {
        let mut connection = redis::Client::open(format!("redis://127.0.0.1:{port}/"))?.get_connection()?;
        cmd("DBSIZE").query(&mut connection)
    };
    ask().unwrap_or(-1)
}
