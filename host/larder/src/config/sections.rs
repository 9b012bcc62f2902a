//! The three sections that the project was founded on: `storage`, `cache`, `persistence`.

use std::{fmt, time::Duration};

use larder_core::Result;

use super::{
    redact::redact,
    remote::{self, RedisSection, S3Section},
    table::Table,
};

/// `storage`: where blobs are kept. In place of the table a URL will do.
#[derive(Clone, Default, PartialEq)]
pub struct StorageSection {
    /// `file`, `memory`, `s3`, a plugin's name or a URL. Without it there is no blob store of this section.
    pub backend: Option<String>,
    /// What the backend `s3` needs.
    pub s3: Option<S3Section>,
    /// What the backend `file` needs.
    pub file: Option<FileSection>,
}

/// `storage.file`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FileSection {
    /// The folder of the blobs; `./data/` where it is not given.
    pub path: Option<String>,
}

/// `cache`: the cache in front of slower stores.
#[derive(Clone, Default, PartialEq)]
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

/// `persistence`: which backends keep state and cached data.
#[derive(Clone, Default, PartialEq)]
pub struct PersistenceSection {
    /// Keeps the key-value store `state`: `file`, `memory`, `redis`, a plugin's name or a URL.
    pub state_backend: Option<String>,
    /// Keeps the key-value store `cache`, in the same words.
    pub cache_backend: Option<String>,
    /// How often expired entries are swept; a minute where it is not given.
    pub cleanup_interval: Option<Duration>,
    /// Where the server of the backend `redis` is; as in `cache.redis` where it is not given.
    pub redis: Option<RedisSection>,
}

// A URL may hold a password.
impl fmt::Debug for StorageSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StorageSection")
            .field("backend", &self.backend.as_deref().map(redact))
            .field("s3", &self.s3)
            .field("file", &self.file)
            .finish()
    }
}

impl fmt::Debug for CacheSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheSection")
            .field("enabled", &self.enabled)
            .field("backend", &self.backend.as_deref().map(redact))
            .field("ttl", &self.ttl)
            .field("max_size", &self.max_size)
            .field("redis", &self.redis)
            .finish()
    }
}

impl fmt::Debug for PersistenceSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PersistenceSection")
            .field("state_backend", &self.state_backend.as_deref().map(redact))
            .field("cache_backend", &self.cache_backend.as_deref().map(redact))
            .field("cleanup_interval", &self.cleanup_interval)
            .field("redis", &self.redis)
            .finish()
    }
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
    let known = ["state_backend", "cache_backend", "cleanup_interval", "redis"];
    let persistence = root.table("persistence", &known, persistence)?.unwrap_or_default();
    Ok((storage, cache, persistence))
}

fn storage(table: &Table<'_>) -> Result<StorageSection> {
    let s3 = table.table("s3", &remote::S3, remote::s3)?;
    let file = table.table("file", &["path"], |file| Ok(FileSection { path: file.text("path")? }))?;
    Ok(StorageSection { backend: table.text("backend")?, s3, file })
}

fn cache(table: &Table<'_>) -> Result<CacheSection> {
    let redis = table.table("redis", &remote::REDIS, remote::redis)?;
    Ok(CacheSection {
        enabled: table.truth("enabled")?.unwrap_or(true),
        backend: table.text("backend")?,
        ttl: table.duration("ttl")?,
        max_size: table.number("max_size", u64::MAX)?,
        redis,
    })
}

fn persistence(table: &Table<'_>) -> Result<PersistenceSection> {
    Ok(PersistenceSection {
        state_backend: table.text("state_backend")?,
        cache_backend: table.text("cache_backend")?,
        cleanup_interval: table.duration("cleanup_interval")?,
        redis: table.table("redis", &remote::REDIS, remote::redis)?,
    })
}
