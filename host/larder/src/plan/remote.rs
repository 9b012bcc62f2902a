//! What is reached over a network or through a driver: from the tables of a section, and from URLs, to the options that
//! the driver's crate opens. References are resolved here; what they stand for is in the options alone.

use std::{collections::BTreeMap, path::Path};

use larder_backends::{
    object::{ObjectOptions, S3Options, S3Style},
    redis::RedisOptions,
    sql::SqlOptions,
};
use larder_core::{Error, Result};

use super::backend::Bucket;
use crate::{
    backends,
    config::{Config, RedisSection, S3Section, SqlSection, Text, redact},
};

/// What stands in front of the keys of `persistence`'s stores, with the store's name behind it.
const PREFIX: &str = "larder";

/// The tables beside a backend's name, and the key path that they stand under.
#[derive(Clone, Copy, Default)]
pub(super) struct Tables<'a> {
    pub(super) section: &'a str,
    pub(super) path: Option<&'a Path>,
    /// With its own key path, since `persistence` may take that of `cache`.
    pub(super) redis: Option<(&'a RedisSection, &'a str)>,
    /// The store's name, where several stores share one table: each gets a prefix of its own.
    pub(super) redis_store: Option<&'a str>,
    pub(super) s3: Option<&'a S3Section>,
    pub(super) sql: Option<&'a SqlSection>,
    pub(super) scheme: Option<&'a str>,
    pub(super) options: Option<&'a BTreeMap<String, String>>,
}

impl Tables<'_> {
    /// The server of the table, or the one that a fresh installation has.
    pub(super) fn redis(&self, config: &Config) -> Result<RedisOptions> {
        let default = RedisSection::default();
        let (section, at) = self.redis.unwrap_or((&default, self.section));
        let text =
            |key: &str, text: &Option<String>| resolve(config, text.as_deref(), &format!("{at}.{key}"));
        let host = resolve(config, Some(&section.host), &format!("{at}.host"))?.unwrap_or_default();
        let mut options = RedisOptions::standalone(host, section.port, section.db);
        if let Some(user) = text("user", &section.user)? {
            options = options.user(user);
        }
        if let Some(password) = text("password", &section.password)? {
            options = options.password(password);
        }
        let prefix = text("prefix", &section.prefix)?;
        options = match (prefix, self.redis_store) {
            (prefix, Some(store)) => {
                options.key_prefix(format!("{}:{store}", prefix.as_deref().unwrap_or(PREFIX)))
            }
            (Some(prefix), None) => options.key_prefix(prefix),
            (None, None) => options,
        };
        Ok(if section.tls { options.tls() } else { options })
    }

    /// The database of `sql.url`, or the file of `path`.
    pub(super) fn sql(&self, name: &str, config: &Config) -> Result<SqlOptions> {
        let url = resolve(config, self.sql.and_then(|sql| sql.url.as_deref()), &self.at("sql.url"))?;
        let url = match (url, self.path, name) {
            (Some(url), None, name) if backends::of_url(&url).is_some_and(|b| b.name == name) => url,
            (Some(_), None, _) => {
                let error = Error::config(format!("expected the URL of the backend `{name}`"));
                return Err(config.origin.explain(error, &self.at("sql.url")));
            }
            (None, Some(file), "sqlite") => sqlite_url(file)?,
            (Some(_), Some(_), _) => {
                let error = Error::config("there is a `sql.url` too; one of them");
                return Err(config.origin.explain(error, &self.at("path")));
            }
            (None, None, "sqlite") => {
                return Err(Error::config("missing: the file, as `path` or in `sql.url`"));
            }
            (None, ..) => {
                let example = "postgres://user@host/database?sslmode=verify-full";
                return Err(Error::config(format!("missing: `sql.url`, such as {example}")));
            }
        };
        self.sql_url(&url, config)
    }

    /// The database of a URL, with what the table says besides.
    pub(super) fn sql_url(&self, url: &str, config: &Config) -> Result<SqlOptions> {
        let mut options = SqlOptions::from_url(&anchored(url, config)?)?;
        let Some(section) = self.sql else { return Ok(options) };
        if let Some(table) = resolve(config, section.table.as_deref(), &self.at("sql.table"))? {
            options = options.table(table);
        }
        Ok(match section.connections_max {
            Some(connections) => options.connections_max(connections),
            None => options,
        })
    }

    /// The bucket of the table.
    pub(super) fn s3(&self, config: &Config) -> Result<Bucket> {
        let default = S3Section::default();
        let section = self.s3.unwrap_or(&default);
        let text = |key: &str, text: &Option<String>| {
            resolve(config, text.as_deref(), &self.at(&format!("s3.{key}")))
        };
        let refuse = |key: &str, message: &'static str| {
            config.origin.explain(Error::config(message), &self.at(&format!("s3.{key}")))
        };
        let bucket = text("bucket", &section.bucket)?
            .ok_or_else(|| refuse("bucket", "missing: the name of the bucket"))?;
        let mut options = S3Options::new(bucket);
        if let Some(region) = text("region", &section.region)? {
            options = options.region(region);
        }
        if let Some(prefix) = text("prefix", &section.prefix)? {
            options = options.prefix(prefix);
        }
        let endpoint = text("endpoint", &section.endpoint)?;
        if let Some(endpoint) = &endpoint {
            options = options.endpoint(endpoint);
        }
        match section.path_style {
            Some(true) => options = options.style(S3Style::Path),
            Some(false) => options = options.style(S3Style::VirtualHost),
            None => {}
        }
        let id = text("access_key_id", &section.access_key_id)?;
        let secret = text("secret_access_key", &section.secret_access_key)?;
        let token = text("session_token", &section.session_token)?;
        let anonymous = section.anonymous == Some(true);
        options = match (id, secret, token) {
            (Some(_), ..) | (_, Some(_), _) | (.., Some(_)) if anonymous => {
                return Err(refuse("anonymous", "there are keys too; one of them"));
            }
            (None, None, None) if anonymous => options.anonymous(),
            (None, None, None) => options,
            (Some(id), Some(secret), token) => options.keys(id, secret, token),
            (None, ..) => return Err(refuse("access_key_id", "missing: the name of the key")),
            (Some(_), None, _) => {
                return Err(refuse("secret_access_key", "missing: the key, best as `${VAR}` or `file:PATH`"));
            }
        };
        let options = options.into_object()?;
        Ok(Bucket { options, endpoint: redact(&endpoint.unwrap_or_default()) })
    }

    /// A service of OpenDAL.
    pub(super) fn service(&self, config: &Config) -> Result<Bucket> {
        let known: Vec<&str> = backends::services().collect();
        let Some(scheme) = self.scheme else {
            let message = format!("missing: which service? (compiled in: {})", known.join(", "));
            return Err(config.origin.explain(Error::config(message), &self.at("scheme")));
        };
        let mut options = BTreeMap::new();
        for (name, value) in self.options.into_iter().flatten() {
            let value = resolve(config, Some(value), &self.at(&format!("options.{name}")))?;
            options.insert(name.clone(), value.unwrap_or_default());
        }
        let endpoint = redact(options.get("endpoint").map(String::as_str).unwrap_or_default());
        Ok(Bucket { options: ObjectOptions::service(scheme, options)?, endpoint })
    }

    fn at(&self, key: &str) -> String {
        format!("{}.{key}", self.section)
    }
}

/// The bucket of a URL.
pub(super) fn bucket(url: &str) -> Result<Bucket> {
    let endpoint = url.split_once('?').and_then(|(_, query)| {
        query.split('&').find_map(|pair| pair.strip_prefix("endpoint=")).map(str::to_owned)
    });
    Ok(Bucket {
        options: ObjectOptions::from_url(url)?,
        endpoint: redact(endpoint.as_deref().unwrap_or_default()),
    })
}

fn resolve(config: &Config, text: Option<&str>, key: &str) -> Result<Option<String>> {
    let resolved = text.map(|text| Text(text).resolve(&config.environment, &config.origin)).transpose();
    resolved.map_err(|error| config.origin.explain(error, key))
}

/// A relative file of SQLite counts from the folder of the configuration, as all paths do.
fn anchored(url: &str, config: &Config) -> Result<String> {
    let Some(rest) = url.strip_prefix("sqlite://").filter(|rest| !rest.starts_with(['/', ':'])) else {
        return Ok(url.to_owned());
    };
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let file = config.origin.folder.join(path);
    let file = file.to_str().ok_or_else(|| Error::config("the folder's path is not UTF-8"))?;
    Ok(match query {
        Some(query) => format!("sqlite://{file}?{query}"),
        None => format!("sqlite://{file}"),
    })
}

/// The URL of a file: what has a meaning in URLs is written as an escape.
fn sqlite_url(file: &Path) -> Result<String> {
    let file = file.to_str().ok_or_else(|| Error::config("the path is not UTF-8"))?;
    Ok(format!("sqlite://{}", file.replace('%', "%25").replace('?', "%3F")))
}
