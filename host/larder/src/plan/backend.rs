//! The word that names a backend: `memory`, `file`, a plugin, or a URL.

use std::{fmt, path::PathBuf};

use larder_core::{Error, Result};
use url::Url;

use super::folders::plain;
use crate::config::{Config, Text, nearest};

/// What keeps the data of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Backend {
    Memory,
    File(PathBuf),
    Plugin(String),
}

/// Backends and URL schemes that larder will have and has not yet, with the name that is shown.
const NOT_BUILT: [(&str, &str); 9] = [
    ("redis", "Redis"),
    ("rediss", "Redis"),
    ("s3", "S3"),
    ("sqlite", "SQLite"),
    ("postgres", "PostgreSQL"),
    ("postgresql", "PostgreSQL"),
    ("memcached", "Memcached"),
    ("etcd", "etcd"),
    ("gcs", "Google Cloud Storage"),
];

/// Backends that are built in.
const BUILT_IN: [&str; 3] = ["memory", "file", "fs"];

/// Whether a plugin may not be called so, since a backend is.
pub(crate) fn is_reserved(name: &str) -> bool {
    BUILT_IN.contains(&name) || NOT_BUILT.iter().any(|(word, _)| *word == name)
}

impl Backend {
    /// Reads the word under `key`. `folder` is where the backend `file` keeps its data.
    ///
    /// # Errors
    /// `config` where there is no such backend, or it is not built yet.
    pub(super) fn read(
        word: &str,
        key: &str,
        folder: impl FnOnce() -> Result<PathBuf>,
        config: &Config,
    ) -> Result<Self> {
        let read = || {
            let word = Text(word).expand(&config.environment)?;
            if word.contains("://") {
                return from_url(&word);
            }
            match word.as_str() {
                "memory" => Ok(Self::Memory),
                "file" | "fs" => Ok(Self::File(PathBuf::new())),
                name if config.plugins.contains_key(name) => Ok(Self::Plugin(name.to_owned())),
                name => Err(refuse(name, config)),
            }
        };
        match read().map_err(|error| config.origin.explain(error, key))? {
            Self::File(path) if path.as_os_str().is_empty() => Ok(Self::File(folder()?)),
            backend => Ok(backend),
        }
    }
}

impl Backend {
    /// Whether two backends are the same data, or one has its files inside of the other's.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => {
                let (one, other) = (plain(one), plain(other));
                one.starts_with(&other) || other.starts_with(&one)
            }
            (Self::Plugin(one), Self::Plugin(other)) => one == other,
            // Each store in memory is one of its own.
            _ => false,
        }
    }
}

fn from_url(text: &str) -> Result<Backend> {
    let scheme = text.split("://").next().unwrap_or_default();
    if let Some(error) = not_built(scheme) {
        return Err(error);
    }
    let url = Url::parse(text).map_err(|e| Error::config("expected a URL").caused_by(e))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::config(format!("a URL `{scheme}://` takes no `?` and no `#`")));
    }
    match scheme {
        "memory" if text == "memory://" => Ok(Backend::Memory),
        "memory" => Err(Error::config("expected `memory://` and nothing behind it")),
        "file" => url
            .to_file_path()
            .ok()
            .filter(|path| url.host().is_none() && path.parent().is_some())
            .map(Backend::File)
            .ok_or_else(|| {
                Error::config("expected `file:///` and an absolute path; a relative one goes into `path`")
            }),
        other => Err(Error::config(format!(
            "unknown kind of URL `{other}://` (known: memory, file; not built yet: redis, s3, sqlite, postgres)"
        ))),
    }
}

fn refuse(name: &str, config: &Config) -> Error {
    if let Some(error) = not_built(name) {
        return error;
    }
    let known: Vec<&str> = BUILT_IN
        .into_iter()
        .filter(|n| *n != "fs")
        .chain(config.plugins.keys().map(String::as_str))
        .collect();
    let near = nearest(name, known.iter().copied()).unwrap_or_default();
    Error::config(format!(
        "there is no backend `{name}`; did you mean `{near}`? (known: {})",
        known.join(", ")
    ))
}

fn not_built(name: &str) -> Option<Error> {
    let (_, shown) = NOT_BUILT.iter().find(|(word, _)| *word == name)?;
    Some(Error::config(format!(
        "the backend `{name}` ({shown}) is not built yet; use `memory`, `file` or a plugin"
    )))
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory (gone when the process ends)"),
            Self::File(folder) => write!(f, "file, in {}", folder.display()),
            Self::Plugin(name) => write!(f, "plugin {name}"),
        }
    }
}
