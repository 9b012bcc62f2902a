//! What goes over the wire: a question and an answer, a line of JSON each.

use larder_core::{Error, ErrorKind, Result};
use larder_wasm::{AuditRecord, Swapped};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _};

use crate::plugins::PluginStatus;

/// The version of this protocol.
pub(super) const VERSION: u32 = 1;

/// Longest question in bytes: a name, a path, a digest and a token are far below.
pub(super) const QUESTION_BYTES_MAX: u64 = 64 << 10;

/// Longest answer in bytes: the whole audit, each of its outcomes as long as they get.
pub(super) const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// A question.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    /// The version of the protocol.
    pub(super) larder: u32,
    /// The token, where one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<String>,
    pub(super) ask: Ask,
}

/// What is asked for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Ask {
    /// The plugins.
    List {},
    /// The records of swaps.
    Audit {},
    /// An end to a back-off or a quarantine.
    Release { plugin: String },
    /// A swap.
    Swap {
        plugin: String,
        /// A file of the host's machine, from its root.
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    Plugins(Vec<PluginStatus>),
    Released {},
    Audit(Vec<AuditLine>),
    Swapped(SwapLine),
    Error(ErrorLine),
}

/// A step of a swap of a running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditLine {
    /// When it ended, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// The plugin.
    pub plugin: String,
    /// The step's name.
    pub step: String,
    /// The digest that served when the swap began.
    pub from: String,
    /// The digest of the new component, where it is known.
    pub to: Option<String>,
    /// Whether the step failed.
    pub failed: bool,
    /// What came of it.
    pub outcome: String,
    /// Who asked for the swap.
    pub by: String,
}

/// What a swap of a running host did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SwapLine {
    /// The digest that served before.
    pub from: String,
    /// The digest that serves now.
    pub to: String,
    /// The generation that serves now.
    pub generation: u64,
    /// Whether all calls of the old generation ended in time.
    pub drained: bool,
    /// How many reads both answered alike before the switch.
    pub compared: u32,
}

/// An error of the host.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ErrorLine {
    kind: String,
    message: String,
}

impl From<AuditRecord> for AuditLine {
    fn from(record: AuditRecord) -> Self {
        Self {
            at_ms: record.at.0,
            plugin: record.plugin,
            step: record.step.to_string(),
            from: record.from,
            to: record.to,
            failed: record.is_failure,
            outcome: record.outcome,
            by: record.by,
        }
    }
}

impl From<Swapped> for SwapLine {
    fn from(swapped: Swapped) -> Self {
        let Swapped { from, to, generation, drained, compared, .. } = swapped;
        Self { from, to, generation, drained, compared }
    }
}

impl From<&Error> for ErrorLine {
    fn from(error: &Error) -> Self {
        // The chain begins with the kind, which the other side says again.
        let chain = error.chain();
        let kind = error.kind().as_str();
        let message = chain.strip_prefix(kind).map_or(&*chain, |rest| rest.trim_start_matches([':', ' ']));
        Self { kind: kind.to_owned(), message: message.to_owned() }
    }
}

impl ErrorLine {
    /// The host's error, on this side.
    pub(super) fn into_error(self) -> Error {
        let kinds = [
            ErrorKind::Invalid,
            ErrorKind::Unsupported,
            ErrorKind::Conflict,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
            ErrorKind::Denied,
            ErrorKind::Corrupt,
            ErrorKind::Config,
        ];
        let kind = kinds.into_iter().find(|kind| kind.as_str() == self.kind).unwrap_or(ErrorKind::Plugin);
        Error::new(kind, self.message)
    }
}

/// Reads a line of at most so many bytes, without its end.
pub(super) async fn line(from: impl AsyncBufRead + Unpin, bytes_max: u64) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    let read = from.take(bytes_max).read_until(b'\n', &mut line).await;
    read.map_err(|e| Error::new(ErrorKind::Unavailable, "the connection broke").caused_by(e))?;
    match line.pop() {
        Some(b'\n') => Ok(line),
        None => Err(Error::new(ErrorKind::Unavailable, "the other side hung up without a word")),
        Some(_) => Err(Error::invalid(format!("expected a line of at most {bytes_max} bytes"))),
    }
}

/// A value as a line.
pub(super) fn to_line(value: &impl Serialize) -> Result<Vec<u8>> {
    let mut line =
        serde_json::to_vec(value).map_err(|e| Error::invalid("this can't be JSON").caused_by(e))?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_kind_over_the_wire() {
        for error in [Error::config("a"), Error::new(ErrorKind::Plugin, "b").with("plugin", "p")] {
            let again = ErrorLine::from(&error).into_error();
            assert_eq!(again.kind(), error.kind());
            assert_eq!(again.chain(), error.chain());
        }
    }

    #[test]
    fn what_is_no_question_is_none() {
        for bad in [
            "GET / HTTP/1.1",
            "{}",
            r#"{"larder":1,"ask":{"stop":{}}}"#,
            r#"{"larder":1,"ask":{"list":{"x":1}}}"#,
        ] {
            assert!(serde_json::from_str::<Question>(bad).is_err(), "{bad}");
        }
    }
}
