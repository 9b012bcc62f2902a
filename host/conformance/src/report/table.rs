//! Subjects by features: the reports of many processes as one table and one JSON file.

use std::{collections::BTreeMap, fmt, fs, io, path::Path};

use serde::{Deserialize, Serialize};

use super::CaseOutcome;

pub(super) const HELD: &str = "held";
pub(super) const FAILED: &str = "failed";
pub(super) const REFUSED: &str = "refused";

/// Every report of a folder. `Display` prints one table per contract, a row per subject and a
/// column per feature, and below them what failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    subjects: Vec<Row>,
}

/// A report as it was read back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    contract: String,
    subject: String,
    declared: Vec<String>,
    seed: u64,
    #[serde(default, skip_deserializing)]
    features: BTreeMap<String, Tally>,
    cases: Vec<Case>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Case {
    name: String,
    feature: String,
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<String>,
}

/// How the cases of one feature ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    held: usize,
    failed: usize,
    refused: usize,
}

impl Tally {
    fn count(&mut self, outcome: &str) {
        match outcome {
            HELD => self.held += 1,
            REFUSED => self.refused += 1,
            _ => self.failed += 1,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { held, failed, refused } = self;
        let text = match (held, failed, refused) {
            (0, 0, _) => "refused".to_owned(),
            (held, 0, _) => format!("ok {held}"),
            (held, failed, _) => format!("FAILED {failed} of {}", held + failed + refused),
        };
        f.pad(&text)
    }
}

/// Features in the order of their first case.
pub(super) fn tallies<'a>(cases: impl Iterator<Item = (&'a str, &'a CaseOutcome)>) -> Vec<(&'a str, Tally)> {
    let mut tallies: Vec<(&str, Tally)> = Vec::new();
    for (feature, outcome) in cases {
        let outcome = match outcome {
            CaseOutcome::Held => HELD,
            CaseOutcome::Failed(_) => FAILED,
            CaseOutcome::RefusedAsItShould => REFUSED,
        };
        match tallies.iter_mut().find(|(name, _)| *name == feature) {
            Some((_, tally)) => tally.count(outcome),
            None => {
                let mut tally = Tally::default();
                tally.count(outcome);
                tallies.push((feature, tally));
            }
        }
    }
    tallies
}

/// Reads every report in `folder`, writes all of them as one file beside it (`target/conformance`
/// becomes `target/conformance.json`) and answers them as a table.
///
/// # Errors
/// What the file system says, and a file in the folder that is no report.
pub fn merge(folder: impl AsRef<Path>) -> io::Result<Merged> {
    let folder = folder.as_ref();
    let mut subjects = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let mut row: Row = serde_json::from_slice(&fs::read(&path)?).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{} is no report: {error}", path.display()))
        })?;
        for case in &row.cases {
            row.features.entry(case.feature.clone()).or_default().count(&case.outcome);
        }
        subjects.push(row);
    }
    // By contract, key-value first, then by name: the same table in each run.
    subjects.sort_by(|a, b| b.contract.cmp(&a.contract).then_with(|| a.subject.cmp(&b.subject)));
    let merged = Merged { subjects };
    fs::write(folder.with_extension("json"), serde_json::to_vec_pretty(&merged)?)?;
    Ok(merged)
}

impl Merged {
    /// Whether no case of any subject failed, and there is a subject at all.
    pub fn holds(&self) -> bool {
        !self.subjects.is_empty() && self.failed().next().is_none()
    }

    fn failed(&self) -> impl Iterator<Item = (&Row, &Case)> {
        let cases = self.subjects.iter().flat_map(|row| row.cases.iter().map(move |case| (row, case)));
        cases.filter(|(_, case)| case.outcome == FAILED)
    }
}

impl fmt::Display for Merged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut contracts: Vec<&str> = self.subjects.iter().map(|row| row.contract.as_str()).collect();
        contracts.dedup();
        for contract in contracts {
            let rows: Vec<&Row> = self.subjects.iter().filter(|row| row.contract == contract).collect();
            print_table(f, contract, &rows)?;
        }
        for (row, case) in self.failed() {
            let seen = case.seen.as_deref().unwrap_or_default();
            writeln!(f, "FAILED {} {}: {}\n  {seen}", row.subject, case.feature, case.name)?;
        }
        Ok(())
    }
}

fn print_table(f: &mut fmt::Formatter<'_>, contract: &str, rows: &[&Row]) -> fmt::Result {
    let mut features: Vec<&str> = Vec::new();
    for case in rows.iter().flat_map(|row| &row.cases) {
        if !features.contains(&case.feature.as_str()) {
            features.push(&case.feature);
        }
    }
    let cell = |row: &Row, feature: &str| row.features.get(feature).map_or("-".to_owned(), Tally::to_string);
    let first = rows.iter().map(|row| row.subject.len()).chain([contract.len()]).max().unwrap_or(0);
    let widths: Vec<usize> = features
        .iter()
        .map(|feature| {
            rows.iter().map(|row| cell(row, feature).len()).chain([feature.len()]).max().unwrap_or(0)
        })
        .collect();
    write!(f, "{contract:<first$}")?;
    for (feature, width) in features.iter().zip(&widths) {
        write!(f, "  {feature:<width$}")?;
    }
    writeln!(f)?;
    for row in rows {
        write!(f, "{:<first$}", row.subject)?;
        for (feature, width) in features.iter().zip(&widths) {
            write!(f, "  {:<width$}", cell(row, feature))?;
        }
        writeln!(f)?;
    }
    writeln!(f)
}
