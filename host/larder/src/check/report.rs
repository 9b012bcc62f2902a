//! What a check found: the conformance report, then sections of cases and of figures.

use std::fmt;

use larder_conformance::{CaseOutcome, CaseResult, Report};
use serde::Serialize;

/// Everything that a check found. `Display` prints a part per section; as JSON the conformance report comes first, and
/// the sections follow it in `sections`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The conformance suite's.
    #[serde(flatten)]
    pub conformance: Report,
    /// Hostile inputs, limits, leak.
    pub sections: Vec<Section>,
}

/// Cases about one thing, and what was measured on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Section {
    /// What it is about.
    pub name: &'static str,
    /// The cases in the order in which they ran.
    pub cases: Vec<CaseResult>,
    /// Figures that nothing is demanded of.
    pub measured: Vec<Measured>,
}

/// A figure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Of what.
    pub name: &'static str,
    /// How much.
    pub value: u64,
    /// Of which unit.
    pub unit: &'static str,
}

/// Whether a case holds, or what was seen instead.
pub(super) type Found = Result<(), String>;

impl CheckReport {
    /// Whether no case of any section failed.
    pub fn holds(&self) -> bool {
        self.cases().all(|case| !matches!(case.outcome, CaseOutcome::Failed(_)))
    }

    /// Every case, those of the conformance suite first.
    pub fn cases(&self) -> impl Iterator<Item = &CaseResult> {
        self.conformance.cases.iter().chain(self.sections.iter().flat_map(|section| &section.cases))
    }

    /// How many cases there are, and how many of them failed.
    pub fn tally(&self) -> (usize, usize) {
        let failed = self.cases().filter(|case| matches!(case.outcome, CaseOutcome::Failed(_))).count();
        (self.cases().count(), failed)
    }
}

impl Section {
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, cases: Vec::new(), measured: Vec::new() }
    }

    pub(super) fn add(&mut self, sentence: &'static str, found: Found) {
        self.cases.push(case(self.name, sentence, found));
    }

    pub(super) fn measure(&mut self, name: &'static str, value: usize, unit: &'static str) {
        self.measured.push(Measured { name, value: value as u64, unit });
    }
}

/// A case of a section.
pub(super) fn case(section: &'static str, sentence: &'static str, found: Found) -> CaseResult {
    let outcome = found.map_or_else(CaseOutcome::Failed, |()| CaseOutcome::Held);
    CaseResult { name: sentence, feature: section, outcome }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.conformance)?;
        self.sections.iter().try_for_each(|section| write!(f, "{section}"))
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.name)?;
        for case in &self.cases {
            match &case.outcome {
                CaseOutcome::Failed(seen) => {
                    writeln!(f, "  FAILED {}", case.name)?;
                    for line in seen.lines() {
                        writeln!(f, "         {line}")?;
                    }
                }
                CaseOutcome::Held => writeln!(f, "  ok     {}", case.name)?,
                CaseOutcome::RefusedAsItShould => writeln!(f, "  refused {}", case.name)?,
            }
        }
        for Measured { name, value, unit } in &self.measured {
            writeln!(f, "  {name}: {value} {unit}")?;
        }
        Ok(())
    }
}
