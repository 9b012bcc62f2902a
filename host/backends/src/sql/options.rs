//! How a store is connected to its database.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use larder_core::{Clock, Error, Result, limits::VALUE_BYTES_MAX};
use sqlx::postgres::PgConnectOptions;

use super::{name::Name, url};

/// Largest value that can be configured, in bytes. Values are held in memory whole, several times over on their way,
/// and both databases end at 1 GB per row.
const VALUE_BYTES_CEILING: usize = 256 << 20;

/// Most connections of one store: PostgreSQL servers take 100 of all their clients unless configured otherwise.
const CONNECTIONS_CEILING: u32 = 1_000;

/// Longest wait that can be configured: longer is a mistake of units.
const WAIT_CEILING: Duration = Duration::from_secs(24 * 3_600);

/// How a [`SqlKv`](super::SqlKv) is connected. `Debug` and `Display` show no password.
#[derive(Clone)]
pub struct SqlOptions {
    pub(super) target: Target,
    pub(super) table: String,
    pub(super) schema: Option<String>,
    pub(super) connections_max: u32,
    pub(super) connect_timeout: Duration,
    pub(super) statement_timeout: Duration,
    pub(super) cleanup_interval: Duration,
    pub(super) value_bytes_max: usize,
    pub(super) verify_bytes_max: u64,
    pub(super) clock: Option<Arc<dyn Clock>>,
}

/// Which database.
#[derive(Clone)]
pub(super) enum Target {
    Postgres(Box<PgConnectOptions>),
    Sqlite(PathBuf),
}

impl SqlOptions {
    /// Reads a URL.
    ///
    /// * `postgres://USER:PASSWORD@HOST:PORT/DATABASE?NAME=VALUE&...` (or `postgresql:`), with `sslmode` (`disable`,
    ///   `allow`, `prefer`, `require`, `verify-ca`, `verify-full`), `sslrootcert`, `sslcert`, `sslkey`,
    ///   `application_name`, `host` (a folder with a Unix socket), `schema`, `table` and `connections_max`. What is
    ///   left out comes from PostgreSQL's own environment variables, such as `PGUSER` and `PGPASSWORD`.
    /// * `sqlite:///absolute/path.db`, `sqlite://relative/path.db` (or `sqlite:path`), with `table` and
    ///   `connections_max`. What follows `sqlite://` is the path, as it stands and relative to the working folder;
    ///   `%3F` is a question mark in it. The file and its folder are made where they are missing. `:memory:` is
    ///   refused: `memory://` is for that.
    ///
    /// # Errors
    /// `config`, saying what would be right. No error shows the URL, which may hold a password.
    pub fn from_url(url: &str) -> Result<Self> {
        url::parse(url)
    }

    /// The file that a SQLite store is in; none of a server.
    pub fn file(&self) -> Option<&Path> {
        match &self.target {
            Target::Sqlite(path) => Some(path),
            _ => None,
        }
    }

    /// Options for a database, everything else being the default.
    pub(super) fn new(target: Target) -> Self {
        Self {
            target,
            table: "larder".to_owned(),
            schema: None,
            connections_max: 10,
            connect_timeout: Duration::from_secs(5),
            statement_timeout: Duration::from_secs(30),
            cleanup_interval: Duration::from_secs(60),
            value_bytes_max: VALUE_BYTES_MAX,
            verify_bytes_max: 64 << 20,
            clock: None,
        }
    }

    /// The store's table (`larder`). Any name the database takes, up to 63 bytes; it is quoted.
    #[must_use]
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// The schema of the table, made where it is missing; without, the connection's own (usually `public`).
    /// PostgreSQL alone has schemas.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// Most connections at once (10). In SQLite one of them writes and the others read.
    #[must_use]
    pub fn connections_max(mut self, connections: u32) -> Self {
        self.connections_max = connections;
        self
    }

    /// Longest wait for a free connection, and for a new one to be made (5 s).
    #[must_use]
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }

    /// Longest time of one statement (30 s): PostgreSQL gives it up by itself then; in SQLite it is the longest wait
    /// for another process. An answer that does not come a little later costs the connection.
    #[must_use]
    pub fn statement_timeout(mut self, limit: Duration) -> Self {
        self.statement_timeout = limit;
        self
    }

    /// How often expired entries are removed in the background (60 s). They are invisible at once, in any case. Zero
    /// switches the sweep off.
    #[must_use]
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// Largest value in bytes (8 MiB), at most 256 MiB.
    #[must_use]
    pub fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.value_bytes_max = bytes;
        self
    }

    /// Up to this size in bytes (64 MiB) a SQLite file is verified whole each time it is opened, which takes about a
    /// second per 250 MiB. Damage to a larger one is found when the damaged part is read.
    #[must_use]
    pub fn verify_bytes_max(mut self, bytes: u64) -> Self {
        self.verify_bytes_max = bytes;
        self
    }

    /// Decides over expiry in the place of the server's clock (PostgreSQL) or of this machine's (SQLite). All stores
    /// on one table have to agree on it.
    #[must_use]
    pub fn clock(mut self, clock: Option<Arc<dyn Clock>>) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        self.table_name()?;
        if self.schema_name()?.is_some() && matches!(self.target, Target::Sqlite(_)) {
            return Err(Error::config(
                "SQLite has no schemas: leave `schema` out, and give `table` another name",
            ));
        }
        if self.value_bytes_max == 0 || self.value_bytes_max > VALUE_BYTES_CEILING {
            return Err(Error::config(format!(
                "values of at most {} bytes; a SQL store takes 1 to {VALUE_BYTES_CEILING}",
                self.value_bytes_max
            )));
        }
        if self.connections_max == 0 || self.connections_max > CONNECTIONS_CEILING {
            return Err(Error::config(format!(
                "at most {} connections; a SQL store takes 1 to {CONNECTIONS_CEILING}",
                self.connections_max
            )));
        }
        for (what, limit) in
            [("connect_timeout", self.connect_timeout), ("statement_timeout", self.statement_timeout)]
        {
            if limit.as_millis() == 0 || limit > WAIT_CEILING {
                return Err(Error::config(format!(
                    "a {what} of {limit:?}; it must be from 1 ms to 24 hours"
                )));
            }
        }
        Ok(())
    }

    pub(super) fn table_name(&self) -> Result<Name> {
        Name::new("table", &self.table)
    }

    pub(super) fn schema_name(&self) -> Result<Option<Name>> {
        self.schema.as_deref().map(|schema| Name::new("schema", schema)).transpose()
    }
}

impl fmt::Display for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.target {
            Target::Postgres(options) => {
                write!(f, "postgres({}:{}", options.get_host(), options.get_port())?;
                if let Some(database) = options.get_database() {
                    write!(f, "/{database}")?;
                }
            }
            Target::Sqlite(path) => write!(f, "sqlite({}", path.display())?,
        }
        f.write_str(", ")?;
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        write!(f, "{})", self.table)
    }
}

impl fmt::Debug for SqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlOptions")
            .field("store", &format_args!("{self}"))
            .field("connections_max", &self.connections_max)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .field("cleanup_interval", &self.cleanup_interval)
            .field("value_bytes_max", &self.value_bytes_max)
            .field("verify_bytes_max", &self.verify_bytes_max)
            .field("clock", &self.clock)
            .finish()
    }
}
