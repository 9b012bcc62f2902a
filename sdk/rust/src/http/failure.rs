//! Why there is no answer, and what that means for a write.

use std::{error, fmt};

use crate::Error;

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// No grant allows the request.
    Denied,
    /// The request can't be sent as it is: its address, a header, its length, its size.
    Invalid,
    /// Nobody was reached: the name has no address, the connection was refused, too many are open.
    Unreached,
    /// A wait was too long.
    TimedOut,
    /// The connection ended before the answer did.
    Cut,
    /// The server's certificate or its TLS is wrong.
    Tls,
    /// The answer is no HTTP.
    Protocol,
    /// The answer has more bytes than the caller, or the host, takes.
    TooLarge,
}

/// No answer, or not all of it. Its text is for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    cause: Cause,
    message: String,
    is_sent: bool,
}

impl Failure {
    /// A failure before the server can have acted on the request.
    pub fn unsent(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), is_sent: false }
    }

    /// A failure after which nobody knows whether the server acted on the request.
    pub fn sent(cause: Cause, message: impl Into<String>) -> Self {
        Self { cause, message: message.into(), is_sent: true }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Whether the server can have acted on the request.
    #[must_use]
    pub fn is_sent(&self) -> bool {
        self.is_sent
    }

    /// The contract's error of a request that writes nothing.
    #[must_use]
    pub fn of_read(self) -> Error {
        let message = self.to_string();
        match self.cause {
            Cause::Denied => Error::denied(message),
            Cause::Invalid => Error::invalid(message),
            // A wrong certificate may well last, but nothing was written, and `other` would leave that open.
            Cause::Unreached | Cause::TimedOut | Cause::Cut | Cause::Tls => Error::unavailable(message),
            Cause::Protocol | Cause::TooLarge => Error::other(message),
        }
    }

    /// The contract's error of a request that writes: `indeterminate` where the server can have acted on it.
    #[must_use]
    pub fn of_write(self) -> Error {
        if self.is_sent { Error::indeterminate(self.to_string()) } else { self.of_read() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.cause {
            Cause::Denied => "not allowed",
            Cause::Invalid => "not a request that can be sent",
            Cause::Unreached => "not reached",
            Cause::TimedOut => "took too long",
            Cause::Cut => "the connection ended early",
            Cause::Tls => "no secure connection",
            Cause::Protocol => "no HTTP",
            Cause::TooLarge => "too large",
        };
        write!(f, "{what}: {}", self.message)
    }
}

impl error::Error for Failure {}
