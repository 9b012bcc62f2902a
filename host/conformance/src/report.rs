//! What a run of a suite found: a [`Report`] per subject, and the table of many subjects by
//! features ([`merge`]).
//!
//! A report is written as one JSON file per subject, because test runners give each test a process
//! of its own; [`merge`] makes one file and one table of all of them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, Serializer};

mod table;

pub use table::{Merged, merge};

/// Which of the two contracts a suite is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// Key-value stores.
    Kv,
    /// Blob stores.
    Blob,
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kv => "kv",
            Self::Blob => "blob",
        })
    }
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CaseOutcome {
    /// The sentence is true of the subject.
    Held,
    /// It is not; the text says what was seen instead.
    Failed(String),
    /// The subject does not declare the feature and refuses it, changing nothing.
    RefusedAsItShould,
}

/// One sentence of the contract, and whether it is true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseResult {
    /// The sentence.
    pub name: &'static str,
    /// The feature that it belongs to: a column of the table.
    pub feature: &'static str,
    /// How it ended.
    #[serde(flatten, serialize_with = "outcome_fields")]
    pub outcome: CaseOutcome,
}

/// What a suite found about one subject. `Display` prints a table of its features, then each case
/// that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Which contract.
    pub contract: Contract,
    /// The subject's name.
    pub subject: String,
    /// The capabilities that it declares, by name.
    pub declared: Vec<String>,
    /// The seed of everything random in the run; the same seed replays it.
    pub seed: u64,
    /// The cases in the order in which they ran.
    pub cases: Vec<CaseResult>,
}

impl Report {
    /// Whether no case failed.
    pub fn holds(&self) -> bool {
        self.failed().next().is_none()
    }

    /// The cases that failed, with what was seen.
    pub fn failed(&self) -> impl Iterator<Item = (&CaseResult, &str)> {
        self.cases.iter().filter_map(|case| match &case.outcome {
            CaseOutcome::Failed(seen) => Some((case, seen.as_str())),
            CaseOutcome::Held | CaseOutcome::RefusedAsItShould => None,
        })
    }

    /// Writes the report into `folder` (made if it is missing) as JSON, in a file named after the
    /// contract and the subject. Answers the file's path.
    ///
    /// # Errors
    /// What the file system says.
    pub fn write(&self, folder: &Path) -> io::Result<PathBuf> {
        fs::create_dir_all(folder)?;
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = self.subject.chars().map(safe).collect();
        let path = folder.join(format!("{}-{name}.json", self.contract));
        fs::write(&path, serde_json::to_vec_pretty(self)?)?;
        Ok(path)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let declared = if self.declared.is_empty() { "nothing".into() } else { self.declared.join(", ") };
        writeln!(f, "{} ({}), declares {declared}; seed {}", self.subject, self.contract, self.seed)?;
        for (feature, tally) in table::tallies(self.cases.iter().map(|c| (c.feature, &c.outcome))) {
            writeln!(f, "  {feature:<14} {tally}")?;
        }
        for (case, seen) in self.failed() {
            writeln!(f, "  FAILED {}: {}", case.feature, case.name)?;
            for line in seen.lines() {
                writeln!(f, "         {line}")?;
            }
        }
        Ok(())
    }
}

/// `{"outcome": "failed", "seen": "…"}`, spread into the object of the case.
fn outcome_fields<S: Serializer>(outcome: &CaseOutcome, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Fields<'a> {
        outcome: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        seen: Option<&'a str>,
    }
    let (outcome, seen) = match outcome {
        CaseOutcome::Held => (table::HELD, None),
        CaseOutcome::Failed(seen) => (table::FAILED, Some(seen.as_str())),
        CaseOutcome::RefusedAsItShould => (table::REFUSED, None),
    };
    Fields { outcome, seen }.serialize(serializer)
}
