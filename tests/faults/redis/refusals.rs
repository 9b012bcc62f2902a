//! Servers that answer, and refuse: full, read-only, loading. Nothing was written, and the caller is told so.

use std::sync::Arc;

use larder_core::KvStore;
use larder_tests::{
    faults::{Figures, Trial},
    servers::redis::{RedisCluster, RedisSentinel, RedisServer, RedisSettings},
};
use redis::{Value, cmd};
use tokio::task::block_in_place;

use super::{durable, set, tell};
use crate::{hosts, storm::Storm};

const FULL: &str = "Redis has no memory left for writes";
const READ_ONLY: &str = "this server is a read-only replica";
/// What a host finds that asks the Sentinel again.
const DEMOTED: &str = "the master that the Sentinel names is a replica now";
const LOADING: &str = "Redis is loading its data";
/// What a node of a cluster says before anything else, while it loads and for two seconds after.
const CLUSTER_DOWN: &str = "the cluster is down";

/// Keys that a server has to load besides those of the load.
const FILLERS: usize = 4_000;

/// Nobody was left in doubt: a server that refuses has done nothing.
fn held(trial: Trial, figures: Figures) {
    assert_eq!(figures.unknown, 0, "a refusal has no effect");
    assert!(figures.refused > 0);
    trial.held(figures);
}

async fn full(trial: Trial, stores: &[Arc<dyn KvStore>], servers: &mut [RedisServer]) {
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(30).await;
    servers.iter().for_each(|server| set(server, "maxmemory", 1));
    storm.is_told(FULL).await;
    servers.iter().for_each(|server| set(server, "maxmemory", 0));
    storm.recovers().await;
    held(trial, storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_has_no_memory_left() {
    let mut server = RedisServer::start(&durable()).unwrap();
    let trial = Trial::begin("out of memory", "redis");
    full(trial, &hosts::open(&server.url()).await, std::slice::from_mut(&mut server)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_have_no_memory_left() {
    let mut cluster = RedisCluster::start(&durable()).unwrap();
    let trial = Trial::begin("out of memory", "cluster");
    full(trial, &hosts::open(&cluster.url()).await, cluster.nodes()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_sentinel_has_no_memory_left() {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let trial = Trial::begin("out of memory", "sentinel");
    full(trial, &hosts::open(&sentinel.url()).await, &mut sentinel.servers()[..1]).await;
}

/// The server is made a replica of one that is not there, and keeps its data; then a master again.
async fn read_only(trial: Trial, stores: &[Arc<dyn KvStore>], server: &RedisServer, message: &str) {
    let nowhere = larder_tests::servers::free_port().unwrap();
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(30).await;
    tell(server, cmd("REPLICAOF").arg("127.0.0.1").arg(nowhere));
    storm.is_told(message).await;
    tell(server, cmd("REPLICAOF").arg("NO").arg("ONE"));
    storm.recovers().await;
    held(trial, storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_becomes_a_read_only_replica_and_a_master_again() {
    let server = RedisServer::start(&durable()).unwrap();
    let trial = Trial::begin("read-only replica", "redis");
    read_only(trial, &hosts::open(&server.url()).await, &server, READ_ONLY).await;
}

/// The Sentinel would make it a master again by itself, in its own time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_sentinel_becomes_a_read_only_replica_and_a_master_again() {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let trial = Trial::begin("read-only replica", "sentinel");
    let stores = hosts::open(&sentinel.url()).await;
    read_only(trial, &stores, &sentinel.servers()[0], DEMOTED).await;
}

/// A server that waits a millisecond for each key that it loads, and answers after every few that it is loading: so it
/// is loading for seconds, as it is with a large log, and longer than a host tries by itself.
fn slow_to_load() -> RedisSettings {
    durable().line("key-load-delay 1000").line("loading-process-events-interval-bytes 1024")
}

/// Gives a server something to load, in the log's own snapshot.
fn fill(server: &mut RedisServer) {
    // A node of a cluster takes only what is in its slots.
    let taken = (0..100).any(|tag| {
        let pairs = (0..FILLERS).map(|i| (format!("filler{{{tag}}}{i}"), "filler".repeat(10)));
        server.tell(cmd("MSET").arg(pairs.collect::<Vec<_>>())).is_ok()
    });
    assert!(taken, "the server took no fillers");
    tell(server, &cmd("BGREWRITEAOF"));
    let port = server.port();
    let is_done = || {
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let info =
            client.get_connection().and_then(|mut c| cmd("INFO").arg("persistence").query::<String>(&mut c));
        info.is_ok_and(|info| {
            ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"].iter().all(|line| info.contains(line))
        })
    };
    server.process().wait_until("the log is written anew", is_done).unwrap();
}

/// The server that keeps the store, and is started again, says for a while that it is loading.
async fn loading(trial: Trial, stores: &[Arc<dyn KvStore>], servers: &mut [RedisServer], message: &str) {
    servers.iter_mut().for_each(fill);
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(30).await;
    let keys = |server: &RedisServer| match tell(server, &cmd("DBSIZE")) {
        Value::Int(keys) => keys,
        other => panic!("DBSIZE answered {other:?}"),
    };
    let keeper = servers.iter_mut().max_by_key(|server| keys(server)).unwrap();
    block_in_place(|| keeper.restart()).unwrap();
    storm.recovers().await;
    storm.is_told(message).await;
    trial.held(storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_loads_its_log() {
    let mut server = RedisServer::start(&slow_to_load()).unwrap();
    let trial = Trial::begin("loading", "redis");
    let stores = hosts::open(&server.url()).await;
    loading(trial, &stores, std::slice::from_mut(&mut server), LOADING).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_nodes_of_a_cluster_load_their_logs() {
    let mut cluster = RedisCluster::start(&slow_to_load()).unwrap();
    let trial = Trial::begin("loading", "cluster");
    loading(trial, &hosts::open(&cluster.url()).await, cluster.nodes(), CLUSTER_DOWN).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_sentinel_loads_its_log() {
    let mut sentinel = RedisSentinel::start(&slow_to_load()).unwrap();
    let late =
        cmd("SENTINEL").arg("SET").arg("mymaster").arg("down-after-milliseconds").arg(60_000).to_owned();
    tell(sentinel.sentinel(), &late);
    let trial = Trial::begin("loading", "sentinel");
    let stores = hosts::open(&sentinel.url()).await;
    loading(trial, &stores, &mut sentinel.servers()[..1], LOADING).await;
}
