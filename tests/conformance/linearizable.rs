//! One more sentence of the contract, over every key-value backend: whatever concurrent clients are told by
//! compare-and-set, counters, deletes and reads is what one after the other could have been told.

use larder_conformance::{CaseOutcome, CaseResult, kv};
use larder_tests::linearizability::{Clients, Load};

/// Loads of each subject, each on a store of its own.
const ROUNDS: u64 = 3;

/// Runs the loads of a seed and judges what their clients were told.
pub(crate) async fn case(subject: &dyn kv::Subject, seed: u64) -> CaseResult {
    let outcome = match hold(subject, seed).await {
        Ok(()) => CaseOutcome::Held,
        Err(seen) => CaseOutcome::Failed(seen),
    };
    CaseResult {
        name: "there is an order that explains what concurrent clients are told",
        feature: "linearizable",
        outcome,
    }
}

async fn hold(subject: &dyn kv::Subject, seed: u64) -> Result<(), String> {
    for round in 0..ROUNDS {
        let store = subject.fresh().await.map_err(|error| error.chain())?;
        let load = Load { seed: seed.wrapping_add(round), ..Load::default() };
        let history = Clients::start(&[store], load).finish().await;
        let seed = load.seed;
        if let Some(failure) = history.failures.first() {
            return Err(format!("seed {seed}: {:?} failed: {}", failure.call, failure.error.chain()));
        }
        history.check().map_err(|violation| format!("seed {seed}: {violation}"))?;
    }
    Ok(())
}
