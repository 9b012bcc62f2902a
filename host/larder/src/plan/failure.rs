//! What a store does while a plugin of it fails: `on_failure`, checked against what the store is.

use std::fmt;

use larder_core::{Error, Result};

use super::{Backend, Plan, StorePlan};
use crate::config::{Config, OnFailureSection, StoreKind, StoreSection, nearest};

/// What a store that is a cache by its own words may not be asked for: what is lost there is asked for again, and nobody
/// counts, compares or lists in it.
const NOT_OF_A_CACHE: [&str; 4] = ["scan", "versions", "transactions", "counters"];

/// What a store does while a plugin of it fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The error is the answer.
    #[default]
    Fail,
    /// Reads find nothing.
    Miss,
    /// Another store answers.
    Fallback(String),
    /// The component that served before is put back.
    LastGood,
}

impl fmt::Display for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail => f.write_str("calls fail"),
            Self::Miss => f.write_str("reads find nothing, writes and scans fail"),
            Self::Fallback(store) => write!(f, "the store {store} takes reads and plain writes"),
            Self::LastGood => f.write_str("the component that served before is put back"),
        }
    }
}

/// Judges the section of one store.
pub(super) fn on_failure(
    section: &StoreSection,
    backend: &Backend,
    refuse: &impl Fn(&str, String) -> Error,
) -> Result<OnFailure> {
    let Some(chosen) = &section.on_failure else { return Ok(OnFailure::Fail) };
    let refuse = |message: &str| Err(refuse("on_failure", message.to_owned()));
    if !matches!(backend, Backend::Plugin(_)) && section.layers.is_empty() {
        return refuse("only a store with a plugin, as its backend or in a layer, has it");
    }
    let is_blob = section.kind == StoreKind::Blob;
    match chosen {
        OnFailureSection::Miss | OnFailureSection::Fallback(_) if is_blob => refuse(
            "a blob store can only `fail` or take the `last-good`: a blob is read and written in several calls, which must \
             have one place",
        ),
        OnFailureSection::Miss => {
            match section.requires.iter().find(|r| NOT_OF_A_CACHE.contains(&r.as_str())) {
                Some(required) => refuse(&format!(
                    "`miss` is for a cache, and this store `requires` {required}: to find nothing would be a lie there"
                )),
                None => Ok(OnFailure::Miss),
            }
        }
        OnFailureSection::Fail => Ok(OnFailure::Fail),
        OnFailureSection::LastGood => Ok(OnFailure::LastGood),
        OnFailureSection::Fallback(store) => Ok(OnFailure::Fallback(store.clone())),
    }
}

/// Judges where the fallbacks lead, once all stores are known.
pub(super) fn check(config: &Config, plan: &Plan) -> Result<()> {
    for (name, store) in &plan.stores {
        let mut path = vec![name.as_str()];
        let mut at = store;
        while let OnFailure::Fallback(next) = &at.on_failure {
            let message = match plan.stores.get(next) {
                None => {
                    let kv = plan.stores(StoreKind::Kv).filter(|other| other != name);
                    let near = nearest(next, kv).map(|near| format!("; did you mean `{near}`?"));
                    format!("there is no store `{next}`{}", near.unwrap_or_default())
                }
                Some(found) if found.kind != StoreKind::Kv => {
                    format!("the store `{next}` keeps blobs, and this one entries")
                }
                Some(_) if path.contains(&next.as_str()) => {
                    format!("the fallbacks lead in a circle: {} -> {next}", path.join(" -> "))
                }
                Some(found) if shares_plugin(store, found) => {
                    format!("the store `{next}` stands on the same plugin, and fails with it")
                }
                Some(found) => {
                    path.push(next);
                    at = found;
                    continue;
                }
            };
            let key = format!("stores.{}.on_failure", path.last().unwrap_or(&name.as_str()));
            return Err(config.origin.explain(Error::config(message), &key));
        }
    }
    Ok(())
}

/// A store, and those that answer for it.
pub(super) fn needed(plan: &Plan, name: &str) -> Vec<String> {
    let mut needed = vec![name.to_owned()];
    let mut at = plan.stores.get(name);
    while let Some(OnFailure::Fallback(next)) = at.map(|store| &store.on_failure) {
        needed.push(next.clone());
        at = plan.stores.get(next);
    }
    needed
}

fn shares_plugin(one: &StorePlan, other: &StorePlan) -> bool {
    plugins(one).any(|plugin| plugins(other).any(|of_other| of_other == plugin))
}

/// The plugins of a store, its layers among them.
pub(super) fn plugins(store: &StorePlan) -> impl Iterator<Item = &str> {
    let backend = match &store.backend {
        Backend::Plugin(name) => Some(name.as_str()),
        _ => None,
    };
    store.layers.iter().map(String::as_str).chain(backend)
}

#[cfg(test)]
mod tests;
