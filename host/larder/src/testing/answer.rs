//! How a call was answered, as recordings show it.

use std::fmt;

use larder_core::{Effect, Entry, Error, ErrorKind, Outcome, Page, Result};

use super::call::show_value;

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It has not been answered yet.
    Pending,
    /// Whoever called did not wait for the answer: the call was dropped.
    Dropped,
    /// It was answered, in words.
    Done(String),
    /// It failed.
    Failed {
        /// What the caller should do.
        kind: ErrorKind,
        /// Whether anything may have been written.
        effect: Effect,
    },
}

impl Answer {
    /// Whether the call failed.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    pub(super) fn of<T>(answer: &Result<T>, done: impl FnOnce(&T) -> String) -> Self {
        match answer {
            Ok(answer) => Self::Done(done(answer)),
            Err(error) => Self::failed(error),
        }
    }

    pub(super) fn failed(error: &Error) -> Self {
        let effect = if error.is_effect_unknown() { Effect::Unknown } else { Effect::None };
        Self::Failed { kind: error.kind(), effect }
    }
}

pub(super) fn entry(entry: &Option<Entry>) -> String {
    entry.as_ref().map_or_else(|| "none".to_owned(), |entry| show_value(&entry.value))
}

pub(super) fn entries(entries: &[Option<Entry>]) -> String {
    entries.iter().map(entry).collect::<Vec<_>>().join(", ")
}

pub(super) fn page(page: &Page) -> String {
    let more = if page.next.is_some() { ", more" } else { "" };
    format!("{} entries{more}", page.entries.len())
}

pub(super) fn outcomes(outcomes: &[Outcome]) -> String {
    let one = |outcome: &Outcome| match outcome {
        Outcome::Written(_) => "ok".to_owned(),
        Outcome::Deleted(true) => "deleted".to_owned(),
        Outcome::Deleted(false) => "nothing to delete".to_owned(),
        Outcome::Added(sum) => sum.to_string(),
    };
    if outcomes.is_empty() {
        "ok".to_owned()
    } else {
        outcomes.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("(no answer yet)"),
            Self::Dropped => f.write_str("(dropped by the caller)"),
            Self::Done(answer) => f.write_str(answer),
            Self::Failed { kind, effect: Effect::None } => write!(f, "error {kind}"),
            Self::Failed { kind, effect: Effect::Unknown } => write!(f, "error {kind}, effect unknown"),
        }
    }
}
