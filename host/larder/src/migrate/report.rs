//! What came of a run.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::Mode;
use crate::config::StoreKind;

/// Most differences, and most refusals, that a report names; all are counted.
pub(super) const NAMED_MAX: usize = 100;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// What the stores keep.
    pub kind: StoreKind,
    /// The source, without secrets.
    pub source: String,
    /// The target, without secrets.
    pub target: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether this run went on where another one had ended.
    pub resumed: bool,
    /// Entries or blobs that were copied, by this run and those that it went on from; in a dry run, that would be.
    pub copied: u64,
    /// Their bytes: keys and values, or blobs.
    pub bytes: u64,
    /// Entries among them that expire.
    pub expiring: u64,
    /// Entries that had expired before their turn came; they are in neither store any more.
    pub expired: u64,
    /// Entries or blobs that the target had already, and as they should be.
    pub present: u64,
    /// What the target can't keep: of a dry run, which goes on after it. A real run ends there.
    pub refused: u64,
    /// The first of them.
    pub refusals: Vec<Refusal>,
    /// What the comparison found; none where there was none.
    pub verification: Option<Verification>,
    /// How long this run took.
    #[serde(serialize_with = "seconds", rename = "seconds")]
    pub time: Duration,
}

/// Something that the target can't keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its key or path.
    pub key: String,
    /// Why.
    pub why: String,
}

/// What the comparison of source and target found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// Entries or blobs of the source that were compared.
    pub compared: u64,
    /// Ranges of keys, or of bytes in blobs, that were compared.
    pub ranges: u64,
    /// The digest of the source, in hexadecimal: two stores with the same content have the same.
    pub digest: String,
    /// Whether the source was written to while it was copied and compared.
    pub source_changed: bool,
    /// What only the target has, where it was allowed to have more.
    pub only_in_target: u64,
    /// How many differences there are.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A key or path at which source and target differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key or path.
    pub key: String,
    /// What differs.
    pub what: String,
}

impl Report {
    pub(super) fn new(kind: StoreKind, source: &str, target: &str, mode: Mode) -> Self {
        Self {
            kind,
            source: source.to_owned(),
            target: target.to_owned(),
            dry_run: mode == Mode::Dry,
            resumed: false,
            copied: 0,
            bytes: 0,
            expiring: 0,
            expired: 0,
            present: 0,
            refused: 0,
            refusals: Vec::new(),
            verification: None,
            time: Duration::ZERO,
        }
    }

    /// Whether nothing speaks against source and target being equal: nothing was refused, and the comparison, where
    /// there was one, found no difference.
    pub fn is_equal(&self) -> bool {
        self.refused == 0 && self.verification.as_ref().is_none_or(|found| found.different == 0)
    }

    pub(super) fn refuse(&mut self, key: &str, why: String) {
        self.refused += 1;
        if self.refusals.len() < NAMED_MAX {
            self.refusals.push(Refusal { key: key.to_owned(), why });
        }
    }
}

impl Verification {
    pub(super) fn differ(&mut self, key: &str, what: impl Into<String>) {
        self.different += 1;
        if self.differences.len() < NAMED_MAX {
            self.differences.push(Difference { key: key.to_owned(), what: what.into() });
        }
    }
}

fn seconds<S: serde::Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// A size for a person: whole bytes, or a tenth of a larger unit.
fn size(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} B"),
    }
}

/// For a person; several lines.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = self.kind.plural();
        writeln!(f, "from      {}", self.source)?;
        writeln!(f, "to        {}", self.target)?;
        let did = if self.dry_run { "would copy" } else { "copied" };
        writeln!(f, "{did:9} {} {things}, {}", self.copied, size(self.bytes))?;
        for (count, what) in [
            (self.expiring, "expire, when they did before"),
            (self.expired, "had expired before their turn came"),
            (self.present, "were there already"),
        ] {
            if count > 0 {
                writeln!(f, "          {count} {what}")?;
            }
        }
        if self.resumed {
            writeln!(f, "          went on from a checkpoint")?;
        }
        writeln!(f, "in        {:.1} s", self.time.as_secs_f64())?;
        for refusal in &self.refusals {
            writeln!(f, "refused   {}: {}", refusal.key.escape_debug(), refusal.why)?;
        }
        if self.refused > 0 {
            writeln!(f, "refused   {} in all: the target can't keep them", self.refused)?;
        }
        match &self.verification {
            None if self.dry_run => writeln!(f, "nothing was written"),
            None => writeln!(f, "verified  no (`--verify` compares source and target)"),
            Some(found) => found.fmt(f),
        }
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.differences {
            writeln!(f, "differs   {}: {}", difference.key.escape_debug(), difference.what)?;
        }
        let Self { compared, ranges, different, only_in_target, digest, .. } = self;
        if self.source_changed {
            writeln!(f, "changed   the source was written to during the run")?;
        }
        if *only_in_target > 0 {
            writeln!(f, "          {only_in_target} are only in the target, and stay there")?;
        }
        match different {
            0 => {
                writeln!(f, "verified  equal: {compared} compared in {ranges} ranges, digest {digest}")
            }
            n => writeln!(f, "verified  NOT equal: {n} differ of {compared} compared in {ranges} ranges"),
        }
    }
}
