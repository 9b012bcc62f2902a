//! The word that names a backend: `memory`, `redis`, a plugin, or a URL. With the tables beside it, it becomes what is
//! opened; this is the one place that chooses. Nothing is reached here.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use larder_backends::{object::ObjectOptions, redis::RedisOptions, sql::SqlOptions};
use larder_core::{Error, Result};
use url::Url;

use super::{
    folders::plain,
    remote::{self, Tables},
};
use crate::{
    backends,
    config::{Config, StoreKind, Text, nearest},
};

/// What keeps the data of a store.
#[derive(Clone)]
pub(crate) enum Backend {
    Memory,
    File(PathBuf),
    Redis(Box<RedisOptions>),
    Sql(Box<SqlOptions>),
    Object(Box<Bucket>),
    Plugin(String),
}

/// Blobs on a service.
#[derive(Clone)]
pub(crate) struct Bucket {
    pub(crate) options: ObjectOptions,
    /// Which of the services of this kind: two buckets of one name may be on two of them.
    pub(super) endpoint: String,
}

/// Whether a plugin may not be called so, since a backend or a service is.
pub(crate) fn is_reserved(name: &str) -> bool {
    backends::named(name).is_some() || backends::is_scheme(name)
}

/// A word that names a backend, and where it stands.
pub(super) struct Word<'a> {
    pub(super) config: &'a Config,
    /// The key path of the word.
    pub(super) key: &'a str,
    /// What the store keeps.
    pub(super) kind: StoreKind,
    pub(super) tables: Tables<'a>,
}

impl Word<'_> {
    /// Reads the word. `folder` is where the backend `file` keeps its data.
    ///
    /// # Errors
    /// `config` where there is no such backend, it keeps nothing of this kind, or what it needs is missing or wrong.
    pub(super) fn read(&self, word: &str, folder: impl FnOnce() -> Result<PathBuf>) -> Result<Backend> {
        let read = || {
            let config = self.config;
            let word = Text(word).resolve(&config.environment, &config.origin)?;
            if word.contains("://") {
                self.check_kind(backends::of_url(&word))?;
                return self.url(&word);
            }
            if let Some(backend) = backends::named(&word) {
                self.check_kind(Some(backend))?;
                return self.named(backend.name);
            }
            match word {
                name if config.plugins.contains_key(&name) => Ok(Backend::Plugin(name)),
                name => Err(self.refuse(&name)),
            }
        };
        match read().map_err(|error| self.config.origin.explain(error, self.key))? {
            Backend::File(path) if path.as_os_str().is_empty() => Ok(Backend::File(folder()?)),
            backend => Ok(backend),
        }
    }

    fn named(&self, name: &str) -> Result<Backend> {
        match name {
            "memory" => Ok(Backend::Memory),
            // Its folder is asked for where all else is right.
            "file" => Ok(Backend::File(PathBuf::new())),
            "redis" => self.tables.redis(self.config).map(|options| Backend::Redis(Box::new(options))),
            "postgres" | "sqlite" => {
                self.tables.sql(name, self.config).map(|options| Backend::Sql(Box::new(options)))
            }
            "s3" => self.tables.s3(self.config).map(|bucket| Backend::Object(Box::new(bucket))),
            _ => self.tables.service(self.config).map(|bucket| Backend::Object(Box::new(bucket))),
        }
    }

    fn url(&self, text: &str) -> Result<Backend> {
        let scheme = text.split("://").next().unwrap_or_default();
        match backends::of_url(text).map(|backend| backend.name) {
            Some("memory") if text == "memory://" => Ok(Backend::Memory),
            Some("memory") => Err(Error::config("expected `memory://` and nothing behind it")),
            Some("file") => file(text),
            Some("redis") => Ok(Backend::Redis(Box::new(RedisOptions::from_url(text)?))),
            Some("postgres" | "sqlite") => {
                let options = self.tables.sql_url(text, self.config)?;
                Ok(Backend::Sql(Box::new(options)))
            }
            Some(_) => Ok(Backend::Object(Box::new(remote::bucket(text)?))),
            None => {
                let known = backends::schemes(self.kind);
                let error = Error::config(format!(
                    "unknown kind of URL `{}://` (for {} there are: {})",
                    scheme.escape_debug(),
                    self.kind.plural(),
                    known.join(", ")
                ));
                // Which says so, if it only is not compiled in.
                Err(match ObjectOptions::from_url(text) {
                    Err(why) if self.kind == StoreKind::Blob => error.caused_by(why),
                    _ => error,
                })
            }
        }
    }

    fn check_kind(&self, backend: Option<&'static backends::Backend>) -> Result<()> {
        let Some(backend) = backend.filter(|backend| !backend.keeps(self.kind)) else { return Ok(()) };
        let others: Vec<&str> = backends::names(self.kind).collect();
        let other = if self.kind == StoreKind::Kv { StoreKind::Blob } else { StoreKind::Kv };
        Err(Error::config(format!(
            "the backend `{}` keeps {}, and this store {} (`kind: {}`): take one of {}, or a plugin",
            backend.name,
            other.plural(),
            self.kind.plural(),
            self.kind,
            others.join(", ")
        )))
    }

    fn refuse(&self, name: &str) -> Error {
        let mut known: Vec<&str> = backends::names(self.kind).collect();
        known.extend(self.config.plugins.keys().map(String::as_str));
        let near = nearest(name, known.iter().copied()).unwrap_or_default();
        Error::config(format!(
            "there is no backend `{name}`; did you mean `{near}`? (known: {})",
            known.join(", ")
        ))
    }
}

/// A folder, by its URL.
fn file(text: &str) -> Result<Backend> {
    let url = Url::parse(text).map_err(|e| Error::config("expected a URL").caused_by(e))?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Error::config("a URL `file://` takes no `?` and no `#`"));
    }
    url.to_file_path()
        .ok()
        .filter(|path| url.host().is_none() && path.parent().is_some())
        .map(Backend::File)
        .ok_or_else(|| {
            Error::config("expected `file:///` and an absolute path; a relative one goes into `path`")
        })
}

impl Backend {
    /// Whether expired entries stay until the store removes them, so that it matters how often it does.
    pub(super) fn sweeps(&self) -> bool {
        matches!(self, Self::File(_) | Self::Redis(_) | Self::Sql(_))
    }

    /// Whether two backends are the same data, or one has its data inside of the other's.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => nest(&plain(one), &plain(other)),
            (Self::Redis(one), Self::Redis(other)) => one.to_string() == other.to_string(),
            (Self::Sql(one), Self::Sql(other)) => one.to_string() == other.to_string(),
            (Self::Object(one), Self::Object(other)) => {
                let path = |bucket: &Bucket| PathBuf::from(bucket.options.to_string());
                one.endpoint == other.endpoint && nest(&path(one), &path(other))
            }
            (Self::Plugin(one), Self::Plugin(other)) => one == other,
            // Each store in memory is one of its own.
            _ => false,
        }
    }
}

fn nest(one: &Path, other: &Path) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

/// Without secrets: of what is reached over a network only where it is.
impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory (gone when the process ends)"),
            Self::File(folder) => write!(f, "file, in {}", folder.display()),
            Self::Redis(options) => options.fmt(f),
            Self::Sql(options) => options.fmt(f),
            Self::Object(bucket) if bucket.endpoint.is_empty() => bucket.options.fmt(f),
            Self::Object(bucket) => write!(f, "{} at {}", bucket.options, bucket.endpoint),
            Self::Plugin(name) => write!(f, "plugin {name}"),
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
