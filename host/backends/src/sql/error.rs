//! The one mapping of sqlx's errors to larder's: from SQLSTATE and SQLite's result codes, never from texts.

use std::{io, time::Duration};

use larder_core::{Effect, Error, ErrorKind};
use sqlx::{postgres::PgDatabaseError, sqlite::SqliteError};

/// What is lost with an answer that does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stake {
    /// Nothing: the statement reads, or its transaction has not been committed yet.
    Nothing,
    /// A write that may have happened: a statement that commits itself, or the commit of a transaction.
    Write,
}

/// Why an operation failed, and what may be done about it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) error: Error,
    /// The database gave up this transaction for the sake of another: the same commit may be tried again.
    pub(super) again: bool,
    /// The connection is of no use any more.
    pub(super) broken: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, again: false, broken: false }
    }
}

/// How to wait before asking a server again that is starting, stopping or full.
const RETRY_AFTER: Duration = Duration::from_millis(200);

impl Fault {
    pub(super) fn new(error: sqlx::Error, stake: Stake) -> Self {
        use sqlx::Error as E;
        let (kind, message, broken) = match &error {
            E::Database(cause) => {
                if let Some(cause) = cause.try_downcast_ref::<PgDatabaseError>() {
                    return Self::postgres(cause.code(), stake).caused_by(error);
                }
                if let Some(code) = cause.try_downcast_ref::<SqliteError>().and_then(sqlite_code) {
                    return Self::sqlite(code, stake).caused_by(error);
                }
                (ErrorKind::Unavailable, "the database refused the operation", true)
            }
            E::Io(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {
                (ErrorKind::Denied, "the operating system refused the connection", true)
            }
            E::Io(cause) if is_tls(cause) => {
                (ErrorKind::Denied, "no trusted connection to the database: TLS failed", true)
            }
            E::Io(_) | E::Protocol(_) | E::WorkerCrashed => {
                (ErrorKind::Unavailable, "the connection to the database broke", true)
            }
            E::Tls(_) => (ErrorKind::Denied, "no trusted connection to the database: TLS failed", true),
            E::Configuration(_) | E::InvalidArgument(_) => {
                (ErrorKind::Config, "the database's options are not accepted", true)
            }
            E::PoolTimedOut => {
                let message = "no connection to the database in time: it does not answer, or all are in use";
                let error = Error::new(ErrorKind::Unavailable, message).retry_after(RETRY_AFTER);
                return Self { error, again: false, broken: true };
            }
            E::PoolClosed => {
                let error = Error::new(ErrorKind::Unavailable, "the store is closed");
                return Self { error, again: false, broken: true };
            }
            E::ColumnDecode { .. }
            | E::Decode(_)
            | E::ColumnNotFound(_)
            | E::ColumnIndexOutOfBounds { .. } => {
                (ErrorKind::Corrupt, "the table holds what larder did not write", false)
            }
            _ => (ErrorKind::Unavailable, "the database driver gave up", true),
        };
        // Nobody knows what became of a write that was on the way.
        let effect = if broken { effect(stake) } else { Effect::None };
        Self { error: Error::new(kind, message).effect(effect).caused_by(error), again: false, broken }
    }

    /// The answer did not come in time; whoever waited for it has given the connection up.
    pub(super) fn late(limit: Duration, stake: Stake) -> Self {
        let message = format!("the database did not answer within {limit:?}");
        Self {
            error: Error::new(ErrorKind::Timeout, message).effect(effect(stake)),
            again: false,
            broken: true,
        }
    }

    /// By [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html).
    fn postgres(code: &str, stake: Stake) -> Self {
        let class = code.get(..2).unwrap_or_default();
        let (kind, message) = match (class, code) {
            (_, "40001" | "40P01") => {
                (ErrorKind::Unavailable, "the database gave way to another transaction")
            }
            (_, "57014" | "25P03" | "25P04") => {
                (ErrorKind::Timeout, "the database gave up a statement that took too long")
            }
            (_, "55P03") => (ErrorKind::Timeout, "another transaction held a lock for too long"),
            ("57", _) | ("08", _) => {
                (ErrorKind::Unavailable, "the database is stopping, starting or restarting")
            }
            (_, "53100") => (ErrorKind::Unavailable, "no space is left for the database"),
            (_, "53300") => (ErrorKind::Unavailable, "the database has no connection to spare"),
            ("53", _) => (ErrorKind::Unavailable, "the database lacks a resource"),
            (_, "25006") => (ErrorKind::Denied, "the database is read-only: a standby, or set so"),
            ("28", _) | (_, "42501") => (ErrorKind::Denied, "the database refused access"),
            (_, "3D000") => (ErrorKind::Config, "there is no database of this name"),
            (_, "3F000") => (ErrorKind::Config, "there is no schema of this name"),
            (_, "42P07" | "42P16") => (ErrorKind::Config, "a table of this name exists, and is not larder's"),
            ("42", _) => (ErrorKind::Config, "the table is missing or not as larder made it"),
            (_, "54000" | "22001") | ("54", _) => (ErrorKind::Invalid, "more than the database takes"),
            (_, "XX001" | "XX002") => (ErrorKind::Corrupt, "the database says that it is damaged"),
            ("22", _) => (ErrorKind::Invalid, "the database did not accept a value"),
            _ => (ErrorKind::Unavailable, "the database refused the operation"),
        };
        // 57P01 to 57P03 end the session, and may come after a commit that was not reported yet. Everything else
        // is the answer to a statement, which then did nothing.
        let fatal =
            matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") || class == "08";
        let mut error = Error::new(kind, message).with("sqlstate", code);
        if fatal {
            error = error.effect(effect(stake));
        }
        if kind == ErrorKind::Unavailable {
            error = error.retry_after(RETRY_AFTER);
        }
        Self { error, again: matches!(code, "40001" | "40P01"), broken: fatal }
    }

    /// By [result code](https://www.sqlite.org/rescode.html), the extended one.
    fn sqlite(code: i32, stake: Stake) -> Self {
        const BUSY_SNAPSHOT: i32 = 517;
        let (kind, message) = match code & 0xff {
            5 | 6 => {
                (ErrorKind::Unavailable, "another process or connection holds the database for too long")
            }
            13 => (ErrorKind::Unavailable, "no space is left for the database"),
            10 => (ErrorKind::Unavailable, "reading or writing the database failed"),
            7 => (ErrorKind::Unavailable, "no memory is left for the database"),
            9 => (ErrorKind::Timeout, "the statement was interrupted"),
            11 | 26 => (ErrorKind::Corrupt, "the database file is damaged, or is none"),
            3 | 8 | 23 => (ErrorKind::Denied, "the database can't be written: access was refused"),
            14 => (ErrorKind::Denied, "the database file can't be opened"),
            18 => (ErrorKind::Invalid, "more than the database takes"),
            19 | 20 => (ErrorKind::Corrupt, "the table holds what larder did not write"),
            1 => (ErrorKind::Config, "the table is missing or not as larder made it"),
            _ => (ErrorKind::Unavailable, "the database refused the operation"),
        };
        // Of a sync that failed nobody knows what reached the disk: a crash may bring the commit back.
        let unknown = code & 0xff == 10;
        let mut error = Error::new(kind, message).with("sqlite", code);
        if unknown {
            error = error.effect(effect(stake));
        }
        if matches!(code & 0xff, 5 | 6) {
            error = error.retry_after(RETRY_AFTER);
        }
        // After these SQLite may have rolled a transaction back by itself, or not.
        let broken = matches!(code & 0xff, 7 | 9 | 10 | 11 | 13 | 26);
        Self { error, again: code == BUSY_SNAPSHOT, broken }
    }

    fn caused_by(mut self, cause: sqlx::Error) -> Self {
        self.error = self.error.caused_by(cause);
        self
    }
}

fn effect(stake: Stake) -> Effect {
    match stake {
        Stake::Nothing => Effect::None,
        Stake::Write => Effect::Unknown,
    }
}

/// sqlx hands on what its TLS says as an error of the connection.
fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|cause| cause.is::<rustls::Error>())
}

fn sqlite_code(error: &SqliteError) -> Option<i32> {
    sqlx::error::DatabaseError::code(error)?.parse().ok()
}

/// Bytes that do not match their checksum, or can't be what larder wrote.
pub(super) fn corrupt(message: &'static str, key: &[u8]) -> Error {
    Error::new(ErrorKind::Corrupt, message).with("key", String::from_utf8_lossy(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_have_happened_is_of_unknown_effect() {
        let of = |code, stake| Fault::postgres(code, stake);
        assert!(of("57P01", Stake::Write).error.is_effect_unknown());
        assert!(!of("57P01", Stake::Nothing).error.is_effect_unknown());
        assert!(!of("40001", Stake::Write).error.is_effect_unknown());
        assert!(Fault::sqlite(10 | (4 << 8), Stake::Write).error.is_effect_unknown());
        assert!(!Fault::sqlite(13, Stake::Write).error.is_effect_unknown());
        let lost = sqlx::Error::Io(io::ErrorKind::ConnectionReset.into());
        assert!(Fault::new(lost, Stake::Write).error.is_effect_unknown());
        assert!(!Fault::new(sqlx::Error::PoolTimedOut, Stake::Write).error.is_effect_unknown());
    }

    #[test]
    fn kinds_say_what_to_do() {
        let cases = [
            ("57P01", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("53300", ErrorKind::Unavailable),
            ("53100", ErrorKind::Unavailable),
            ("57014", ErrorKind::Timeout),
            ("28P01", ErrorKind::Denied),
            ("42501", ErrorKind::Denied),
            ("3D000", ErrorKind::Config),
            ("XX001", ErrorKind::Corrupt),
        ];
        for (code, kind) in cases {
            assert_eq!(Fault::postgres(code, Stake::Nothing).error.kind(), kind, "{code}");
        }
        for (code, kind) in [
            (5, ErrorKind::Unavailable),
            (13, ErrorKind::Unavailable),
            (10, ErrorKind::Unavailable),
            (11, ErrorKind::Corrupt),
            (26, ErrorKind::Corrupt),
            (8, ErrorKind::Denied),
            (14, ErrorKind::Denied),
        ] {
            assert_eq!(Fault::sqlite(code, Stake::Nothing).error.kind(), kind, "{code}");
        }
    }
}
