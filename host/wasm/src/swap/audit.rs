//! What swaps did, step by step: a line each in the log, under the target `larder::audit`, and the last records in memory.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, PoisonError},
};

use larder_core::{Clock, Error, Result, Timestamp};

use crate::convert::printable;

/// How many records are kept: some twenty swaps, each of them a dozen steps.
const RECORDS_MAX: usize = 256;

/// Longest outcome that is kept, in bytes: errors quote what a plugin says.
const OUTCOME_BYTES_MAX: usize = 1 << 10;

/// A step of a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SwapStep {
    /// The component is read, and its digest compared.
    Read,
    /// It is compiled, checked and linked.
    Compile,
    /// Its self-test.
    Canary,
    /// Its first instance is configured and healthy.
    Start,
    /// More instances are made, as many as the old generation has.
    Prewarm,
    /// Reads are compared.
    Shadow,
    /// The old generation is paused, and saves what it hands over.
    Handoff,
    /// The new generation serves.
    Switch,
    /// The calls of the old one end.
    Drain,
    /// The new generation passed its probation, or failed it.
    Probation,
    /// The old generation serves again.
    Return,
}

impl SwapStep {
    /// The step's name, as the log has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Compile => "compile",
            Self::Canary => "canary",
            Self::Start => "start",
            Self::Prewarm => "prewarm",
            Self::Shadow => "shadow",
            Self::Handoff => "handoff",
            Self::Switch => "switch",
            Self::Drain => "drain",
            Self::Probation => "probation",
            Self::Return => "return",
        }
    }
}

impl fmt::Display for SwapStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuditRecord {
    /// When it ended.
    pub at: Timestamp,
    /// The plugin.
    pub plugin: String,
    /// The step.
    pub step: SwapStep,
    /// The digest that served when the swap began.
    pub from: String,
    /// The digest of the new component, where it is known.
    pub to: Option<String>,
    /// Whether the step failed.
    pub is_failure: bool,
    /// What came of it: `done` with a remark, or the error.
    pub outcome: String,
    /// Who asked for the swap.
    pub by: String,
}

/// The last records of all plugins of a host.
#[derive(Debug, Default)]
pub struct Audit(Mutex<VecDeque<AuditRecord>>);

impl Audit {
    /// Nothing happened yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The records that are kept, the oldest first.
    pub fn records(&self) -> Vec<AuditRecord> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, record: AuditRecord) {
        let AuditRecord { at: _, plugin, step, from, to, is_failure, outcome, by } = &record;
        let to = to.as_deref().unwrap_or("unknown");
        if *is_failure {
            tracing::warn!(target: "larder::audit", plugin, step = step.as_str(), from, to, outcome, by, "swap");
        } else {
            tracing::info!(target: "larder::audit", plugin, step = step.as_str(), from, to, outcome, by, "swap");
        }
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(record);
    }
}

/// One swap's way into the audit.
#[derive(Clone)]
pub(super) struct Trail {
    pub(super) audit: std::sync::Arc<Audit>,
    pub(super) clock: std::sync::Arc<dyn Clock>,
    pub(super) plugin: String,
    pub(super) from: String,
    pub(super) to: Option<String>,
    pub(super) by: String,
}

impl Trail {
    /// A step that went as it should.
    pub(super) fn done(&self, step: SwapStep, remark: impl fmt::Display) {
        let remark = remark.to_string();
        self.keep(step, if remark.is_empty() { "done".to_owned() } else { format!("done: {remark}") }, false);
    }

    /// A step that did not.
    pub(super) fn failed(&self, step: SwapStep, why: impl fmt::Display) {
        self.keep(step, format!("failed: {why}"), true);
    }

    /// Writes down how a step ended.
    pub(super) fn note<T>(&self, step: SwapStep, ended: Result<T>) -> Result<T> {
        match &ended {
            Ok(_) => self.done(step, ""),
            Err(error) => self.failed(step, Chain(error)),
        }
        ended
    }

    fn keep(&self, step: SwapStep, outcome: String, is_failure: bool) {
        self.audit.keep(AuditRecord {
            at: self.clock.now(),
            plugin: self.plugin.clone(),
            step,
            from: self.from.clone(),
            to: self.to.clone(),
            is_failure,
            outcome: printable(&outcome, OUTCOME_BYTES_MAX),
            by: self.by.clone(),
        });
    }
}

struct Chain<'e>(&'e Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.chain())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use larder_core::ManualClock;

    use super::*;

    fn trail(audit: &Arc<Audit>) -> Trail {
        Trail {
            audit: Arc::clone(audit),
            clock: Arc::new(ManualClock::default()),
            plugin: "p".into(),
            from: "a".into(),
            to: None,
            by: "test".into(),
        }
    }

    #[test]
    fn the_last_records_are_kept_and_no_more() {
        let audit = Arc::new(Audit::new());
        let trail = trail(&audit);
        for number in 0..RECORDS_MAX + 3 {
            trail.done(SwapStep::Read, number);
        }
        let records = audit.records();
        assert_eq!(records.len(), RECORDS_MAX);
        assert_eq!(records[0].outcome, "done: 3");
    }

    #[test]
    fn an_outcome_forges_no_second_line_and_has_an_end() {
        let audit = Arc::new(Audit::new());
        trail(&audit).failed(SwapStep::Canary, format!("one\ntwo {}", "x".repeat(1 << 20)));
        let record = audit.records().remove(0);
        assert!(record.is_failure && !record.outcome.contains('\n'));
        assert!(record.outcome.len() <= OUTCOME_BYTES_MAX);
    }
}
