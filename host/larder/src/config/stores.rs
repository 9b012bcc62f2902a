//! `stores` and `plugins`: stores by name, and the components that can keep them.

use std::{collections::BTreeMap, fmt, time::Duration};

use larder_core::Result;

use super::{reference::Text, table::Table};

/// What a store keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreKind {
    /// Keys and values.
    #[default]
    Kv,
    /// Blobs.
    Blob,
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kv => "kv",
            Self::Blob => "blob",
        })
    }
}

/// `stores.NAME`. In place of the table a URL will do; such a store is key-value, but for `s3://`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StoreSection {
    /// `kv` or `blob`.
    pub kind: StoreKind,
    /// Where it is, instead of `backend` and `path`.
    pub url: Option<String>,
    /// `memory`, `file` or a plugin's name.
    pub backend: Option<String>,
    /// The folder of the backend `file`.
    pub path: Option<String>,
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
    /// How often expired entries are swept, of a key-value store in files.
    pub cleanup_interval: Option<Duration>,
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
    /// `auto`, `inline` or `fiber`.
    pub mode: Option<String>,
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
            .field("mode", &self.mode)
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
}

impl fmt::Debug for GrantsSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrantsSection")
            .field("folders", &self.folders)
            .field("env", &self.env)
            .field("secrets", &Shown(&self.secrets))
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

/// `plugins.NAME.limits`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitsSection {
    /// Longest time of one call.
    pub deadline: Option<Duration>,
    /// Most memory of one instance, in bytes.
    pub memory: Option<u64>,
    /// Most instances.
    pub instances: Option<u32>,
}

const STORE: [&str; 10] = [
    "kind",
    "url",
    "backend",
    "path",
    "layers",
    "value_max",
    "timeout",
    "retries",
    "concurrency",
    "cleanup_interval",
];
const PLUGIN: [&str; 6] = ["path", "sha256", "settings", "grants", "limits", "mode"];
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
    let kind = if url.starts_with("s3://") { StoreKind::Blob } else { StoreKind::Kv };
    StoreSection { kind, url: Some(url.to_owned()), ..StoreSection::default() }
}

fn store(table: &Table<'_>) -> Result<StoreSection> {
    let count = |key| Ok(table.number(key, u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok()));
    Ok(StoreSection {
        kind: table.word("kind", &[("kv", StoreKind::Kv), ("blob", StoreKind::Blob)])?.unwrap_or_default(),
        url: table.text("url")?,
        backend: table.text("backend")?,
        path: table.text("path")?,
        layers: table.texts("layers")?,
        value_max: table.size("value_max")?,
        timeout: table.duration("timeout")?,
        retries: count("retries")?,
        concurrency: count("concurrency")?,
        cleanup_interval: table.duration("cleanup_interval")?,
    })
}

fn plugin(table: &Table<'_>) -> Result<PluginSection> {
    let settings = table.any_table("settings", settings)?.unwrap_or_default();
    let limits = table.table("limits", &["deadline", "memory", "instances"], limits)?.unwrap_or_default();
    let path = table
        .text("path")?
        .ok_or_else(|| table.refuse("path", "missing: the file of the component".to_owned()))?;
    Ok(PluginSection {
        path,
        sha256: table.text("sha256")?,
        settings,
        grants: table.table("grants", &GRANTS, grants)?.unwrap_or_default(),
        limits,
        mode: table.text("mode")?,
    })
}

fn settings(table: &Table<'_>) -> Result<BTreeMap<String, String>> {
    table.keys().map(|name| Ok((name.to_owned(), table.setting(name)?))).collect()
}

fn grants(table: &Table<'_>) -> Result<GrantsSection> {
    for key in ["tcp", "http"] {
        if table.has(key) {
            let message = format!("network grants (`{key}`) are not built yet; folders, env and secrets are");
            return Err(table.refuse(key, message));
        }
    }
    Ok(GrantsSection {
        folders: table.tables("folders", &FOLDER, folder)?,
        env: table.texts("env")?,
        secrets: table.any_table("secrets", settings)?.unwrap_or_default(),
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

fn limits(table: &Table<'_>) -> Result<LimitsSection> {
    let instances = table.number("instances", u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok());
    Ok(LimitsSection { deadline: table.duration("deadline")?, memory: table.size("memory")?, instances })
}
