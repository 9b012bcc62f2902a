//! Servers that are killed under load and started again on the same port and the same log.

use larder_tests::{
    faults::Trial,
    servers::redis::{RedisCluster, RedisSentinel, RedisServer, RedisSettings},
};
use redis::cmd;
use tokio::task::block_in_place;

use super::{durable, tell};
use crate::{hosts, storm::Storm};

/// Kills in a trial.
const KILLS: usize = 5;

/// Kills it under load, and waits until it answers again.
async fn kill(storm: &mut Storm, server: &mut RedisServer) {
    storm.progress(30).await;
    server.process().kill();
    block_in_place(|| server.restart()).unwrap();
    storm.recovers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_started_again() {
    let mut server = RedisServer::start(&durable()).unwrap();
    let trial = Trial::begin("killed and restarted", "redis");
    let mut storm = Storm::start(&hosts::open(&server.url()).await, trial.seed());
    for _ in 0..KILLS {
        kill(&mut storm, &mut server).await;
    }
    trial.held(storm.holds().await);
}

/// One after the other, so the one that keeps the store is among them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_node_of_a_cluster_is_killed_and_started_again() {
    let mut cluster = RedisCluster::start(&durable()).unwrap();
    let trial = Trial::begin("killed and restarted", "cluster");
    let mut storm = Storm::start(&hosts::open(&cluster.url()).await, trial.seed());
    for node in cluster.nodes() {
        kill(&mut storm, node).await;
    }
    trial.held(storm.holds().await);
}

/// The master is back before its Sentinel calls it down.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_of_a_sentinel_is_killed_and_started_again() {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let late =
        cmd("SENTINEL").arg("SET").arg("mymaster").arg("down-after-milliseconds").arg(60_000).to_owned();
    tell(sentinel.sentinel(), &late);
    let trial = Trial::begin("killed and restarted", "sentinel");
    let mut storm = Storm::start(&hosts::open(&sentinel.url()).await, trial.seed());
    for _ in 0..KILLS {
        kill(&mut storm, &mut sentinel.servers()[0]).await;
    }
    trial.held(storm.holds().await);
}

/// That the load would see it: the same on a server that keeps nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[should_panic(expected = "ended")]
async fn a_server_that_forgets_what_it_acknowledged_is_found_out() {
    let mut server = RedisServer::start(&RedisSettings::new()).unwrap();
    let mut storm = Storm::start(&hosts::open(&server.url()).await, 1);
    kill(&mut storm, &mut server).await;
}
