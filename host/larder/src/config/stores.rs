//! `stores` and `plugins`: stores by name, and the components that can keep them.

use std::{collections::BTreeMap, fmt, time::Duration};

use larder_core::Result;
use serde::Serialize;

use super::{
    limits::{self, LIMITS, LimitsSection, OnFailureSection, SUPERVISION, SupervisionSection},
    origins::{self, HttpSection},
    redact::redact,
    reference::Text,
    remote::{self, RedisSection, S3Section, SqlSection},
    swap::{self, SWAP, SwapSection},
    table::Table,
};
use crate::backends;

/// What a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// Keys and values.
    #[default]
    Kv,
    /// Blobs.
    Blob,
}

impl StoreKind {
    /// What a store of this kind keeps, in words.
    pub(crate) fn plural(self) -> &'static str {
        match self {
            Self::Kv => "entries",
            Self::Blob => "blobs",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kv => "kv",
            Self::Blob => "blob",
        })
    }
}

/// `stores.NAME`. In place of the table a URL will do.
#[derive(Clone, Default, PartialEq)]
pub struct StoreSection {
    /// `kv` or `blob`.
    pub kind: StoreKind,
    /// Where it is, instead of `backend` and `path`.
    pub url: Option<String>,
    /// A backend's name, as `larder backends` lists them, or a plugin's.
    pub backend: Option<String>,
    /// The folder of the backend `file`, the file of the backend `sqlite`.
    pub path: Option<String>,
    /// Where the server of the backend `redis` is.
    pub redis: Option<RedisSection>,
    /// The bucket of the backend `s3`.
    pub s3: Option<S3Section>,
    /// The table of the backends `postgres` and `sqlite`.
    pub sql: Option<SqlSection>,
    /// The service of the backend `opendal`.
    pub scheme: Option<String>,
    /// What that service is opened with. A value may be `${VAR}` or `file:PATH`.
    pub options: BTreeMap<String, String>,
    /// What the store must be able to do: it is not opened where it can't.
    pub requires: Vec<String>,
    /// Plugins in front of the backend, the outermost first.
    pub layers: Vec<String>,
    /// Largest value in bytes, of a key-value store.
    pub value_max: Option<u64>,
    /// Longest time of one attempt.
    pub timeout: Option<Duration>,
    /// How often an operation is repeated where the backend is unavailable and nothing was written.
    pub retries: Option<u32>,
    /// Most operations at once; more wait.
    pub concurrency: Option<u32>,
    /// How often expired entries are swept, where the backend sweeps them.
    pub cleanup_interval: Option<Duration>,
    /// What it does while a plugin of it fails.
    pub on_failure: Option<OnFailureSection>,
}

// URLs and options may hold secrets.
impl fmt::Debug for StoreSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreSection")
            .field("kind", &self.kind)
            .field("url", &self.url.as_deref().map(redact))
            .field("backend", &self.backend.as_deref().map(redact))
            .field("path", &self.path)
            .field("redis", &self.redis)
            .field("s3", &self.s3)
            .field("sql", &self.sql)
            .field("scheme", &self.scheme)
            .field("options", &Shown(&self.options))
            .field("requires", &self.requires)
            .field("layers", &self.layers)
            .field("value_max", &self.value_max)
            .field("timeout", &self.timeout)
            .field("retries", &self.retries)
            .field("concurrency", &self.concurrency)
            .field("cleanup_interval", &self.cleanup_interval)
            .field("on_failure", &self.on_failure)
            .finish()
    }
}

/// `plugins.NAME`.
#[derive(Clone, Default, PartialEq)]
pub struct PluginSection {
    /// The component's file.
    pub path: String,
    /// Digest that the file must have, in hexadecimal.
    pub sha256: Option<String>,
    /// What the plugin is configured with. A value may be `${VAR}` or `file:PATH`.
    pub settings: BTreeMap<String, String>,
    /// What it may use.
    pub grants: GrantsSection,
    /// How much of it.
    pub limits: LimitsSection,
    /// What its component may do wrong.
    pub supervision: SupervisionSection,
    /// `auto`, `inline` or `fiber`.
    pub mode: Option<String>,
    /// How it is swapped.
    pub swap: SwapSection,
}

// A literal setting may be a secret.
impl fmt::Debug for PluginSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSection")
            .field("path", &self.path)
            .field("sha256", &self.sha256)
            .field("settings", &Shown(&self.settings))
            .field("grants", &self.grants)
            .field("limits", &self.limits)
            .field("supervision", &self.supervision)
            .field("mode", &self.mode)
            .field("swap", &self.swap)
            .finish()
    }
}

struct Shown<'a>(&'a BTreeMap<String, String>);

impl fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, value)| (name, Text(value).to_string()))).finish()
    }
}

/// `plugins.NAME.grants`. Nothing is granted that is not written here.
#[derive(Clone, Default, PartialEq)]
pub struct GrantsSection {
    /// Folders.
    pub folders: Vec<FolderSection>,
    /// Environment variables, by name.
    pub env: Vec<String>,
    /// Settings that are secrets: each value is a reference, `${VAR}` or `file:PATH`.
    pub secrets: BTreeMap<String, String>,
    /// Hosts and ports that it may connect to, such as `cache.internal:11211`; references are not read.
    pub tcp: Vec<String>,
    /// Origins that it may send requests to by HTTP.
    pub http: Vec<HttpSection>,
}

impl fmt::Debug for GrantsSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantsSection")
            .field("folders", &self.folders)
            .field("env", &self.env)
            .field("secrets", &Shown(&self.secrets))
            .field("tcp", &self.tcp)
            .field("http", &self.http)
            .finish()
    }
}

/// An entry of `plugins.NAME.grants.folders`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FolderSection {
    /// The folder on this machine; it is created where it is missing and may be written.
    pub path: String,
    /// The name by which the plugin sees it (`as`).
    pub guest: String,
    /// What the plugin may do in it.
    pub access: AccessSection,
}

/// What a plugin may do in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessSection {
    /// Read only (`read`).
    #[default]
    Read,
    /// Read and write (`read-write`).
    ReadWrite,
}

const STORE: [&str; 17] = [
    "kind",
    "url",
    "backend",
    "path",
    "redis",
    "s3",
    "sql",
    "scheme",
    "options",
    "requires",
    "layers",
    "value_max",
    "timeout",
    "retries",
    "concurrency",
    "cleanup_interval",
    "on_failure",
];
const PLUGIN: [&str; 8] = ["path", "sha256", "settings", "grants", "limits", "supervision", "mode", "swap"];
const GRANTS: [&str; 5] = ["folders", "env", "secrets", "tcp", "http"];
const FOLDER: [&str; 3] = ["path", "as", "access"];

type Sections = (BTreeMap<String, StoreSection>, BTreeMap<String, PluginSection>);

pub(super) fn read(root: &Table<'_>) -> Result<Sections> {
    let stores = root.any_table("stores", |stores| {
        named(stores, |name| match stores.text_instead(name) {
            Some(url) => Ok(from_url(url)),
            None => Ok(stores.table(name, &STORE, store)?.unwrap_or_default()),
        })
    })?;
    let plugins = root.any_table("plugins", |plugins| {
        named(plugins, |name| match plugins.table(name, &PLUGIN, plugin)? {
            Some(plugin) => Ok(plugin),
            None => Err(plugins.refuse(name, "expected a table with at least `path`".to_owned())),
        })
    })?;
    Ok((stores.unwrap_or_default(), plugins.unwrap_or_default()))
}

fn named<T>(table: &Table<'_>, read: impl Fn(&str) -> Result<T>) -> Result<BTreeMap<String, T>> {
    table
        .keys()
        .map(|name| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if name.is_empty() || !name.bytes().all(fits) {
                let message = "expected a name of letters, digits, `-` and `_`".to_owned();
                return Err(table.refuse(name, message));
            }
            Ok((name.to_owned(), read(name)?))
        })
        .collect()
}

fn from_url(url: &str) -> StoreSection {
    let kind = default_kind(Some(url), None);
    StoreSection { kind, url: Some(url.to_owned()), ..StoreSection::default() }
}

/// What a store keeps that does not say it: blobs where its backend keeps nothing else.
fn default_kind(url: Option<&str>, backend: Option<&str>) -> StoreKind {
    let of_url = |url: &&str| backends::of_url(url);
    let backend = url
        .as_ref()
        .and_then(of_url)
        .or(backend.as_ref().and_then(of_url))
        .or(backend.and_then(backends::named));
    match backend {
        Some(backend) if !backend.keeps(StoreKind::Kv) => StoreKind::Blob,
        _ => StoreKind::Kv,
    }
}

fn store(table: &Table<'_>) -> Result<StoreSection> {
    let count = |key| Ok(table.number(key, u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok()));
    let (url, mut backend) = (table.text("url")?, table.text("backend")?);
    let redis = table.table("redis", &remote::REDIS, remote::redis)?;
    let s3 = table.table("s3", &remote::S3, remote::s3)?;
    let sql = table.table("sql", &remote::SQL, remote::sql)?;
    if url.is_none() && backend.is_none() {
        // A table of a backend's own says which one is meant.
        backend = [("redis", redis.is_some()), ("s3", s3.is_some())]
            .into_iter()
            .find_map(|(name, is_there)| is_there.then(|| name.to_owned()))
            .or_else(|| sql.as_ref().and_then(|sql| sql.url.clone()));
    }
    let kind = table.word("kind", &[("kv", StoreKind::Kv), ("blob", StoreKind::Blob)])?;
    Ok(StoreSection {
        kind: kind.unwrap_or_else(|| default_kind(url.as_deref(), backend.as_deref())),
        url,
        backend,
        path: table.text("path")?,
        redis,
        s3,
        sql,
        scheme: table.text("scheme")?,
        options: table.any_table("options", settings)?.unwrap_or_default(),
        requires: table.texts("requires")?,
        layers: table.texts("layers")?,
        value_max: table.size("value_max")?,
        timeout: table.duration("timeout")?,
        retries: count("retries")?,
        concurrency: count("concurrency")?,
        cleanup_interval: table.duration("cleanup_interval")?,
        on_failure: limits::on_failure(table)?,
    })
}

fn plugin(table: &Table<'_>) -> Result<PluginSection> {
    let settings = table.any_table("settings", settings)?.unwrap_or_default();
    let limits = table.table("limits", &LIMITS, limits::limits)?.unwrap_or_default();
    let supervision = table.table("supervision", &SUPERVISION, limits::supervision)?.unwrap_or_default();
    let path = table
        .text("path")?
        .ok_or_else(|| table.refuse("path", "missing: the file of the component".to_owned()))?;
    Ok(PluginSection {
        path,
        sha256: table.text("sha256")?,
        settings,
        grants: table.table("grants", &GRANTS, grants)?.unwrap_or_default(),
        limits,
        supervision,
        mode: table.text("mode")?,
        swap: table.table("swap", &SWAP, swap::read)?.unwrap_or_default(),
    })
}

fn settings(table: &Table<'_>) -> Result<BTreeMap<String, String>> {
    table.keys().map(|name| Ok((name.to_owned(), table.setting(name)?))).collect()
}

fn grants(table: &Table<'_>) -> Result<GrantsSection> {
    Ok(GrantsSection {
        folders: table.tables("folders", &FOLDER, folder)?,
        env: table.texts("env")?,
        secrets: table.any_table("secrets", settings)?.unwrap_or_default(),
        tcp: table.texts("tcp")?,
        http: origins::read(table)?,
    })
}

fn folder(table: &Table<'_>) -> Result<FolderSection> {
    let required =
        |key: &str, what: &str| table.text(key)?.ok_or_else(|| table.refuse(key, format!("missing: {what}")));
    let words = [("read", AccessSection::Read), ("read-write", AccessSection::ReadWrite)];
    Ok(FolderSection {
        path: required("path", "the folder on this machine")?,
        guest: required("as", "the name by which the plugin sees the folder, such as /data")?,
        access: table.word("access", &words)?.unwrap_or_default(),
    })
}
