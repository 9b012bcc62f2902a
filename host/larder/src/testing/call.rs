//! What is asked of a store, as tests speak of it: the operation, the keys or paths that it is about, and the whole of
//! it in words. One vocabulary for entries and blobs, so that faults, delays and recordings are written once.

use std::fmt;

use larder_core::{Change, Commit, Expectation, Key, Scan, Want, limits::PAGE_ENTRIES_MAX};

use crate::config::show_duration;

/// How much of a value is shown, in bytes: enough to recognise a small record, little enough for a list of calls.
const VALUE_SHOWN_BYTES_MAX: usize = 64;

/// An operation of a key-value store or of a blob store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Reads one entry.
    Get,
    /// Reads many entries.
    GetMany,
    /// Reads a page of a range of keys.
    Scan,
    /// Writes entries: every way to write is one.
    Commit,
    /// Asks for the store's health.
    Health,
    /// Asks what is known of a blob.
    Stat,
    /// Reads a blob or a range of it.
    Read,
    /// Hands over a part of a blob, of which nothing is visible yet.
    Write,
    /// Makes a blob visible: the one moment at which it comes to be.
    Finish,
    /// Gives up a blob that was not finished.
    Abort,
    /// Deletes a blob.
    Delete,
    /// Lists blobs.
    List,
    /// Copies a blob.
    Copy,
}

impl Operation {
    /// Its name, as recordings show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Scan => "scan",
            Self::Commit => "commit",
            Self::Health => "health",
            Self::Stat => "stat",
            Self::Read => "read",
            Self::Write => "write",
            Self::Finish => "finish",
            Self::Abort => "abort",
            Self::Delete => "delete",
            Self::List => "list",
            Self::Copy => "copy",
        }
    }

    /// Whether it changes what others see, so that a lost answer leaves its effect unknown. A part of a blob that is not
    /// finished is seen by nobody.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Commit | Self::Finish | Self::Delete | Self::Copy)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call of a store. `Display` shows the whole of it on one line, values up to 64 bytes.
///
/// Keys are those that the store sees: with the prefix of their namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    operation: Operation,
    keys: Vec<String>,
    text: String,
}

impl Call {
    /// The operation.
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// The keys or paths that it is about: of a scan or a listing where it begins, of a commit those of its checks and
    /// its writes.
    pub fn keys(&self) -> &[String] {
        &self.keys
    }

    fn new(operation: Operation, keys: Vec<String>, about: &str) -> Self {
        let space = if about.is_empty() { "" } else { " " };
        Self { operation, keys, text: format!("{operation}{space}{about}") }
    }

    pub(super) fn health() -> Self {
        Self::new(Operation::Health, Vec::new(), "")
    }

    pub(super) fn get(key: &Key) -> Self {
        Self::new(Operation::Get, vec![key.to_string()], &shown(key))
    }

    pub(super) fn get_many(keys: &[Key]) -> Self {
        let names: Vec<String> = keys.iter().map(|key| shown(key)).collect();
        Self::new(Operation::GetMany, keys.iter().map(Key::to_string).collect(), &names.join(", "))
    }

    pub(super) fn scan(scan: &Scan) -> Self {
        let mut about =
            format!("{}..{}", shown(&scan.range.start), shown(scan.range.end.as_deref().unwrap_or_default()));
        if scan.want == Want::Keys {
            about.push_str(" keys");
        }
        if scan.limit != PAGE_ENTRIES_MAX {
            about.push_str(&format!(" limit {}", scan.limit));
        }
        Self::new(Operation::Scan, vec![scan.range.start.to_string()], &about)
    }

    pub(super) fn commit(commit: &Commit) -> Self {
        let checks = commit.checks.iter().map(|check| {
            let expected = match check.expect {
                Expectation::Absent => "absent".to_owned(),
                Expectation::Present => "present".to_owned(),
                Expectation::Version(version) => format!("version {version}"),
            };
            format!("if {} {expected}", shown(&check.key))
        });
        let writes = commit.writes.iter().map(|write| {
            let key = shown(&write.key);
            match &write.change {
                Change::Put { value, ttl: None } => format!("put {key}={}", show_value(value)),
                Change::Put { value, ttl: Some(ttl) } => {
                    format!("put {key}={} ttl {}", show_value(value), show_duration(*ttl))
                }
                Change::Delete => format!("delete {key}"),
                Change::Add(delta) => format!("add {key} {delta}"),
            }
        });
        let about: Vec<String> = checks.chain(writes).collect();
        let keys = commit.checks.iter().map(|check| &check.key).chain(commit.writes.iter().map(|w| &w.key));
        let mut keys: Vec<String> = keys.map(Key::to_string).collect();
        keys.dedup();
        Self::new(Operation::Commit, keys, &about.join(", "))
    }

    /// A call about one blob, with what else there is to say of it.
    pub(super) fn blob(operation: Operation, path: &str, more: &str) -> Self {
        let space = if more.is_empty() { "" } else { " " };
        Self::new(operation, vec![path.to_owned()], &format!("{}{space}{more}", shown(path)))
    }

    pub(super) fn copy(from: &str, to: &str) -> Self {
        let about = format!("{} to {}", shown(from), shown(to));
        Self::new(Operation::Copy, vec![from.to_owned(), to.to_owned()], &about)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Keys may hold line ends; a list of calls has one line for each.
fn shown(key: &str) -> String {
    key.escape_debug().to_string()
}

/// A value as text where it is text, and how long it is where it is too long to be shown.
pub(super) fn show_value(value: &[u8]) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if value.len() <= VALUE_SHOWN_BYTES_MAX => shown(text),
        Ok(text) => {
            let end = (0..=VALUE_SHOWN_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            format!("{}… ({} B)", shown(text.get(..end).unwrap_or_default()), value.len())
        }
        Err(_) => format!("<{} B>", value.len()),
    }
}

/// Which calls are meant: all, or those of some operations, on a key, under a prefix.
///
/// ```
/// use larder::testing::{Calls, Operation};
///
/// let pages = Calls::of(Operation::Commit).prefix("page/");
/// assert_eq!(pages.to_string(), "commit under page/");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calls {
    operations: Operations,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operations {
    All,
    Reads,
    Writes,
    One(Operation),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Everywhere,
    Key(String),
    Prefix(String),
}

impl Calls {
    fn with(operations: Operations) -> Self {
        Self { operations, place: Place::Everywhere }
    }

    /// Every call.
    pub fn all() -> Self {
        Self::with(Operations::All)
    }

    /// Those of one operation.
    pub fn of(operation: Operation) -> Self {
        Self::with(Operations::One(operation))
    }

    /// Those that change what others see ([`Operation::is_write`]).
    pub fn writes() -> Self {
        Self::with(Operations::Writes)
    }

    /// The others.
    pub fn reads() -> Self {
        Self::with(Operations::Reads)
    }

    /// Of these only those about this key or path.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.place = Place::Key(key.into());
        self
    }

    /// Of these only those about a key or path that begins so.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.place = Place::Prefix(prefix.into());
        self
    }

    /// Whether a call is among them. One about several keys is if one of its keys is.
    pub fn contains(&self, call: &Call) -> bool {
        let operation = match self.operations {
            Operations::All => true,
            Operations::Reads => !call.operation.is_write(),
            Operations::Writes => call.operation.is_write(),
            Operations::One(operation) => operation == call.operation,
        };
        operation
            && match &self.place {
                Place::Everywhere => true,
                Place::Key(key) => call.keys.contains(key),
                Place::Prefix(prefix) => call.keys.iter().any(|key| key.starts_with(prefix)),
            }
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operations {
            Operations::All => f.write_str("every call"),
            Operations::Reads => f.write_str("reads"),
            Operations::Writes => f.write_str("writes"),
            Operations::One(operation) => operation.fmt(f),
        }?;
        match &self.place {
            Place::Everywhere => Ok(()),
            Place::Key(key) => write!(f, " on {key}"),
            Place::Prefix(prefix) => write!(f, " under {prefix}"),
        }
    }
}

impl From<Operation> for Calls {
    fn from(operation: Operation) -> Self {
        Self::of(operation)
    }
}
