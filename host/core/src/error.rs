//! The one public error type. Its kind tells the caller what to do, its effect whether a write may
//! have happened.

use std::{borrow::Cow, error::Error as StdError, fmt, time::Duration};

/// What every operation of larder returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller should do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Fix the call; nothing was written.
    Invalid,
    /// Choose another backend or option; nothing was written.
    Unsupported,
    /// A check did not hold: read again and decide; nothing was written.
    Conflict,
    /// Retry later; the host's retry layer already did.
    Unavailable,
    /// Took too long; do as the effect says.
    Timeout,
    /// Fix credentials or grants.
    Denied,
    /// A checksum did not match: stop trusting this entry. Its bytes are kept, never returned as good.
    Corrupt,
    /// The component trapped, ran out of budget or broke the contract.
    Plugin,
    /// Fix the configuration.
    Config,
}

impl ErrorKind {
    /// The kind's name as it is written in configuration, output and documentation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::Conflict => "conflict",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::Denied => "denied",
            Self::Corrupt => "corrupt",
            Self::Plugin => "plugin",
            Self::Config => "config",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the failed operation may have changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Nothing was written.
    None,
    /// The write may or may not have happened. Repeat it only under a check.
    Unknown,
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Unknown => "unknown",
        })
    }
}

/// An error of larder.
///
/// `Display` prints the error itself on one line, without its causes; whoever handles it prints the
/// chain ([`Error::source`](StdError::source)), once. No secret is ever in it.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    effect: Effect,
    operation: Cow<'static, str>,
    message: Cow<'static, str>,
    context: Vec<(&'static str, String)>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync + 'static>>,
}

impl Error {
    /// An error of `kind` that changed nothing.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            effect: Effect::None,
            operation: Cow::Borrowed(""),
            message: message.into(),
            context: Vec::new(),
            retry_after: None,
            source: None,
        }))
    }

    /// An error of kind [`ErrorKind::Invalid`].
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// An error of kind [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// An error of kind [`ErrorKind::Conflict`] about a key or path.
    pub fn conflict(message: impl Into<Cow<'static, str>>, key: &str) -> Self {
        Self::new(ErrorKind::Conflict, message).with("key", key)
    }

    /// An error of kind [`ErrorKind::Config`].
    pub fn config(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Config, message)
    }

    /// Adds what was being worked on: a key, a path, a plugin's name. Never a secret.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((name, value.to_string()));
        self
    }

    /// Rewrites the values of the context pairs of a name: how a namespace takes its prefix out of keys.
    #[must_use]
    pub fn map_context(mut self, name: &str, rewrite: impl Fn(&str) -> String) -> Self {
        for (_, value) in self.0.context.iter_mut().filter(|(n, _)| *n == name) {
            *value = rewrite(value);
        }
        self
    }

    /// Names the operation, if none is named yet: the layer nearest to the failure knows best.
    #[must_use]
    pub fn operation(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        if self.0.operation.is_empty() {
            self.0.operation = operation.into();
        }
        self
    }

    /// Says whether a write may have happened.
    #[must_use]
    pub fn effect(mut self, effect: Effect) -> Self {
        self.0.effect = effect;
        self
    }

    /// Says how long to wait before the next try.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn StdError + Send + Sync + 'static>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller should do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether anything may have been written.
    pub fn is_effect_unknown(&self) -> bool {
        self.0.effect == Effect::Unknown
    }

    /// How long to wait before the next try, where the backend said so.
    pub fn retry_after_hint(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The message alone, without operation and context.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The value of a context pair, by its name.
    pub fn context(&self, name: &str) -> Option<&str> {
        self.0.context.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }

    /// The error and its causes on one line, outermost first.
    pub fn chain(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, effect, operation, message, context, .. } = &*self.0;
        write!(f, "{kind}")?;
        if !operation.is_empty() {
            write!(f, " at {operation}")?;
        }
        write!(f, ": {message}")?;
        for (i, (name, value)) in context.iter().enumerate() {
            let open = if i == 0 { " (" } else { ", " };
            write!(f, "{open}{name}: {value}")?;
        }
        if !context.is_empty() {
            f.write_str(")")?;
        }
        if *effect == Effect::Unknown {
            f.write_str("; the write may or may not have happened")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_is_one_line_and_leaves_the_causes_to_the_chain() {
        let error = Error::new(ErrorKind::Unavailable, "no answer")
            .operation("get")
            .with("key", "users/42")
            .effect(Effect::Unknown)
            .caused_by(std::io::Error::other("connection reset"));
        assert_eq!(
            error.to_string(),
            "unavailable at get: no answer (key: users/42); the write may or may not have happened"
        );
        assert!(error.chain().ends_with(": connection reset"));
        assert_eq!(error.context("key"), Some("users/42"));
    }

    #[test]
    fn the_operation_named_first_stays() {
        let error = Error::invalid("x").operation("commit").operation("set");
        assert_eq!(error.to_string(), "invalid at commit: x");
    }
}
