//! From sections to stores: which there are, what keeps them, what stands in front.

use std::{path::PathBuf, time::Duration};

use larder_core::{Error, Result};

use super::{Backend, CACHE, CLEANUP_INTERVAL, Guards, Plan, STATE, STORAGE, StorePlan};
use crate::config::{Config, StoreKind, StoreSection, Text, nearest, show_size};

/// Where `file` keeps the stores of `persistence`, which has no key for a path.
const PERSISTENCE_FOLDER: &str = "larder-data";
/// Where the section `storage` keeps its files unless it says so.
const STORAGE_FOLDER: &str = "./data/";

/// Repetitions where the configuration does not say a number.
const RETRIES: u32 = 2;
/// Longest attempt on files: an fsync of a busy disk takes seconds, half a minute is a broken one.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Most operations on files at once: far above what a group commit gathers, far below the memory.
const CONCURRENCY: usize = 1_024;

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
        Some(backend) => ("cache.backend", format!("the cache (backend `{}`)", shown(backend))),
        None => ("cache.enabled", "the cache".to_owned()),
    };
    let message = format!("{what} is not built yet; set `cache.enabled` to false");
    Err(config.origin.explain(Error::config(message), key))
}

/// A backend's name as it may be shown: of a URL only the scheme, since the rest may hold a password.
fn shown(backend: &str) -> String {
    match backend.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://"),
        None => Text(backend).0.to_owned(),
    }
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
        let backend = Backend::read(word, key, folder, config)?;
        swept |= matches!(backend, Backend::File(_));
        let interval = interval(config, section.cleanup_interval, "persistence.cleanup_interval")?;
        let store = StorePlan {
            kind: StoreKind::Kv,
            from: config.origin.of(key),
            guards: guards(StoreKind::Kv, &backend, &StoreSection::default()),
            backend,
            layers: Vec::new(),
            value_bytes_max: None,
            cleanup_interval: interval,
        };
        plan.stores.insert(name.to_owned(), store);
    }
    if section.cleanup_interval.is_some() && !swept {
        plan.warnings.push(
            "persistence.cleanup_interval is for the backend `file`, which this section does not use: memory removes \
             expired entries as it is written to, and a plugin does it in its own way"
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
    let backend = Backend::read(word, "storage.backend", folder, config)?;
    let store = StorePlan {
        kind: StoreKind::Blob,
        from: config.origin.of("storage"),
        guards: guards(StoreKind::Blob, &backend, &StoreSection::default()),
        backend,
        layers: Vec::new(),
        value_bytes_max: None,
        cleanup_interval: CLEANUP_INTERVAL,
    };
    plan.stores.insert(STORAGE.to_owned(), store);
    Ok(())
}

fn named(config: &Config, name: &str, section: &StoreSection) -> Result<StorePlan> {
    let at = |key: &str| format!("stores.{name}.{key}");
    let refuse = |key: &str, message: String| config.origin.explain(Error::config(message), &at(key));
    let (key, word) = match (&section.url, &section.backend) {
        (Some(url), None) if url.contains("://") => ("url", url),
        (Some(_), None) => {
            return Err(refuse("url", "expected a URL, such as memory:// or file:///data".to_owned()));
        }
        (None, Some(backend)) => ("backend", backend),
        (Some(_), Some(_)) => return Err(refuse("url", "there is a `backend` too; one of them".to_owned())),
        (None, None) => {
            return Err(refuse(
                "backend",
                "missing: `memory`, `file`, a plugin's name, or `url` instead".to_owned(),
            ));
        }
    };
    let folder = || match &section.path {
        Some(path) => path_of(config, path, &at("path")),
        None => Err(refuse("path", "missing: the folder of the backend `file`".to_owned())),
    };
    let backend = Backend::read(word, &at(key), folder, config)?;
    if section.path.is_some() && (key == "url" || !matches!(backend, Backend::File(_))) {
        return Err(refuse("path", "only the backend `file` has a path".to_owned()));
    }
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
    let swept = section.kind == StoreKind::Kv && matches!(backend, Backend::File(_));
    if section.cleanup_interval.is_some() && !swept {
        return Err(refuse(
            "cleanup_interval",
            "only a key-value store of the backend `file` has it".to_owned(),
        ));
    }
    check_numbers(section, &refuse)?;
    Ok(StorePlan {
        kind: section.kind,
        from: config.origin.of(&format!("stores.{name}")),
        guards: guards(section.kind, &backend, section),
        backend,
        layers: section.layers.clone(),
        value_bytes_max: section.value_max.and_then(|max| usize::try_from(max).ok()),
        cleanup_interval: interval(config, section.cleanup_interval, &at("cleanup_interval"))?,
    })
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

/// What guards a backend. Memory is never away and never slow; a plugin has a deadline and a pool of
/// its own; a blob may be as large as it likes, and so may the time that its bytes take to the disk.
/// They get a guard only where the configuration asks for it.
fn guards(kind: StoreKind, backend: &Backend, section: &StoreSection) -> Guards {
    let native = kind == StoreKind::Kv && matches!(backend, Backend::File(_));
    let retried = native || matches!(backend, Backend::Plugin(_));
    Guards {
        retries: section.retries.or(retried.then_some(RETRIES)).filter(|retries| *retries > 0),
        timeout: section.timeout.or(native.then_some(TIMEOUT)),
        concurrency: section
            .concurrency
            .and_then(|n| usize::try_from(n).ok())
            .or(native.then_some(CONCURRENCY)),
    }
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
            guards: Guards::default(),
            value_bytes_max: None,
            cleanup_interval: CLEANUP_INTERVAL,
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
