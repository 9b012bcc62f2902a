//! Networks that break between a host and its server, whatever the server is.
//!
//! Each of these runs a storm through proxies and holds it: the bytes at which a connection is cut are drawn from the
//! trial's seed.

use std::{sync::Arc, time::Duration};

use futures::future::select_all;
use larder_core::KvStore;
use larder_tests::{
    crash::Random,
    faults::{Figures, Trial},
    proxy::{Proxy, Slow, Way},
};
use tokio::time::{sleep, timeout};

use crate::storm::Storm;

/// Connections that are cut in a trial, one after the other.
const CUTS: u64 = 12;
/// Most bytes of requests that a connection still carries before it is cut: a few commits of the load, the large ones
/// included. Answers are small.
const REQUEST_BYTES_MAX: u64 = 40_000;
const REPLY_BYTES_MAX: u64 = 2_000;
/// Every other cut comes within so many bytes: in the middle of what is small, or right before it.
const CUT_BYTES_FEW: u64 = 120;
/// A cut that has not come by now never will: there is no load.
const HANGS: Duration = Duration::from_secs(60);
/// Of a wire that stalls.
const STALL: Duration = Duration::from_secs(2);
/// A wire on which the load still makes progress, as between two continents over a bad line.
const SLOW: Slow = Slow { latency: Duration::from_millis(40), bytes_per_second: 800_000 };
/// Connections of each host to each server, at most: pools and what they replace.
const CONNECTIONS_MAX: usize = 32;

/// The ways from hosts to the servers that keep one store.
pub(crate) type Wires<'a> = &'a [Proxy];

pub(crate) async fn cut_in_mid_request(trial: Trial, stores: &[Arc<dyn KvStore>], wires: Wires<'_>) {
    cut(trial, stores, wires, Way::Request).await;
}

pub(crate) async fn cut_in_mid_reply(trial: Trial, stores: &[Arc<dyn KvStore>], wires: Wires<'_>) {
    cut(trial, stores, wires, Way::Reply).await;
}

async fn cut(trial: Trial, stores: &[Arc<dyn KvStore>], wires: Wires<'_>, way: Way) {
    let mut random = Random::new(trial.seed(), way as u64, 0);
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(20).await;
    let most = if way == Way::Request { REQUEST_BYTES_MAX } else { REPLY_BYTES_MAX };
    for round in 0..CUTS {
        let bytes = random.below(if round % 2 == 0 { most } else { CUT_BYTES_FEW });
        // The store may be behind any one of them.
        let cuts = wires.iter().map(|wire| Box::pin(wire.cut_after(way, bytes).happened()));
        let happened = timeout(HANGS, select_all(cuts)).await;
        assert!(happened.is_ok(), "no connection carried {bytes} bytes");
        wires.iter().for_each(Proxy::heal);
        storm.recovers().await;
    }
    trial.held(end(storm, wires).await);
}

/// One of the hosts has given up by the time that its requests arrive, and they happen all the same.
pub(crate) async fn stall(trial: Trial, stores: &[Arc<dyn KvStore>], wires: Wires<'_>) {
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(20).await;
    for ways in [&[Way::Request][..], &[Way::Reply], &[Way::Request, Way::Reply]] {
        for wire in wires {
            ways.iter().for_each(|way| wire.stall(*way, STALL));
        }
        sleep(STALL).await;
        storm.recovers().await;
    }
    let figures = end(storm, wires).await;
    assert!(figures.unknown > 0, "nobody was in haste");
    trial.held(figures);
}

pub(crate) async fn slow(trial: Trial, stores: &[Arc<dyn KvStore>], wires: Wires<'_>) {
    let mut storm = Storm::start(stores, trial.seed());
    storm.progress(20).await;
    wires.iter().for_each(|wire| wire.slow(SLOW));
    storm.progress(20).await;
    wires.iter().for_each(Proxy::heal);
    storm.recovers().await;
    trial.held(end(storm, wires).await);
}

async fn end(storm: Storm, wires: Wires<'_>) -> Figures {
    let connections: usize = wires.iter().map(Proxy::open).sum();
    let most = storm.hosts() * wires.len() * CONNECTIONS_MAX;
    assert!(connections <= most, "{connections} connections are open, more than {most}");
    storm.holds().await
}
