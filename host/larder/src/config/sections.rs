//! The three sections that the project was founded on: `storage`, `cache`, `persistence`.

use std::time::Duration;

use larder_core::Result;

use super::table::Table;

/// `storage`: where blobs are kept. In place of the table a URL will do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StorageSection {
    /// `file`, `memory`, `s3`, a plugin's name or a URL. Without it there is no blob store of this section.
    pub backend: Option<String>,
    /// What the backend `s3` needs.
    pub s3: Option<S3Section>,
    /// What the backend `file` needs.
    pub file: Option<FileSection>,
}

/// `storage.s3`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct S3Section {
    /// The bucket.
    pub bucket: Option<String>,
    /// Its region.
    pub region: Option<String>,
    /// What the paths of all blobs begin with in the bucket.
    pub prefix: Option<String>,
}

/// `storage.file`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileSection {
    /// The folder of the blobs; `./data/` where it is not given.
    pub path: Option<String>,
}

/// `cache`: the cache in front of slower stores.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CacheSection {
    /// Whether there is one. A section in a file that does not say it means that there is.
    pub enabled: bool,
    /// `memory`, `redis`, a plugin's name or a URL.
    pub backend: Option<String>,
    /// How long an entry lives.
    pub ttl: Option<Duration>,
    /// Most entries.
    pub max_size: Option<u64>,
    /// What the backend `redis` needs.
    pub redis: Option<RedisSection>,
}

/// `cache.redis`.
#[derive(Debug, Clone, PartialEq)]
pub struct RedisSection {
    /// Name or address; `localhost` where it is not given.
    pub host: String,
    /// Port; 6379 where it is not given.
    pub port: u16,
    /// Number of the database; 0 where it is not given.
    pub db: u32,
}

impl Default for RedisSection {
    fn default() -> Self {
        Self { host: "localhost".to_owned(), port: 6_379, db: 0 }
    }
}

/// `persistence`: which backends keep state and cached data.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PersistenceSection {
    /// Keeps the key-value store `state`: `file`, `memory`, `redis`, a plugin's name or a URL.
    pub state_backend: Option<String>,
    /// Keeps the key-value store `cache`, in the same words.
    pub cache_backend: Option<String>,
    /// How often expired entries are swept; a minute where it is not given.
    pub cleanup_interval: Option<Duration>,
}

pub(super) fn read(root: &Table<'_>) -> Result<(StorageSection, CacheSection, PersistenceSection)> {
    let storage = match root.text_instead("storage") {
        Some(url) => StorageSection { backend: Some(url.to_owned()), ..StorageSection::default() },
        None => root.table("storage", &["backend", "s3", "file"], storage)?.unwrap_or_default(),
    };
    let cache = match root.text_instead("cache") {
        Some(url) => CacheSection { enabled: true, backend: Some(url.to_owned()), ..CacheSection::default() },
        None => root
            .table("cache", &["enabled", "backend", "ttl", "max_size", "redis"], cache)?
            .unwrap_or_default(),
    };
    let known = ["state_backend", "cache_backend", "cleanup_interval"];
    let persistence = root.table("persistence", &known, persistence)?.unwrap_or_default();
    Ok((storage, cache, persistence))
}

fn storage(table: &Table<'_>) -> Result<StorageSection> {
    let s3 = table.table("s3", &["bucket", "region", "prefix"], |s3| {
        Ok(S3Section { bucket: s3.text("bucket")?, region: s3.text("region")?, prefix: s3.text("prefix")? })
    })?;
    let file = table.table("file", &["path"], |file| Ok(FileSection { path: file.text("path")? }))?;
    Ok(StorageSection { backend: table.text("backend")?, s3, file })
}

fn cache(table: &Table<'_>) -> Result<CacheSection> {
    let redis = table.table("redis", &["host", "port", "db"], redis)?;
    Ok(CacheSection {
        enabled: table.truth("enabled")?.unwrap_or(true),
        backend: table.text("backend")?,
        ttl: table.duration("ttl")?,
        max_size: table.number("max_size", u64::MAX)?,
        redis,
    })
}

fn redis(table: &Table<'_>) -> Result<RedisSection> {
    let default = RedisSection::default();
    let port = table.number("port", u64::from(u16::MAX))?.and_then(|port| u16::try_from(port).ok());
    let db = table.number("db", u64::from(u32::MAX))?.and_then(|db| u32::try_from(db).ok());
    Ok(RedisSection {
        host: table.text("host")?.unwrap_or(default.host),
        port: port.unwrap_or(default.port),
        db: db.unwrap_or(default.db),
    })
}

fn persistence(table: &Table<'_>) -> Result<PersistenceSection> {
    Ok(PersistenceSection {
        state_backend: table.text("state_backend")?,
        cache_backend: table.text("cache_backend")?,
        cleanup_interval: table.duration("cleanup_interval")?,
    })
}
