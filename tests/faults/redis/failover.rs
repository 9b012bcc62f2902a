//! A Sentinel makes the replica the master: because the master was killed, and because it was told to.

use larder_tests::{
    faults::Trial,
    servers::{
        listens,
        redis::{RedisSentinel, RedisServer},
    },
};
use redis::cmd;
use tokio::task::block_in_place;

use super::{durable, info, tell};
use crate::{hosts, storm::Storm};

/// Longer than a failover takes: nothing is written meanwhile.
const HELD_BACK_MS: u32 = 60_000;

/// Holds all writes back, and waits until the replica has what was acknowledged: it is acknowledged before it is
/// replicated, and a failover keeps what is replicated.
fn hold_back(master: &RedisServer, replica: &mut RedisServer) {
    tell(master, cmd("CLIENT").arg("PAUSE").arg(HELD_BACK_MS).arg("WRITE"));
    let sent = info(master, "master_repl_offset");
    let port = replica.port();
    replica
        .process()
        .wait_until("the replica has everything", || {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
            let text = client
                .get_connection()
                .and_then(|mut c| cmd("INFO").arg("replication").query::<String>(&mut c));
            text.is_ok_and(|text| text.contains(&format!("slave_repl_offset:{sent}\r\n")))
        })
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_is_killed_and_the_replica_takes_its_place() {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let trial = Trial::begin("failover", "sentinel");
    let mut storm = Storm::start(&hosts::open(&sentinel.url()).await, trial.seed());
    storm.progress(30).await;
    let old = sentinel.master_port().unwrap();
    let [master, replica] = sentinel.servers() else { panic!("a master and a replica") };
    block_in_place(|| hold_back(master, replica));
    master.process().kill();
    block_in_place(|| sentinel.wait_for_another_master(old)).unwrap();
    assert!(!listens(old));
    storm.recovers().await;
    // The old one comes back as the replica that it now is, and the Sentinel can hand over to it again.
    block_in_place(|| sentinel.servers()[0].restart()).unwrap();
    storm.progress(30).await;
    trial.held(storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_hands_over_to_the_replica_and_back() {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let trial = Trial::begin("handover", "sentinel");
    let mut storm = Storm::start(&hosts::open(&sentinel.url()).await, trial.seed());
    storm.progress(30).await;
    let old = sentinel.master_port().unwrap();
    let [master, replica] = sentinel.servers() else { panic!("a master and a replica") };
    block_in_place(|| hold_back(master, replica));
    sentinel.fail_over().unwrap();
    block_in_place(|| sentinel.wait_for_another_master(old)).unwrap();
    // What the Sentinel tells the old one some ten seconds later. Until then it would take what was held back, and lose
    // it.
    let new = sentinel.master_port().unwrap();
    let old = &sentinel.servers()[0];
    tell(old, cmd("REPLICAOF").arg("127.0.0.1").arg(new));
    tell(old, cmd("CLIENT").arg("UNPAUSE"));
    storm.recovers().await;
    trial.held(storm.holds().await);
}
