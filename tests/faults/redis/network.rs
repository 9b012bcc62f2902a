//! Redis behind a network that breaks.

use std::net::{Ipv4Addr, SocketAddr};

use larder_tests::{
    faults::Trial,
    proxy::Proxy,
    servers::redis::{RedisCluster, RedisSentinel, RedisServer},
};
use redis::cmd;

use super::{durable, set, tell};
use crate::{hosts, network};

/// What every topology is put through.
macro_rules! trials {
    ($topology:ident, $backend:literal) => {
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_connection_is_cut_in_mid_request() {
            let (_servers, url, wires) = super::$topology().await;
            let trial = Trial::begin("cut in mid-request", $backend);
            network::cut_in_mid_request(trial, &hosts::open(&url).await, &wires).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn a_connection_is_cut_in_mid_reply() {
            let (_servers, url, wires) = super::$topology().await;
            let trial = Trial::begin("cut in mid-reply", $backend);
            network::cut_in_mid_reply(trial, &hosts::open(&url).await, &wires).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_network_stalls_for_two_seconds() {
            let (_servers, url, wires) = super::$topology().await;
            let trial = Trial::begin("2 s of stall", $backend);
            network::stall(trial, &hosts::open_with_one_in_haste(&url).await, &wires).await;
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn the_network_is_slow() {
            let (_servers, url, wires) = super::$topology().await;
            let trial = Trial::begin("slow network", $backend);
            network::slow(trial, &hosts::open(&url).await, &wires).await;
        }
    };
}

mod standalone {
    use super::*;
    trials!(one, "redis");
}

mod cluster {
    use super::*;
    trials!(three, "cluster");
}

mod sentinel {
    use super::*;
    trials!(master, "sentinel");
}

fn loopback(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

async fn one() -> (RedisServer, String, Vec<Proxy>) {
    let server = RedisServer::start(&durable()).unwrap();
    let wire = Proxy::start(loopback(server.port())).await.unwrap();
    (server, format!("redis://127.0.0.1:{}/0", wire.port()), vec![wire])
}

/// A cluster whose nodes tell everybody to come through a proxy.
async fn three() -> (RedisCluster, String, Vec<Proxy>) {
    let mut cluster = RedisCluster::start(&durable()).unwrap();
    let mut wires = Vec::new();
    for node in cluster.nodes() {
        let wire = Proxy::start(loopback(node.port())).await.unwrap();
        set(node, "cluster-announce-port", wire.port());
        wires.push(wire);
    }
    let ports: Vec<String> = wires.iter().map(|wire| wire.port().to_string()).collect();
    for node in cluster.nodes() {
        let port = node.port();
        node.process()
            .wait_until("every node is announced by its proxy", || {
                let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
                let slots = client
                    .get_connection()
                    .and_then(|mut c| cmd("CLUSTER").arg("NODES").query::<String>(&mut c));
                slots
                    .is_ok_and(|nodes| ports.iter().all(|port| nodes.contains(&format!("127.0.0.1:{port}@"))))
            })
            .unwrap();
    }
    let hosts: Vec<String> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let url = format!("redis+cluster://{}", hosts.join(","));
    (cluster, url, wires)
}

/// A master that its Sentinel knows by a proxy's port, and calls down late: what breaks here is to be mended, not
/// replaced.
async fn master() -> (RedisSentinel, String, Vec<Proxy>) {
    let mut sentinel = RedisSentinel::start(&durable()).unwrap();
    let wire = Proxy::start(loopback(sentinel.master_port().unwrap())).await.unwrap();
    sentinel.servers()[1].process().kill();
    let url = sentinel.url();
    let server = sentinel.sentinel();
    tell(server, cmd("SENTINEL").arg("REMOVE").arg("mymaster"));
    tell(server, cmd("SENTINEL").arg("MONITOR").arg("mymaster").arg("127.0.0.1").arg(wire.port()).arg(1));
    tell(server, cmd("SENTINEL").arg("SET").arg("mymaster").arg("down-after-milliseconds").arg(60_000));
    (sentinel, url, vec![wire])
}
