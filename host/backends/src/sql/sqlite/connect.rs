//! Opening the file: its folder, its pools of connections, its journal, and what is verified before it is used.

use std::{
    fs::{self, File},
    path::Path,
    time::Duration,
};

use futures::TryStreamExt as _;
use larder_core::{Error, ErrorKind, Result};
use sqlx::{
    ConnectOptions as _, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolOptions,
    query,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::time::sleep;

use super::{
    row::{Stored, column},
    statements::Statements,
};
use crate::sql::{
    SqlOptions,
    driver::Answer,
    error::{Fault, Stake},
    lease::Lease,
};

/// Rows that SQLite may be ahead of whoever reads a scan: each may be as large as a value.
const ROWS_AHEAD: usize = 8;
/// The write-ahead log is cut back to this size in bytes after a checkpoint; a large commit may have let it grow.
const JOURNAL_BYTES_KEPT: u64 = 64 << 20;
/// Between two tries to change the journal mode, for which SQLite does not wait by itself.
const JOURNAL_WAIT: Duration = Duration::from_millis(10);

/// One connection that writes, for SQLite has one writer at a time, and several that read.
#[derive(Debug)]
pub(super) struct Pools {
    pub(super) writer: SqlitePool,
    pub(super) readers: SqlitePool,
}

impl Pools {
    pub(super) fn new(options: &SqlOptions, path: &Path) -> Self {
        let file = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(options.statement_timeout)
            .synchronous(SqliteSynchronous::Full)
            .pragma("journal_size_limit", JOURNAL_BYTES_KEPT.to_string())
            // Damage is to be found when it is read, and a file from elsewhere is to be read and not run.
            .pragma("cell_size_check", "ON")
            .pragma("trusted_schema", "OFF")
            .row_buffer_size(ROWS_AHEAD)
            .disable_statement_logging();
        let pool = |connections: u32| {
            PoolOptions::<Sqlite>::new()
                .max_connections(connections)
                .acquire_timeout(options.connect_timeout)
                .test_before_acquire(false)
                .max_lifetime(None)
                .idle_timeout(None)
        };
        let readers = options.connections_max.saturating_sub(1).max(1);
        Self {
            writer: pool(1).connect_lazy_with(file.clone().create_if_missing(true)),
            readers: pool(readers).connect_lazy_with(file.pragma("query_only", "ON")),
        }
    }
}

/// Makes the folder of the file with its parents, so that they are still there after a power failure. The file itself
/// SQLite makes, and syncs.
///
/// # Errors
/// What the file system says.
pub(super) fn create_folder(path: &Path) -> Result<()> {
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else { return Ok(()) };
    let missing: Vec<_> =
        folder.ancestors().take_while(|at| !at.as_os_str().is_empty() && !at.exists()).collect();
    let made = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        for parent in missing.iter().filter_map(|made| made.parent()).filter(|_| cfg!(unix)) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    made().map_err(|cause| {
        let kind = match cause.kind() {
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                ErrorKind::Denied
            }
            std::io::ErrorKind::NotADirectory | std::io::ErrorKind::AlreadyExists => ErrorKind::Config,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, "the folder of the SQLite file can't be made").caused_by(cause)
    })
}

/// Puts the file into WAL mode, where it stays: readers and the writer then don't wait for each other.
///
/// Several processes may do this at once; SQLite then refuses all but one instead of letting them wait.
pub(super) async fn keep_a_log(lease: &mut Lease<Sqlite>, limit: Duration) -> Answer<()> {
    let waits = limit.as_millis() / JOURNAL_WAIT.as_millis().max(1);
    let mut tried = 0;
    loop {
        match lease.row(query("PRAGMA journal_mode = WAL"), Stake::Nothing).await {
            Ok(row) => {
                let mode: String = row.map(|row| column(&row, 0)).transpose()?.unwrap_or_default();
                if mode.eq_ignore_ascii_case("wal") {
                    return Ok(());
                }
                let message = "the file system has no shared memory, which SQLite needs for several readers";
                return Err(Error::unsupported(message).with("journal", mode).into());
            }
            Err(fault) if fault.broken || tried >= waits || fault.error.kind() != ErrorKind::Unavailable => {
                return Err(fault);
            }
            Err(_) => {
                tried += 1;
                sleep(JOURNAL_WAIT).await;
            }
        }
    }
}

/// Verifies the whole file: SQLite's own structures, and the checksum of every row. So a damaged key can't pass for a
/// missing one.
///
/// # Errors
/// `corrupt`, where any of it does not hold.
pub(super) async fn verify(connection: &mut SqliteConnection, statements: &Statements) -> Answer<()> {
    let check = query("PRAGMA integrity_check(1)").fetch_all(&mut *connection).await;
    let check = check.map_err(|error| Fault::new(error, Stake::Nothing))?;
    let said: String = check.first().map(|row| column(row, 0)).transpose()?.unwrap_or_default();
    if said != "ok" {
        return Err(Error::new(ErrorKind::Corrupt, "the database file is damaged")
            .with("sqlite", said)
            .into());
    }
    let mut rows = query(statements.verify.clone()).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|error| Fault::new(error, Stake::Nothing))? {
        Stored::read(&row)?.value()?;
    }
    Ok(())
}
