//! What the user typed: the configuration, read but not yet judged.
//!
//! A [`Config`] comes from YAML or TOML (same keys) with overrides from the environment, or is put
//! together in code. Reading refuses what has the wrong shape: unknown keys at every level, wrong
//! types. What it says is judged when it becomes a [`Plan`](crate::Plan).
//!
//! References (`${VAR}`, `file:PATH`) stay as they were typed and are resolved only in the plan, so
//! that no secret is ever part of a `Config`. Literal settings of plugins are not printed either.
//!
//! ```
//! use larder::Config;
//!
//! let error = Config::from_yaml("storage:\n  s3:\n    buckt: pages\n").unwrap_err();
//! assert_eq!(error.context("key"), Some("storage.s3.buckt"));
//! assert!(error.message().contains("`bucket`"));
//! ```

mod control;
mod environment;
mod limits;
mod origin;
mod origins;
mod overrides;
mod parse;
mod redact;
mod reference;
mod remote;
mod sections;
mod stores;
mod swap;
mod table;
mod units;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use larder_core::{Error, Result};
use serde_json::Value;

pub use self::{
    control::ControlSection,
    environment::Environment,
    limits::{LimitsSection, OnFailureSection, SupervisionSection},
    origins::HttpSection,
    remote::{RedisSection, S3Section, SqlSection},
    sections::{CacheSection, FileSection, PersistenceSection, StorageSection},
    stores::{AccessSection, FolderSection, GrantsSection, PluginSection, StoreKind, StoreSection},
    swap::{ShadowSection, SwapSection},
};
pub(crate) use self::{
    origin::Origin,
    redact::redact,
    reference::Text,
    table::nearest,
    units::{show_duration, show_size},
};
use self::{parse::Format, table::Table};

/// The keys of the top level: the seed's three sections, then larder's own.
pub(crate) const SECTIONS: [&str; 7] =
    ["storage", "cache", "persistence", "stores", "plugins", "plugin_cache", "control"];

/// Largest configuration file in bytes: far above what a person writes, far below what hurts.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A configuration as it was typed.
///
/// The fields are open, so that a configuration can also be put together or changed in code:
///
/// ```
/// use std::time::Duration;
///
/// let mut config = larder::Config::default();
/// config.cache.backend = Some("memory".into());
/// config.cache.ttl = Some(Duration::from_secs(3600));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// Where blobs are kept.
    pub storage: StorageSection,
    /// The cache in front of slower stores.
    pub cache: CacheSection,
    /// Where state and cached data are kept.
    pub persistence: PersistenceSection,
    /// Stores by name.
    pub stores: BTreeMap<String, StoreSection>,
    /// WebAssembly plugins by name. A plugin's name can stand wherever a backend is named.
    pub plugins: BTreeMap<String, PluginSection>,
    /// Where the running host can be asked; nowhere if there is no such section.
    pub control: Option<ControlSection>,
    /// The folder where compiled plugins are kept, or `off`. Where it is not given, the user's own folder for such
    /// things, if the environment names one.
    pub plugin_cache: Option<String>,
    pub(crate) origin: Origin,
    pub(crate) environment: Environment,
}

impl Config {
    /// Reads a file (`.yaml`, `.yml` or `.toml`) with the overrides of this process's environment.
    ///
    /// # Errors
    /// `config`, naming the file, the key and what would be right.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        Self::load_in(path, Environment::of_process())
    }

    /// Reads a file with the overrides of another environment.
    ///
    /// # Errors
    /// `config`, naming the file, the key and what would be right.
    pub fn load_in(path: impl AsRef<Path>, environment: Environment) -> Result<Self> {
        let path = path.as_ref();
        let format = Format::of(path)?;
        let text = read(path)?;
        Self::read_text(&text, format, Origin::file(path), environment)
    }

    /// Reads YAML. Relative paths count from the working folder; there is no environment.
    ///
    /// # Errors
    /// `config`, naming the key and what would be right.
    pub fn from_yaml(text: &str) -> Result<Self> {
        Self::from_yaml_in(text, Environment::default())
    }

    /// Reads YAML with the overrides of an environment.
    ///
    /// # Errors
    /// `config`, naming the key and what would be right.
    pub fn from_yaml_in(text: &str, environment: Environment) -> Result<Self> {
        Self::read_text(text, Format::Yaml, Origin::default(), environment)
    }

    /// Reads TOML. Relative paths count from the working folder; there is no environment.
    ///
    /// # Errors
    /// `config`, naming the key and what would be right.
    pub fn from_toml(text: &str) -> Result<Self> {
        Self::from_toml_in(text, Environment::default())
    }

    /// Reads TOML with the overrides of an environment.
    ///
    /// # Errors
    /// `config`, naming the key and what would be right.
    pub fn from_toml_in(text: &str, environment: Environment) -> Result<Self> {
        Self::read_text(text, Format::Toml, Origin::default(), environment)
    }

    /// No file at all: defaults with the overrides of an environment.
    ///
    /// # Errors
    /// `config`, naming the variable and what would be right.
    pub fn from_environment(environment: Environment) -> Result<Self> {
        Self::read_tree(Value::Null, Origin::default(), environment)
    }

    /// Counts relative paths from `folder` instead of the folder of the file.
    #[must_use]
    pub fn relative_to(mut self, folder: impl Into<PathBuf>) -> Self {
        self.origin.folder = folder.into();
        self
    }

    /// Resolves references (`${VAR}`) in another environment. What the configuration says stays as it is.
    #[must_use]
    pub fn in_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    fn read_text(text: &str, format: Format, origin: Origin, environment: Environment) -> Result<Self> {
        let tree = format.parse(text).map_err(|error| origin.explain(error, ""))?;
        Self::read_tree(tree, origin, environment)
    }

    fn read_tree(mut tree: Value, mut origin: Origin, environment: Environment) -> Result<Self> {
        overrides::apply(&mut tree, &environment, &mut origin)?;
        let empty = serde_json::Map::new();
        let root = match &tree {
            Value::Null => Table::root(&empty, &origin, &environment, &SECTIONS)?,
            Value::Object(map) => Table::root(map, &origin, &environment, &SECTIONS)?,
            _ => return Err(origin.explain(Error::config("expected a table of sections"), "")),
        };
        let (storage, cache, persistence) = sections::read(&root)?;
        let (stores, plugins) = stores::read(&root)?;
        let plugin_cache = root.text_or_off("plugin_cache")?;
        let control = control::read(&root)?;
        Ok(Self { storage, cache, persistence, stores, plugins, control, plugin_cache, origin, environment })
    }
}

/// Reads a duration as a configuration has it: `30s`, `5m`, `250ms`, or seconds.
pub fn parse_duration(text: &str) -> Option<std::time::Duration> {
    units::duration(text)
}

/// Reads a size as a configuration has it: `64KiB`, `10MB`, or bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    units::size(text)
}

fn read(path: &Path) -> Result<String> {
    let refuse = |message: String| Error::config(message).with("file", path.display());
    let metadata =
        std::fs::metadata(path).map_err(|e| refuse("the file can't be read".to_owned()).caused_by(e))?;
    if metadata.is_dir() {
        return Err(refuse("expected a file, found a folder".to_owned()));
    }
    if metadata.len() > FILE_BYTES_MAX {
        return Err(refuse(format!("the file has {} bytes, more than {FILE_BYTES_MAX}", metadata.len())));
    }
    let bytes = std::fs::read(path).map_err(|e| refuse("the file can't be read".to_owned()).caused_by(e))?;
    String::from_utf8(bytes).map_err(|e| refuse("the file is not UTF-8 text".to_owned()).caused_by(e))
}

#[cfg(test)]
mod tests;
