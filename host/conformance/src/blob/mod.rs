//! The suite for blob stores.
//!
//! A blob store is an OpenDAL operator, and what it declares is its [`Capability`]. [`run`] asks a [`Subject`] for
//! an empty one per case. A case whose capability is not declared is replaced by the assertion that asking for
//! it is refused as `unsupported` and changes nothing.
//!
//! Besides what OpenDAL promises, the cases hold larder's own promises: a put is atomic and visible only once it is
//! closed, a dropped writer leaves nothing, a condition lets exactly one through, listings ascend by the
//! bytes of the paths, and a reader never sees a mixture of two versions.
//!
//! ```
//! use larder_conformance::blob::{self, Options, Subject};
//! use larder_core::{BoxFuture, Result};
//! use opendal::{Operator, services::Memory};
//!
//! struct Mine;
//!
//! impl Subject for Mine {
//!     fn name(&self) -> String {
//!         "mine".into()
//!     }
//!     fn fresh(&self) -> BoxFuture<'_, Result<Operator>> {
//!         Box::pin(async { Ok(Operator::new(Memory::default()).expect("no settings")) })
//!     }
//! }
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let report = blob::run(&Mine, &Options { listed: 20, ..Options::default() }).await;
//! // OpenDAL's own memory service drops user metadata that it does not declare, instead of refusing it.
//! assert!(report.failed().all(|(case, _)| case.feature == "user-metadata"), "{report}");
//! # });
//! ```

use larder_core::{BoxFuture, Result};
use opendal::{Capability, Operator};

use crate::{CaseOutcome, CaseResult, Contract, Report};

mod atomic;
mod basic;
mod case;
mod conditions;
mod listing;
mod metadata;
#[cfg(test)]
mod mutants;

use case::{Case, Failure, Stage};

/// A blob store under test.
pub trait Subject: Send + Sync {
    /// The name in the report.
    fn name(&self) -> String;

    /// A store without blobs. Asked once per case.
    fn fresh(&self) -> BoxFuture<'_, Result<Operator>>;
}

/// How much a run does.
#[derive(Debug, Clone)]
pub struct Options {
    /// The seed of everything random; it stands in the report.
    pub seed: u64,
    /// Tasks at once in the cases about concurrency.
    pub tasks: u32,
    /// Overwrites in the case about readers of a blob that is replaced.
    pub overwrites: u32,
    /// Blobs in the case about long listings: more than fit a page of 1,000.
    pub listed: u32,
}

impl Default for Options {
    /// Thorough enough to catch every defect that the suite knows of; some seconds on a durable store.
    fn default() -> Self {
        Self { seed: 0x1a2d_e200_0000_0002, tasks: 8, overwrites: 20, listed: 1_100 }
    }
}

/// Runs every case that fits what the subject declares.
///
/// Runs on a tokio runtime: the cases about concurrency spawn tasks and join them.
pub async fn run(subject: &dyn Subject, options: &Options) -> Report {
    let mut report = Report {
        contract: Contract::Blob,
        subject: subject.name(),
        declared: Vec::new(),
        seed: options.seed,
        cases: Vec::new(),
    };
    let capability = match subject.fresh().await {
        Ok(operator) => operator.info().capability(),
        Err(error) => {
            let outcome = CaseOutcome::Failed(error.chain());
            report.cases.push(CaseResult { name: "an empty store opens", feature: "open", outcome });
            return report;
        }
    };
    let declared = DECLARED.iter().filter(|(_, has)| has(&capability));
    report.declared = declared.map(|(name, _)| (*name).to_owned()).collect();
    for cases in [basic::CASES, atomic::CASES, conditions::CASES, metadata::CASES, listing::CASES] {
        for case in cases {
            if (case.needs)(&capability) {
                let outcome = outcome(subject, options, case).await;
                report.cases.push(CaseResult { name: case.name, feature: case.feature, outcome });
            }
        }
    }
    report
}

async fn outcome(subject: &dyn Subject, options: &Options, case: &Case) -> CaseOutcome {
    let stage = match subject.fresh().await {
        Ok(operator) => Stage { operator, options: options.clone() },
        Err(error) => return CaseOutcome::Failed(format!("no empty store: {}", error.chain())),
    };
    match (case.run)(&stage).await {
        Err(Failure(seen)) => CaseOutcome::Failed(seen),
        Ok(()) if case.is_refusal => CaseOutcome::RefusedAsItShould,
        Ok(()) => CaseOutcome::Held,
    }
}

type Has = fn(&Capability) -> bool;

/// What a report says of the subject.
const DECLARED: [(&str, Has); 7] = [
    ("content-type", |c| c.write_with_content_type),
    ("user-metadata", |c| c.write_with_user_metadata),
    ("if-absent", |c| c.write_with_if_not_exists),
    ("if-match", |c| c.write_with_if_match),
    ("list", |c| c.list),
    ("list-recursive", |c| c.list_with_recursive),
    ("copy", |c| c.copy),
];
