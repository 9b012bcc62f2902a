//! The one mapping of Redis's errors to larder's, from their codes.
//!
//! Whether something may have been written follows from where a command failed: before it was sent, nothing; after
//! that, who knows; and where the server answered with an error, nothing again, because every script fails before its
//! first change or not at all.

use std::time::Duration;

use larder_core::{Effect, Error, ErrorKind};
use redis::{ErrorKind as RedisKind, RedisError, ServerError, ServerErrorKind};

/// How long a server that is busy becoming usable is left alone.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// Why a command has no answer.
#[derive(Debug)]
pub(super) enum Fault {
    /// It was not sent.
    Unsent(Error),
    /// It may have been sent; the connection broke, or the answer did not come in time.
    Lost(RedisError),
    /// The server answered with an error.
    Refused(ServerError),
    /// The server answered something that no such command has for an answer.
    Strange(&'static str),
}

/// What the command was to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Read,
    Write,
}

impl Fault {
    pub(super) fn into_error(self, intent: Intent) -> Error {
        let doubtful = if intent == Intent::Write { Effect::Unknown } else { Effect::None };
        match self {
            Self::Unsent(error) => error,
            Self::Lost(cause) => lost(cause).effect(doubtful),
            Self::Refused(cause) => refused(&cause, doubtful),
            Self::Strange(what) => {
                Error::new(ErrorKind::Unavailable, "the server gave an answer that Redis does not give")
                    .with("answer", what)
                    .effect(doubtful)
            }
        }
    }
}

/// The connection broke, or the time was over.
fn lost(cause: RedisError) -> Error {
    let error = if cause.is_timeout() {
        Error::new(ErrorKind::Timeout, "Redis did not answer in time")
    } else {
        Error::new(ErrorKind::Unavailable, "the connection to Redis broke")
    };
    error.caused_by(cause)
}

/// A connection could not be made.
pub(super) fn unconnected(cause: RedisError) -> Error {
    let error = match cause.kind() {
        RedisKind::AuthenticationFailed => {
            Error::new(ErrorKind::Denied, "Redis did not accept the credentials")
        }
        RedisKind::InvalidClientConfig => {
            Error::config("the connection to Redis can't be made as it is configured")
        }
        RedisKind::RESP3NotSupported => {
            Error::unsupported("the server is older than Redis 6.2, the first that can keep a store")
        }
        _ => match cause.code() {
            // The answer may repeat the credentials that were sent: it is no cause.
            Some(code) => return by_code(code, Effect::None),
            None => Error::new(ErrorKind::Unavailable, "no connection to Redis"),
        },
    };
    match cause.kind() {
        RedisKind::Io => error.caused_by(cause),
        _ => error,
    }
}

fn refused(cause: &ServerError, doubtful: Effect) -> Error {
    let error = by_code(cause.code(), doubtful);
    // Without the details where they are about credentials.
    match (error.kind(), cause.details()) {
        (ErrorKind::Denied, _) | (_, None) => error,
        (_, Some(details)) => {
            let cut: String = details.chars().take(200).collect();
            error.caused_by(format!("{} {cut}", cause.code()))
        }
    }
}

/// `doubtful` is the effect where the code is none that is known to precede every change.
fn by_code(code: &str, doubtful: Effect) -> Error {
    let (kind, message) = match code {
        "LOADING" => (ErrorKind::Unavailable, "Redis is loading its data"),
        "MASTERDOWN" => (ErrorKind::Unavailable, "this replica has lost its master"),
        "CLUSTERDOWN" => (ErrorKind::Unavailable, "the cluster is down"),
        "TRYAGAIN" | "MOVED" | "ASK" => (ErrorKind::Unavailable, "the store's slot is moving in the cluster"),
        "READONLY" => (ErrorKind::Unavailable, "this server is a read-only replica"),
        "BUSY" => (ErrorKind::Unavailable, "Redis is busy with a script"),
        "OOM" => (ErrorKind::Unavailable, "Redis has no memory left for writes"),
        "MISCONF" => (ErrorKind::Unavailable, "Redis can't save its data and takes no writes"),
        "NOREPLICAS" => (ErrorKind::Unavailable, "Redis has too few replicas to take writes"),
        "NOSCRIPT" => (ErrorKind::Unavailable, "Redis forgot a script as soon as it was loaded"),
        "NOAUTH" => (ErrorKind::Denied, "Redis asks for a password"),
        "WRONGPASS" => (ErrorKind::Denied, "Redis did not accept user and password"),
        "NOPERM" => (ErrorKind::Denied, "the ACL user may not do what a store needs"),
        "WRONGTYPE" => {
            (ErrorKind::Corrupt, "another client keeps something under this name that is no string")
        }
        "CROSSSLOT" => (ErrorKind::Unsupported, "a commit across slots of the cluster"),
        _ => {
            return Error::new(ErrorKind::Unavailable, "Redis refused the command")
                .with("code", code)
                .effect(doubtful);
        }
    };
    let error = Error::new(kind, message);
    if kind == ErrorKind::Unavailable { error.retry_after(RETRY_AFTER) } else { error }
}

/// Whether the server is none that takes writes any more, so that another one has to be looked for.
pub(super) fn is_demoted(cause: &ServerError) -> bool {
    matches!(cause.kind(), Some(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown))
}

/// An error for each of several callers. Its causes become text, because they can't be copied.
pub(super) fn copy(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    for name in ["host", "code", "master"] {
        if let Some(value) = error.context(name) {
            copy = copy.with(name, value);
        }
    }
    if let Some(wait) = error.retry_after_hint() {
        copy = copy.retry_after(wait);
    }
    match std::error::Error::source(error) {
        Some(cause) => copy.caused_by(cause.to_string()),
        None => copy,
    }
}
