//! From sections to stores: which there are, what keeps them, what stands in front.

use std::{path::PathBuf, time::Duration};

use larder_core::{Error, Result};

use super::{
    Backend, CACHE, CLEANUP_INTERVAL, OnFailure, Plan, Requirements, STATE, STORAGE, StorePlan,
    backend::Word, failure, guards::guards, remote::Tables,
};
use crate::{
    backends,
    config::{Config, StoreKind, StoreSection, Text, nearest, redact, show_size},
};

/// Where `file` keeps the stores of `persistence`, which has no key for a path.
const PERSISTENCE_FOLDER: &str = "larder-data";
/// Where the section `storage` keeps its files unless it says so.
const STORAGE_FOLDER: &str = "./data/";

/// Largest value that `value_max` may ask for, in bytes; larger things are blobs.
const VALUE_BYTES_CEILING: u64 = 256 << 20;
/// Most repetitions that `retries` may ask for.
const RETRIES_CEILING: u32 = 100;

pub(super) fn plan(config: &Config, plan: &mut Plan) -> Result<()> {
    refuse_cache_tiers(config)?;
    persistence(config, plan)?;
    storage(config, plan)?;
    for (name, section) in &config.stores {
        let store = named(config, name, section)?;
        if let Some(other) = plan.stores.insert(name.clone(), store) {
            let key = format!("stores.{name}");
            let message =
                format!("the store `{name}` is already there, from {}; call this one otherwise", other.from);
            return Err(config.origin.explain(Error::config(message), &key));
        }
    }
    choose_defaults(plan);
    Ok(())
}

/// The cache in tiers comes with its own crate. A plain key-value store in its place would ignore
/// `max_size`, so that there is none.
fn refuse_cache_tiers(config: &Config) -> Result<()> {
    let cache = &config.cache;
    if !cache.enabled {
        return Ok(());
    }
    let (key, what) = match &cache.backend {
        Some(backend) => ("cache.backend", format!("the cache (backend `{}`)", redact(backend))),
        None => ("cache.enabled", "the cache".to_owned()),
    };
    let message = format!("{what} is not built yet; set `cache.enabled` to false");
    Err(config.origin.explain(Error::config(message), key))
}

fn persistence(config: &Config, plan: &mut Plan) -> Result<()> {
    let section = &config.persistence;
    let stores = [
        (STATE, "persistence.state_backend", &section.state_backend),
        (CACHE, "persistence.cache_backend", &section.cache_backend),
    ];
    let mut swept = false;
    for (name, key, backend) in stores {
        let Some(word) = backend else { continue };
        let folder = || Ok(config.origin.resolve(PERSISTENCE_FOLDER).join(name));
        let redis = match (&section.redis, &config.cache.redis) {
            (Some(own), _) => Some((own, "persistence.redis")),
            (None, Some(of_cache)) => Some((of_cache, "cache.redis")),
            (None, None) => None,
        };
        let tables = Tables { section: "persistence", redis, redis_store: Some(name), ..Tables::default() };
        let backend = Word { config, key, kind: StoreKind::Kv, tables }.read(word, folder)?;
        swept |= backend.sweeps();
        let interval = interval(config, section.cleanup_interval, "persistence.cleanup_interval")?;
        let store = StorePlan {
            kind: StoreKind::Kv,
            from: config.origin.of(key),
            guards: guards(StoreKind::Kv, &backend, &StoreSection::default()),
            backend,
            layers: Vec::new(),
            value_bytes_max: None,
            cleanup_interval: interval,
            requires: Requirements::default(),
            on_failure: OnFailure::Fail,
        };
        plan.stores.insert(name.to_owned(), store);
    }
    if section.redis.is_some()
        && !plan.stores.values().any(|store| matches!(store.backend, Backend::Redis(_)))
    {
        plan.warnings
            .push("persistence.redis is for the backend `redis`, which this section does not use".to_owned());
    }
    if section.cleanup_interval.is_some() && !swept {
        plan.warnings.push(
            "persistence.cleanup_interval is for backends that are swept, which this section does not use: memory \
             removes expired entries as it is written to, and a plugin does it in its own way"
                .to_owned(),
        );
    }
    Ok(())
}

fn storage(config: &Config, plan: &mut Plan) -> Result<()> {
    let section = &config.storage;
    let Some(word) = &section.backend else {
        if section.file.is_some() || section.s3.is_some() {
            let error = Error::config("missing: which of them is it, `file` or `s3`?");
            return Err(config.origin.explain(error, "storage.backend"));
        }
        return Ok(());
    };
    let folder = || {
        let path = section.file.as_ref().and_then(|file| file.path.as_deref()).unwrap_or(STORAGE_FOLDER);
        path_of(config, path, "storage.file.path")
    };
    let tables = Tables { section: "storage", s3: section.s3.as_ref(), ..Tables::default() };
    let backend =
        Word { config, key: "storage.backend", kind: StoreKind::Blob, tables }.read(word, folder)?;
    let store = StorePlan {
        kind: StoreKind::Blob,
        from: config.origin.of("storage"),
        guards: guards(StoreKind::Blob, &backend, &StoreSection::default()),
        backend,
        layers: Vec::new(),
        value_bytes_max: None,
        cleanup_interval: CLEANUP_INTERVAL,
        requires: Requirements::default(),
        on_failure: OnFailure::Fail,
    };
    plan.stores.insert(STORAGE.to_owned(), store);
    Ok(())
}

fn named(config: &Config, name: &str, section: &StoreSection) -> Result<StorePlan> {
    let at = |key: &str| format!("stores.{name}.{key}");
    let refuse = |key: &str, message: String| config.origin.explain(Error::config(message), &at(key));
    let (key, word) = match (&section.url, &section.backend) {
        (Some(url), None) if url.contains("://") || Text(url).is_reference() => ("url", url),
        (Some(_), None) => {
            return Err(refuse("url", "expected a URL, such as memory:// or file:///data".to_owned()));
        }
        (None, Some(backend)) => ("backend", backend),
        (Some(_), Some(_)) => return Err(refuse("url", "there is a `backend` too; one of them".to_owned())),
        (None, None) => {
            return Err(refuse(
                "backend",
                "missing: a backend's name, as `larder backends` lists them, a plugin's name, or `url` instead".to_owned(),
            ));
        }
    };
    let folder = || match &section.path {
        Some(path) => path_of(config, path, &at("path")),
        None => Err(refuse("path", "missing: the folder of the backend `file`".to_owned())),
    };
    let path = section.path.as_ref().map(|path| path_of(config, path, &at("path"))).transpose()?;
    let (prefix, redis_at) = (format!("stores.{name}"), at("redis"));
    let tables = Tables {
        section: &prefix,
        path: path.as_deref(),
        redis: section.redis.as_ref().map(|table| (table, redis_at.as_str())),
        redis_store: None,
        s3: section.s3.as_ref(),
        sql: section.sql.as_ref(),
        scheme: section.scheme.as_deref(),
        options: Some(&section.options),
    };
    let backend = Word { config, key: &at(key), kind: section.kind, tables }.read(word, folder)?;
    check_tables(section, key, word, &refuse)?;
    for layer in &section.layers {
        if !config.plugins.contains_key(layer) {
            let near = nearest(layer, config.plugins.keys().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Err(refuse("layers", format!("there is no plugin `{layer}`{hint}")));
        }
    }
    if section.kind == StoreKind::Blob && section.value_max.is_some() {
        return Err(refuse("value_max", "only a key-value store has it".to_owned()));
    }
    let swept = section.kind == StoreKind::Kv && backend.sweeps();
    if section.cleanup_interval.is_some() && !swept {
        let message =
            "only a key-value store of the backends `file`, `redis`, `postgres` and `sqlite` has it";
        return Err(refuse("cleanup_interval", message.to_owned()));
    }
    let requires = Requirements::read(section.kind, &section.requires)
        .map_err(|error| config.origin.explain(error, &at("requires")))?;
    check_numbers(section, &refuse)?;
    let on_failure = failure::on_failure(section, &backend, &refuse)?;
    Ok(StorePlan {
        kind: section.kind,
        from: config.origin.of(&format!("stores.{name}")),
        guards: guards(section.kind, &backend, section),
        backend,
        layers: section.layers.clone(),
        value_bytes_max: section.value_max.and_then(|max| usize::try_from(max).ok()),
        cleanup_interval: interval(config, section.cleanup_interval, &at("cleanup_interval"))?,
        requires,
        on_failure,
    })
}

/// Refuses tables that the backend does not read, so that nothing that was typed is ignored.
fn check_tables(
    section: &StoreSection,
    key: &str,
    word: &str,
    refuse: &impl Fn(&str, String) -> Error,
) -> Result<()> {
    let by_url = key == "url" || word.contains("://");
    let backend = backends::named(word).or_else(|| backends::of_url(word)).map(|backend| backend.name);
    let is = |names: &[&str]| !by_url && backend.is_some_and(|name| names.contains(&name));
    let sql = ["postgres", "sqlite"];
    // A URL says where the database is; its table may stand beside it.
    let reads_sql = is(&sql) || backend.is_none_or(|name| sql.contains(&name));
    for (table, is_there, is_read, whose) in [
        ("path", section.path.is_some(), is(&["file", "sqlite"]), "the backends `file` and `sqlite` have"),
        ("redis", section.redis.is_some(), is(&["redis"]), "the backend `redis` has"),
        ("s3", section.s3.is_some(), is(&["s3"]), "the backend `s3` has"),
        ("sql", section.sql.is_some(), reads_sql, "the backends `postgres` and `sqlite` have"),
        ("scheme", section.scheme.is_some(), is(&["opendal"]), "the backend `opendal` has"),
        ("options", !section.options.is_empty(), is(&["opendal"]), "the backend `opendal` has"),
    ] {
        if is_there && !is_read {
            let why = if by_url { ", and a URL says it itself" } else { "" };
            return Err(refuse(table, format!("only {whose} it{why}")));
        }
    }
    Ok(())
}

fn check_numbers(section: &StoreSection, refuse: &impl Fn(&str, String) -> Error) -> Result<()> {
    if let Some(max) = section.value_max.filter(|max| *max == 0 || *max > VALUE_BYTES_CEILING) {
        let ceiling = show_size(VALUE_BYTES_CEILING);
        return Err(refuse("value_max", format!("expected 1 B to {ceiling}, found {}", show_size(max))));
    }
    if section.timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(refuse("timeout", "expected more than 0".to_owned()));
    }
    if section.concurrency == Some(0) {
        return Err(refuse("concurrency", "expected 1 or more".to_owned()));
    }
    if let Some(retries) = section.retries.filter(|retries| *retries > RETRIES_CEILING) {
        return Err(refuse("retries", format!("expected up to {RETRIES_CEILING}, found {retries}")));
    }
    Ok(())
}

fn interval(config: &Config, given: Option<Duration>, key: &str) -> Result<Duration> {
    match given {
        Some(interval) if interval.is_zero() => {
            Err(config.origin.explain(Error::config("expected more than 0"), key))
        }
        given => Ok(given.unwrap_or(CLEANUP_INTERVAL)),
    }
}

fn path_of(config: &Config, path: &str, key: &str) -> Result<PathBuf> {
    let path = Text(path).expand(&config.environment).map_err(|error| config.origin.explain(error, key))?;
    Ok(config.origin.resolve(&path))
}

/// The stores that are meant where no name is given: those of the founding sections, else the only
/// one of its kind. Where no key-value store is configured at all, `state` is kept in memory.
fn choose_defaults(plan: &mut Plan) {
    if plan.stores(StoreKind::Kv).next().is_none() {
        let store = StorePlan {
            kind: StoreKind::Kv,
            from: "the default".to_owned(),
            backend: Backend::Memory,
            layers: Vec::new(),
            guards: guards(StoreKind::Kv, &Backend::Memory, &StoreSection::default()),
            value_bytes_max: None,
            cleanup_interval: CLEANUP_INTERVAL,
            requires: Requirements::default(),
            on_failure: OnFailure::Fail,
        };
        plan.stores.insert(STATE.to_owned(), store);
    }
    plan.default_kv = default(plan, StoreKind::Kv, STATE);
    plan.default_blobs = default(plan, StoreKind::Blob, STORAGE);
}

fn default(plan: &Plan, kind: StoreKind, founding: &str) -> Option<String> {
    let names: Vec<&str> = plan.stores(kind).collect();
    match names.as_slice() {
        [only] => Some((*only).to_owned()),
        names if names.contains(&founding) => Some(founding.to_owned()),
        _ => None,
    }
}
