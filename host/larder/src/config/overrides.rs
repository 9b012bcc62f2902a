//! Environment variables that override keys: `LARDER_CACHE__TTL=60` is `cache.ttl: 60`.
//!
//! Two underscores stand between the parts of a key. Names that the file already has are matched
//! without regard to case and with `_` for `-`, since most shells allow no dash in a variable.
//! A variable with `__` is always an override, so that a typo in it is an error; one without is an
//! override only where it is the name of a section (`LARDER_STORAGE=file:///data`). Others, like
//! `LARDER_CONFIG`, belong to programs.

use larder_core::{Error, Result};
use serde_json::{Map, Value};

use super::{Environment, Origin, SECTIONS};

const PREFIX: &str = "LARDER_";

pub(super) fn apply(tree: &mut Value, environment: &Environment, origin: &mut Origin) -> Result<()> {
    for (name, value) in environment.with_prefix(PREFIX) {
        if !name.contains("__") && !SECTIONS.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        let refuse =
            |message: &str| Error::config(message.to_owned()).with("variable", format!("{PREFIX}{name}"));
        let value = value.ok_or_else(|| refuse("the variable is not UTF-8 text"))?;
        let parts: Vec<&str> = name.split("__").collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(refuse("an empty part in the name; parts of a key are joined by two underscores"));
        }
        let key = set(tree, &parts, value)
            .ok_or_else(|| refuse("a key inside of something that is no table in the configuration file"))?;
        origin.overridden.insert(key, format!("{PREFIX}{name}"));
    }
    Ok(())
}

/// Sets a key and answers its path; none where a part of it is no table.
fn set(tree: &mut Value, parts: &[&str], value: &str) -> Option<String> {
    let (mut place, mut path) = (tree, String::new());
    for part in parts {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let map = place.as_object_mut()?;
        let key = existing(map, part).unwrap_or_else(|| part.to_ascii_lowercase());
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(&key);
        place = map.entry(key).or_insert(Value::Null);
    }
    *place = Value::String(value.to_owned());
    Some(path)
}

fn existing(map: &Map<String, Value>, part: &str) -> Option<String> {
    let plain = |name: &str| name.replace('-', "_").to_ascii_lowercase();
    map.keys().find(|key| plain(key) == plain(part)).cloned()
}
