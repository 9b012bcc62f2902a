//! The one mapping of redb's errors, and of its panics, to larder's.

use std::{any::Any, error::Error as _, io, panic};

use larder_core::{Error, ErrorKind};

/// What has to happen to the database before it can be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing: the answer is final and the database is fine.
    None,
    /// redb goes on only after the database is closed and opened again.
    Reopen,
    /// The same, and the failure was another operation's: this one may be tried again.
    ReopenAndRetry,
}

/// Why an operation failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    pub(super) remedy: Remedy,
}

impl Fault {
    pub(super) fn reopen(error: Error) -> Self {
        Self { error, remedy: Remedy::Reopen }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, remedy: Remedy::None }
    }
}

impl From<redb::Error> for Fault {
    fn from(error: redb::Error) -> Self {
        use redb::Error as E;
        let (kind, message, remedy) = match &error {
            E::Io(cause) => {
                let (kind, message) = io_kind(cause.kind());
                (kind, message, Remedy::Reopen)
            }
            E::PreviousIo | E::DatabaseClosed | E::LockPoisoned(_) => (
                ErrorKind::Unavailable,
                "the database has to be opened again after a failure",
                Remedy::ReopenAndRetry,
            ),
            E::Backend(_) | E::Unsupported => {
                (ErrorKind::Unavailable, "the storage under the database failed", Remedy::Reopen)
            }
            E::DatabaseAlreadyOpen | E::LockProtocolMismatch => {
                (ErrorKind::Unavailable, "another process has the database file open", Remedy::None)
            }
            E::UpgradeRequired(_) => {
                (ErrorKind::Unsupported, "the database file is of an older format", Remedy::None)
            }
            E::ValueTooLarge(_) => {
                (ErrorKind::Invalid, "the value is too large for the database", Remedy::None)
            }
            E::TransactionPoisoned => {
                (ErrorKind::Corrupt, "the database is damaged: a transaction broke off", Remedy::Reopen)
            }
            E::Corrupted(_)
            | E::TableTypeMismatch { .. }
            | E::TableIsMultimap(_)
            | E::TableIsNotMultimap(_)
            | E::TypeDefinitionChanged { .. }
            | E::TableDoesNotExist(_) => (ErrorKind::Corrupt, "the database file is damaged", Remedy::None),
            _ => (ErrorKind::Unavailable, "the database refused the operation", Remedy::None),
        };
        Self { error: Error::new(kind, message).caused_by(error), remedy }
    }
}

macro_rules! through_redb_error {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for Fault {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        }
    )*};
}
through_redb_error!(StorageError, TableError, TransactionError, CommitError, DatabaseError);

/// An error of the file system, outside the database.
pub(super) fn io(error: io::Error) -> Error {
    let (kind, message) = io_kind(error.kind());
    Error::new(kind, message).caused_by(error)
}

fn io_kind(kind: io::ErrorKind) -> (ErrorKind, &'static str) {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            (ErrorKind::Unavailable, "no space is left for the database")
        }
        // redb says `InvalidData` of a file that is no database.
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            (ErrorKind::Corrupt, "the database file is damaged")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, "the operating system refused access to the database")
        }
        _ => (ErrorKind::Unavailable, "reading or writing the database failed"),
    }
}

/// An error for each of several callers. Its causes become text, because they can't be copied.
pub(super) fn copy(error: &Error) -> Error {
    let mut causes = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        causes.push(error.to_string());
        cause = error.source();
    }
    let copy = Error::new(error.kind(), error.message().to_owned());
    if causes.is_empty() { copy } else { copy.caused_by(causes.join(": ")) }
}

/// Runs `work` on the database and turns a panic into a fault of kind `corrupt`.
///
/// redb trusts a file that was closed cleanly, so that damage done to it from outside may end in one
/// of redb's assertions. Its transactions roll back as they unwind, and nothing of ours outlives the
/// call: that is why going on is sound, and why writers open the database again after a panic.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    panic::catch_unwind(panic::AssertUnwindSafe(work)).unwrap_or_else(|payload| Err(panicked(&*payload)))
}

#[cold]
fn panicked(payload: &(dyn Any + Send)) -> Fault {
    let text = match payload.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => payload.downcast_ref::<&str>().copied().unwrap_or("no message"),
    };
    Fault::reopen(
        Error::new(ErrorKind::Corrupt, "the database file is damaged: its engine gave up")
            .with("panic", text.lines().next().unwrap_or_default()),
    )
}
