//! S3 behind a network that breaks, and S3 that answers with errors.

use std::time::Duration;

use larder_tests::{
    crash::Random,
    faults::Trial,
    proxy::{Proxy, Slow, Way},
    servers::s3::{Fault, S3Server},
};
use tokio::time::{sleep, timeout};

use super::{
    BUCKET, open, open_with,
    storm::{PART_BYTES, Sizes, Storm},
};

/// Connections that are cut in a trial, one after the other.
const CUTS: u64 = 6;
/// A cut that has not come by now never will: there is no load.
const HANGS: Duration = Duration::from_secs(60);
/// Of a wire that stalls.
const STALL: Duration = Duration::from_secs(2);
/// A wire on which small blobs still get through.
const SLOW: Slow = Slow { latency: Duration::from_millis(60), bytes_per_second: 400_000 };
/// Connections of a host, at most: one for each request at once, and those that are about to be closed.
const CONNECTIONS_MAX: usize = 32;

async fn behind_a_wire() -> (S3Server, Proxy) {
    let server = S3Server::start().unwrap();
    server.make_bucket(BUCKET);
    let wire = Proxy::start(server.address()).await.unwrap();
    (server, wire)
}

async fn cut(trial: Trial, way: Way, bytes_max: u64) {
    let (_server, wire) = behind_a_wire().await;
    let mut random = Random::new(trial.seed(), way as u64, 1);
    let mut storm = Storm::start(&open(wire.port()).await, trial.seed(), Sizes::Mixed);
    storm.progress(3).await;
    for round in 0..CUTS {
        let bytes = random.below(if round % 2 == 0 { bytes_max } else { 1_000 });
        let happened = timeout(HANGS, wire.cut_after(way, bytes).happened()).await;
        assert!(happened.is_ok(), "no connection carried {bytes} bytes");
        storm.recovers().await;
    }
    assert!(wire.open() <= CONNECTIONS_MAX, "{} connections are open", wire.open());
    trial.held(storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_cut_in_mid_request() {
    cut(Trial::begin("cut in mid-request", "s3"), Way::Request, PART_BYTES as u64).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_cut_in_mid_reply() {
    cut(Trial::begin("cut in mid-reply", "s3"), Way::Reply, 60_000).await;
}

/// The host is in haste: a request that it gave up, and sent again, arrives after the second one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_stalls_for_two_seconds() {
    let (_server, wire) = behind_a_wire().await;
    let trial = Trial::begin("2 s of stall", "s3");
    let mut storm = Storm::start(&open_with(wire.port(), ", timeout: 1s").await, trial.seed(), Sizes::Mixed);
    for ways in [&[Way::Request][..], &[Way::Reply], &[Way::Request, Way::Reply]] {
        storm.progress(3).await;
        ways.iter().for_each(|way| wire.stall(*way, STALL));
        sleep(STALL).await;
        storm.recovers().await;
    }
    trial.held(storm.holds().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_network_is_slow() {
    let (_server, wire) = behind_a_wire().await;
    let trial = Trial::begin("slow network", "s3");
    let mut storm = Storm::start(&open(wire.port()).await, trial.seed(), Sizes::Small);
    storm.progress(3).await;
    wire.slow(SLOW);
    storm.progress(10).await;
    wire.heal();
    storm.recovers().await;
    trial.held(storm.holds().await);
}

/// The connection goes in the middle of a part of a large blob: the part is sent again, and nobody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_dropped_in_the_middle_of_a_part() {
    let (_server, wire) = behind_a_wire().await;
    let trial = Trial::begin("part dropped half-way", "s3");
    let mut random = Random::new(trial.seed(), 0, 2);
    let mut storm = Storm::start(&open(wire.port()).await, trial.seed(), Sizes::Large);
    for _ in 0..4 {
        let bytes = PART_BYTES as u64 / 4 + random.below(PART_BYTES as u64 / 2);
        let happened = timeout(HANGS, wire.cut_after(Way::Request, bytes).happened()).await;
        assert!(happened.is_ok(), "no connection carried {bytes} bytes");
        storm.progress(1).await;
    }
    storm.recovers().await;
    let told = storm.told();
    let figures = storm.holds().await;
    assert_eq!((figures.unknown, figures.refused), (0, 0), "{told}");
    trial.held(figures);
}

/// One request in a few is answered with an error that passes. It is asked again, and nobody is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_answers_with_errors_of_its_own() {
    let (server, wire) = behind_a_wire().await;
    let trial = Trial::begin("500, 503, SlowDown", "s3");
    let mut storm = Storm::start(&open(wire.port()).await, trial.seed(), Sizes::Mixed);
    let answers = [
        Fault::Answer(500, "InternalError", None),
        Fault::Answer(503, "ServiceUnavailable", None),
        Fault::Answer(503, "SlowDown", Some(1)),
    ];
    // Of every kind of request that the load makes: of blobs in one piece and in parts, and reads.
    for (method, part) in [
        ("PUT", "/faults/"),
        ("PUT", "partNumber="),
        ("POST", "uploads"),
        ("POST", "uploadId="),
        ("GET", "/faults/"),
    ] {
        for answer in &answers {
            server.script().fail(method, part, answer.clone());
            let happened = timeout(HANGS, async {
                while !server.script().is_done() {
                    sleep(Duration::from_millis(5)).await;
                }
            });
            assert!(happened.await.is_ok(), "no {method} {part} was made");
        }
        storm.progress(2).await;
    }
    storm.recovers().await;
    let told = storm.told();
    let figures = storm.holds().await;
    assert_eq!((figures.unknown, figures.refused), (0, 0), "{told}");
    trial.held(figures);
}
