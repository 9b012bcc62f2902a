//! The suite for key-value stores.
//!
//! [`run`] asks a [`Subject`] for an empty store per case, so that no case depends on another. The
//! cases are grouped by feature; groups and cases whose capabilities the store does not declare are
//! replaced by the assertion that it refuses them. The last group plays random histories on the
//! subject and on [`MemoryKv`](larder_core::MemoryKv), the model, side by side.
//!
//! Time is injected: a subject's stores live on a [`ManualClock`], and expiry is tested to the
//! millisecond without waiting.
//!
//! ```
//! use std::sync::Arc;
//! use larder_conformance::kv::{self, Options, Subject};
//! use larder_core::{BoxFuture, KvStore, ManualClock, MemoryKv, Result};
//!
//! struct Memory(Arc<ManualClock>);
//!
//! impl Subject for Memory {
//!     fn name(&self) -> String {
//!         "memory".into()
//!     }
//!     fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>> {
//!         Box::pin(async { Ok(Arc::new(MemoryKv::with_clock(self.0.clone())) as Arc<dyn KvStore>) })
//!     }
//!     fn clock(&self) -> Arc<ManualClock> {
//!         self.0.clone()
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let subject = Memory(Arc::default());
//! let report = kv::run(&subject, &Options { model_runs: 1, ..Options::default() }).await;
//! assert!(report.holds(), "{report}");
//! # });
//! ```

use std::sync::Arc;

use larder_core::{BoxFuture, Capabilities, KvStore, ManualClock, Result};

use crate::{CaseOutcome, CaseResult, Contract, Report};

mod case;
mod cases;
mod model;
#[cfg(test)]
mod mutants;
mod random;
mod stage;

use case::Failure;
pub use random::Random;
use stage::Stage;

/// A backend under test.
pub trait Subject: Send + Sync {
    /// The name in the report.
    fn name(&self) -> String;

    /// A store without entries, on the clock of [`clock`](Self::clock). Asked once per case; the
    /// store of the case before has been dropped by then.
    fn fresh(&self) -> BoxFuture<'_, Result<Arc<dyn KvStore>>>;

    /// The time of the stores that [`fresh`](Self::fresh) returns.
    fn clock(&self) -> Arc<ManualClock>;
}

/// How much a run does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of everything random; it stands in the report.
    pub seed: u64,
    /// Random histories that are compared with the model, each on a store of its own.
    pub model_runs: u32,
    /// Steps of each history.
    pub model_steps: u32,
    /// Tasks at once in the cases about concurrency.
    pub tasks: u32,
}

impl Default for Options {
    /// Thorough enough to catch every defect that the suite knows of; some seconds on a durable store.
    fn default() -> Self {
        Self { seed: 0x1a2d_e200_0000_0001, model_runs: 8, model_steps: 200, tasks: 8 }
    }
}

/// Runs every case that fits what the subject declares.
///
/// Runs on a tokio runtime: the cases about concurrency spawn tasks and join them. Dropping the
/// future ends the run; the tasks end with it.
pub async fn run(subject: &dyn Subject, options: &Options) -> Report {
    run_where(subject, options, |_| true).await
}

/// Runs the cases with these names.
async fn run_where(subject: &dyn Subject, options: &Options, wanted: impl Fn(&str) -> bool) -> Report {
    let mut report = Report {
        contract: Contract::Kv,
        subject: subject.name(),
        declared: Vec::new(),
        seed: options.seed,
        cases: Vec::new(),
    };
    let description = match subject.fresh().await {
        Ok(store) => store.describe(),
        Err(error) => {
            let outcome = CaseOutcome::Failed(error.chain());
            report.cases.push(CaseResult { name: "an empty store opens", feature: "open", outcome });
            return report;
        }
    };
    let capabilities = description.capabilities;
    report.declared = capabilities.iter_names().map(|(name, _)| name.to_ascii_lowercase()).collect();
    for group in cases::GROUPS {
        for case in group.cases.iter().filter(|case| wanted(case.name)) {
            if !capabilities.contains(group.needs | case.needs) || capabilities.intersects(case.lacks) {
                continue;
            }
            let verdict = match Stage::new(subject, options).await {
                Ok(stage) => (case.run)(&stage).await,
                Err(failure) => Err(failure),
            };
            let outcome = match verdict {
                Err(Failure(seen)) => CaseOutcome::Failed(seen),
                Ok(()) if case.lacks == Capabilities::empty() => CaseOutcome::Held,
                Ok(()) => CaseOutcome::RefusedAsItShould,
            };
            report.cases.push(CaseResult { name: case.name, feature: group.feature, outcome });
        }
    }
    if !wanted(model::NAME) {
        return report;
    }
    let outcome = match model::run(subject, options, description).await {
        Ok(()) => CaseOutcome::Held,
        Err(Failure(seen)) => CaseOutcome::Failed(seen),
    };
    report.cases.push(CaseResult { name: model::NAME, feature: model::FEATURE, outcome });
    report
}
