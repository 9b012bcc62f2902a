//! The typed error: the contract's own variant, with constructors. Its texts are for people and hold no secrets.

use crate::{Error, Unavailable};

/// What a plugin's functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The request is malformed; nothing was written.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// The plugin can't do this; nothing was written.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }

    /// A check on this key or path did not hold; nothing was written.
    pub fn conflict(key: impl Into<String>) -> Self {
        Self::Conflict(key.into())
    }

    /// Temporary; nothing was written.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable(Unavailable { message: message.into(), retry_after_ms: None })
    }

    /// The write may or may not have happened.
    pub fn indeterminate(message: impl Into<String>) -> Self {
        Self::Indeterminate(message.into())
    }

    /// The service refused the credentials, or the host a capability; nothing was written.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::Denied(message.into())
    }

    /// The stored bytes are damaged; nothing was written.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::Corrupt(message.into())
    }

    /// Anything else. Of a write it says nothing: it may or may not have happened.
    pub fn other(message: impl Into<String>) -> Self {
        Self::Other(message.into())
    }

    /// The same error with `context` before its text, so that nested causes read from the outside in.
    #[must_use]
    pub fn context(mut self, context: &str) -> Self {
        let message = match &mut self {
            Self::Unavailable(unavailable) => &mut unavailable.message,
            // Carries a key or path and no text.
            Self::Conflict(_) => return self,
            Self::Invalid(m)
            | Self::Unsupported(m)
            | Self::Indeterminate(m)
            | Self::Denied(m)
            | Self::Corrupt(m)
            | Self::StaleCursor(m)
            | Self::Other(m) => m,
        };
        *message = format!("{context}: {message}");
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn context_comes_before_the_text_and_never_into_a_conflicts_key() {
        assert_eq!(Error::corrupt("crc").context("segment 7"), Error::Corrupt("segment 7: crc".into()));
        assert_eq!(Error::conflict("k").context("segment 7"), Error::Conflict("k".into()));
    }
}
