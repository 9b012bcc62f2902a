//! From `--config`, `--store` and `--url` to an open host.

use std::path::{Path, PathBuf};

use larder::{Blobs, Config, Environment, Error, Host, Kv, Result, StoreKind, config::StoreSection};

use crate::args::Place;

/// Names that are looked for in the working folder.
const NAMES: [&str; 3] = ["larder.yaml", "larder.yml", "larder.toml"];

/// What the store of `--url` is called in errors.
const URL_STORE: &str = "url";

/// Reads the configuration file that is meant.
pub(crate) fn config(place: &Place) -> Result<Config> {
    match &place.config {
        Some(file) => Config::load_in(file, Environment::of_process()),
        None => Config::load_in(found()?, Environment::of_process()),
    }
}

/// No file: what the command line says is all there is. References in it are to the variables of this process, so that
/// a secret need not stand where others can list it.
pub(crate) fn without_file() -> Config {
    Config::default().in_environment(Environment::of_process())
}

fn found() -> Result<PathBuf> {
    let mut there = NAMES.iter().filter(|name| Path::new(name).exists());
    match (there.next(), there.next()) {
        (Some(file), None) => Ok(PathBuf::from(file)),
        (Some(one), Some(other)) => Err(Error::config(format!(
            "both {one} and {other} are in the working folder; say which with `--config FILE`"
        ))),
        (None, _) => Err(Error::config(format!(
            "no configuration: there is no {} in the working folder; give `--config FILE`, set LARDER_CONFIG, or give \
             `--url URL` to do without",
            NAMES.join(", ")
        ))),
    }
}

async fn host(place: &Place, kind: StoreKind) -> Result<Host> {
    let config = match &place.url {
        None => config(place)?,
        Some(url) => {
            let mut config = without_file();
            let store = StoreSection { kind, url: Some(url.clone()), ..StoreSection::default() };
            config.stores.insert(URL_STORE.to_owned(), store);
            config
        }
    };
    Host::open(config.plan()?.in_passing()).await
}

fn name(place: &Place) -> Option<&str> {
    place.url.as_ref().map(|_| URL_STORE).or(place.store.as_deref())
}

/// The key-value store that is meant, and the host to close in the end.
pub(crate) async fn kv(place: &Place) -> Result<(Host, Kv)> {
    let host = host(place, StoreKind::Kv).await?;
    let kv = match name(place) {
        Some(name) => host.kv(name)?,
        None => host.default_kv()?,
    };
    Ok((host, kv))
}

/// The blob store that is meant, and the host to close in the end.
pub(crate) async fn blobs(place: &Place) -> Result<(Host, Blobs)> {
    let host = host(place, StoreKind::Blob).await?;
    let blobs = match name(place) {
        Some(name) => host.blobs(name)?,
        None => host.default_blobs()?,
    };
    Ok((host, blobs))
}
