//! How far a run has come, for those who watch.

use std::sync::{Mutex, PoisonError};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The source is counted.
    Counting,
    /// Entries or blobs are copied; in a dry run, read.
    Copying,
    /// Source and target are compared.
    Verifying,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Entries or blobs that are through this phase, those of earlier runs included.
    pub entries: u64,
    /// Bytes that are through this phase: keys and values, or blobs.
    pub bytes: u64,
    /// All there are, where they were counted.
    pub entries_total: Option<u64>,
    /// The bytes of all blobs, where they were counted. Of entries only the keys are counted, so none.
    pub bytes_total: Option<u64>,
}

/// The progress of a run that goes on in several places at once.
pub(super) struct Tally<'a>(Mutex<Inner<'a>>);

struct Inner<'a> {
    now: Progress,
    tell: &'a mut (dyn FnMut(&Progress) + Send),
}

impl<'a> Tally<'a> {
    pub(super) fn new(tell: &'a mut (dyn FnMut(&Progress) + Send)) -> Self {
        let now =
            Progress { phase: Phase::Counting, entries: 0, bytes: 0, entries_total: None, bytes_total: None };
        Self(Mutex::new(Inner { now, tell }))
    }

    /// Begins a phase, of which so much is done already.
    pub(super) fn begin(&self, phase: Phase, entries: u64, bytes: u64) {
        self.change(|now| *now = Progress { phase, entries, bytes, ..*now });
    }

    /// What there is in all.
    pub(super) fn total(&self, entries: u64, bytes: Option<u64>) {
        self.change(|now| *now = Progress { entries_total: Some(entries), bytes_total: bytes, ..*now });
    }

    pub(super) fn add(&self, entries: u64, bytes: u64) {
        self.change(|now| {
            now.entries += entries;
            now.bytes += bytes;
        });
    }

    /// Takes back bytes of a blob that is begun anew.
    pub(super) fn undo(&self, bytes: u64) {
        self.change(|now| now.bytes = now.bytes.saturating_sub(bytes));
    }

    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut inner.now);
        let now = inner.now;
        (inner.tell)(&now);
    }
}
