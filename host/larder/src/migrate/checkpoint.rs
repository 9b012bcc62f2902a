//! The checkpoint: what a target knows of a migration into it that has not ended.

use larder_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Existing, digest::Digest};

/// The key, or path of a blob, that a migration keeps its checkpoint under in the target. It is there only while a
/// migration is on its way or waits to be gone on with. A source that holds it is refused: it is itself the target
/// of a migration that has not ended, or somebody has a key of this name, which then has to be renamed first.
pub const CHECKPOINT: &str = ".larder-migration";

/// What the bytes begin to mean something else with.
const FORMAT: u32 = 1;

/// How far a migration has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checkpoint {
    format: u32,
    /// Which source it came from: what the configuration calls it, without secrets.
    pub(super) source: String,
    /// Whether the target held nothing when the migration began: then all that it holds was copied.
    pub(super) began_empty: bool,
    /// All keys before this one are in the target; empty at the beginning. None: all there were.
    pub(super) next: Option<String>,
    pub(super) copied: u64,
    pub(super) bytes: u64,
    pub(super) expiring: u64,
    pub(super) expired: u64,
    pub(super) present: u64,
    /// Count and digest of the entries that were read and do not expire.
    lasting: u64,
    digest: String,
}

impl Checkpoint {
    pub(super) fn new(source: &str, began_empty: bool) -> Self {
        Self {
            format: FORMAT,
            source: source.to_owned(),
            began_empty,
            next: Some(String::new()),
            copied: 0,
            bytes: 0,
            expiring: 0,
            expired: 0,
            present: 0,
            lasting: 0,
            digest: Digest::default().to_string(),
        }
    }

    pub(super) fn lasting(&self) -> Digest {
        Digest::parse(self.lasting, &self.digest).unwrap_or_default()
    }

    pub(super) fn set_lasting(&mut self, digest: Digest) {
        (self.lasting, self.digest) = (digest.count, digest.to_string());
    }

    /// The bytes that the target keeps.
    ///
    /// # Errors
    /// None that can happen: all of it is text and numbers.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|e| Error::invalid("the checkpoint can't be written down").caused_by(e))
    }

    /// Reads what a target holds, and whether it is of the same migration.
    ///
    /// # Errors
    /// `config` where it is no checkpoint, that of another migration, or of one that has to be gone on with otherwise.
    pub(super) fn resume(bytes: &[u8], source: &str, existing: Existing) -> Result<Self> {
        let found: Self = serde_json::from_slice(bytes).ok().filter(|found: &Self| found.format == FORMAT).ok_or_else(|| {
            Error::config(format!(
                "the target holds `{CHECKPOINT}`, which this larder can't read as the checkpoint of a migration; \
                 delete or rename it if it is yours"
            ))
        })?;
        if found.source != source {
            return Err(Error::config(format!(
                "the target holds the checkpoint of a migration from {}, which has not ended; finish that one, or \
                 delete `{CHECKPOINT}` in the target to give it up",
                found.source
            )));
        }
        // What was merged or overwritten so far is as the source has it, so that one may go on as the other.
        if existing == Existing::Refuse && !found.began_empty {
            return Err(Error::config(
                "the target was not empty when the migration began that it holds a checkpoint of; go on with `--merge` or \
                 `--overwrite`",
            ));
        }
        Ok(found)
    }
}

/// What is said of a source that holds the reserved key or path.
pub(super) fn reserved() -> Error {
    Error::config(format!(
        "the source holds `{CHECKPOINT}`: a migration into it has not ended, or somebody uses this name; finish that \
         migration, or rename the entry"
    ))
}

/// What is said of a target that is not empty.
pub(super) fn not_empty(first: &str) -> Error {
    Error::config(
        "the target is not empty; take an empty one, or say `--merge` (add what is missing) or `--overwrite` (replace \
         what both have)",
    )
    .with("key", first.escape_debug())
}
