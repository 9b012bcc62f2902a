//! Tables of stores that are reached over a network, or through a driver: `redis`, `s3`, `sql`.
//!
//! Passwords and keys stand here as they were typed, best as references; `Debug` shows references alone.

use std::fmt;

use larder_core::Result;

use super::{redact::redact, reference::Text, table::Table};

/// `redis`, in a store, in `persistence` or in `cache`.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisSection {
    /// Name or address; `localhost` where it is not given.
    pub host: String,
    /// Port; 6379 where it is not given.
    pub port: u16,
    /// Number of the database; 0 where it is not given.
    pub db: u32,
    /// The user of the server's access control list.
    pub user: Option<String>,
    /// Its password, best as a reference.
    pub password: Option<String>,
    /// What the keys of the store begin with on the server.
    pub prefix: Option<String>,
    /// Whether the connection is encrypted.
    pub tls: bool,
}

impl Default for RedisSection {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 6_379,
            db: 0,
            user: None,
            password: None,
            prefix: None,
            tls: false,
        }
    }
}

/// `s3`, in a store or in `storage`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct S3Section {
    /// The bucket.
    pub bucket: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// What the paths of all blobs begin with in the bucket.
    pub prefix: Option<String>,
    /// Where the service is, if it is not that of AWS.
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path, as most services but that of AWS want it.
    pub path_style: Option<bool>,
    /// The key's name.
    pub access_key_id: Option<String>,
    /// The key, best as a reference.
    pub secret_access_key: Option<String>,
    /// The token of a temporary key, best as a reference.
    pub session_token: Option<String>,
    /// Whether requests are sent without a key.
    pub anonymous: Option<bool>,
}

/// `sql`, in a store.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SqlSection {
    /// Which database: `postgres://` or `sqlite://`. May hold a password; best as a reference then.
    pub url: Option<String>,
    /// The table of the store.
    pub table: Option<String>,
    /// Most connections at once.
    pub connections_max: Option<u32>,
}

pub(super) const REDIS: [&str; 7] = ["host", "port", "db", "user", "password", "prefix", "tls"];
pub(super) const S3: [&str; 9] = [
    "bucket",
    "region",
    "prefix",
    "endpoint",
    "path_style",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "anonymous",
];
pub(super) const SQL: [&str; 3] = ["url", "table", "connections_max"];

pub(super) fn redis(table: &Table<'_>) -> Result<RedisSection> {
    let default = RedisSection::default();
    let port = table.number("port", u64::from(u16::MAX))?.and_then(|port| u16::try_from(port).ok());
    let db = table.number("db", u64::from(u32::MAX))?.and_then(|db| u32::try_from(db).ok());
    Ok(RedisSection {
        host: table.text("host")?.unwrap_or(default.host),
        port: port.unwrap_or(default.port),
        db: db.unwrap_or(default.db),
        user: table.text("user")?,
        password: table.text("password")?,
        prefix: table.text("prefix")?,
        tls: table.truth("tls")?.unwrap_or(default.tls),
    })
}

pub(super) fn s3(table: &Table<'_>) -> Result<S3Section> {
    Ok(S3Section {
        bucket: table.text("bucket")?,
        region: table.text("region")?,
        prefix: table.text("prefix")?,
        endpoint: table.text("endpoint")?,
        path_style: table.truth("path_style")?,
        access_key_id: table.text("access_key_id")?,
        secret_access_key: table.text("secret_access_key")?,
        session_token: table.text("session_token")?,
        anonymous: table.truth("anonymous")?,
    })
}

pub(super) fn sql(table: &Table<'_>) -> Result<SqlSection> {
    let connections_max = table.number("connections_max", u64::from(u32::MAX))?;
    Ok(SqlSection {
        url: table.text("url")?,
        table: table.text("table")?,
        connections_max: connections_max.and_then(|n| u32::try_from(n).ok()),
    })
}

/// Text that may be a secret, as it may be shown.
fn hidden(text: Option<&String>) -> Option<String> {
    text.map(|text| Text(text).to_string())
}

impl fmt::Debug for RedisSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSection")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("db", &self.db)
            .field("user", &self.user)
            .field("password", &hidden(self.password.as_ref()))
            .field("prefix", &self.prefix)
            .field("tls", &self.tls)
            .finish()
    }
}

impl fmt::Debug for S3Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Section")
            .field("bucket", &self.bucket)
            .field("region", &self.region)
            .field("prefix", &self.prefix)
            .field("endpoint", &self.endpoint.as_deref().map(redact))
            .field("path_style", &self.path_style)
            .field("access_key_id", &hidden(self.access_key_id.as_ref()))
            .field("secret_access_key", &hidden(self.secret_access_key.as_ref()))
            .field("session_token", &hidden(self.session_token.as_ref()))
            .field("anonymous", &self.anonymous)
            .finish()
    }
}

impl fmt::Debug for SqlSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlSection")
            .field("url", &self.url.as_deref().map(redact))
            .field("table", &self.table)
            .field("connections_max", &self.connections_max)
            .finish()
    }
}
