//! From `--from`, `--from-store`, `--to` and `--to-store` to a plan with just those two stores.

use larder::{Config, Plan, Result, StoreKind, backends, config::StoreSection};

use super::Args;
use crate::{args::Place, open};

/// What the stores of URLs are called, in errors too. No store of a configuration can be called so.
const FROM: &str = "--from";
const TO: &str = "--to";

/// The two stores of a migration.
pub(super) struct Places {
    pub(super) plan: Plan,
    pub(super) source: String,
    pub(super) target: String,
}

pub(super) fn read(place: &Place, args: &Args) -> Result<Places> {
    let named = [&args.from_store, &args.to_store];
    let urls = [(FROM, &args.from), (TO, &args.to)];
    let mut config = match named.iter().any(|name| name.is_some()) {
        true => open::config(place)?,
        false => open::without_file(),
    };
    let kind = kind(&config, args)?;
    for (name, url) in urls {
        if let Some(url) = url {
            let store = StoreSection { kind, url: Some(url.clone()), ..StoreSection::default() };
            config.stores.insert(name.to_owned(), store);
        }
    }
    let source = args.from_store.as_deref().unwrap_or(FROM).to_owned();
    let target = args.to_store.as_deref().unwrap_or(TO).to_owned();
    let plan = config.plan()?.only(&[&source, &target])?;
    Ok(Places { plan, source, target })
}

/// What is moved: as it was said, as the named store keeps, as only one of the URLs' kinds can be.
fn kind(config: &Config, args: &Args) -> Result<StoreKind> {
    if let Some(kind) = args.kind {
        return Ok(kind);
    }
    if let Some(name) = args.from_store.as_ref().or(args.to_store.as_ref()) {
        return config.plan()?.kind(name);
    }
    let blobs = [&args.from, &args.to].into_iter().flatten().any(|url| {
        backends::of_url(url).is_some_and(|backend| backend.kinds == [StoreKind::Blob].as_slice())
    });
    Ok(if blobs { StoreKind::Blob } else { StoreKind::Kv })
}
