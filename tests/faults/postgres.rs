//! PostgreSQL: killed, restarted, cut off, slowed down, and in a deadlock with somebody else.

use std::net::Ipv4Addr;

use larder_tests::{
    faults::Trial,
    proxy::Proxy,
    servers::postgres::{Postgres, url},
};
use sqlx::{Connection as _, PgConnection, query, query_scalar};
use tokio::task::block_in_place;

use crate::{hosts, network, storm::Storm};

/// Times that a server is killed, and that it is restarted as an administrator does.
const ROUNDS: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_killed_and_restarted() {
    let mut server = Postgres::start().unwrap();
    let trial = Trial::begin("killed and restarted", "postgres");
    let mut storm = Storm::start(&hosts::open(&server.url()).await, trial.seed());
    for _ in 0..ROUNDS {
        storm.progress(30).await;
        server.kill();
        block_in_place(|| server.restart()).unwrap();
        storm.recovers().await;
        storm.progress(30).await;
        block_in_place(|| server.stop().and_then(|()| server.restart())).unwrap();
        storm.recovers().await;
    }
    trial.held(storm.holds().await);
}

async fn behind_a_wire() -> (Postgres, String, [Proxy; 1]) {
    let server = Postgres::start().unwrap();
    let wire = Proxy::start((Ipv4Addr::LOCALHOST, server.port()).into()).await.unwrap();
    (server, url(wire.port()), [wire])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_cut_in_mid_request() {
    let (_server, url, wires) = behind_a_wire().await;
    let trial = Trial::begin("cut in mid-request", "postgres");
    network::cut_in_mid_request(trial, &hosts::open(&url).await, &wires).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_cut_in_mid_reply() {
    let (_server, url, wires) = behind_a_wire().await;
    let trial = Trial::begin("cut in mid-reply", "postgres");
    network::cut_in_mid_reply(trial, &hosts::open(&url).await, &wires).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_stalls_for_two_seconds() {
    let (_server, url, wires) = behind_a_wire().await;
    let trial = Trial::begin("2 s of stall", "postgres");
    network::stall(trial, &hosts::open_with_one_in_haste(&url).await, &wires).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_slow() {
    let (_server, url, wires) = behind_a_wire().await;
    let trial = Trial::begin("slow network", "postgres");
    network::slow(trial, &hosts::open(&url).await, &wires).await;
}

/// Stores take their keys in one order, so they are in no deadlock with each other. Somebody else who works on the
/// table takes them the other way round, and has more patience than the server: the store's transaction is given up,
/// and tried again, and nobody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_else_takes_the_keys_the_other_way_round() {
    const DEADLOCKS: i64 = 3;

    let server = Postgres::start_with(&["deadlock_timeout=100ms"]).unwrap();
    let trial = Trial::begin("deadlock", "postgres");
    let mut storm = Storm::start(&hosts::open(&server.url()).await, trial.seed());
    storm.progress(30).await;
    let mut other = PgConnection::connect(&server.url()).await.unwrap();
    let mut observer = PgConnection::connect(&server.url()).await.unwrap();
    query("SET deadlock_timeout = '60s'").execute(&mut other).await.unwrap();
    let lock = "SELECT 1 FROM larder WHERE key = convert_to($1, 'UTF8') FOR UPDATE";
    let mut deadlocks = 0;
    while deadlocks < DEADLOCKS {
        let mut transaction = other.begin().await.unwrap();
        query(lock).bind("total").execute(&mut *transaction).await.unwrap();
        // Every lane's commit counts in the total, and takes its own keys before that one.
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        while query_scalar::<_, i64>(waiting).fetch_one(&mut observer).await.unwrap() < Storm::LANES as i64 {
            tokio::task::yield_now().await;
        }
        query(lock).bind("0/count").execute(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        storm.progress(20).await;
        let count = "SELECT sum(deadlocks)::bigint FROM pg_stat_database";
        deadlocks = query_scalar::<_, i64>(count).fetch_one(&mut observer).await.unwrap();
    }
    storm.recovers().await;
    let figures = storm.holds().await;
    assert_eq!((figures.unknown, figures.refused), (0, 0), "a deadlock is the store's own business");
    trial.held(figures);
}
