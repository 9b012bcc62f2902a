//! The suite `conformance`: one run over all that ships, and a table in which each of them has its row.
//!
//! A backend without a row has not been tested, whatever the other rows say, so it fails the suite.

use std::fs;

use serde_json::Value;

use super::{Tally, joined, tables};
use crate::{Outcome, cargo};

/// Native backends, by contract and by the name of their row. Plugins are those in the folder `plugins`.
const NATIVE: [(&str, &str); 11] = [
    ("kv", "memory"),
    ("kv", "file"),
    ("kv", "redis"),
    ("kv", "redis-cluster"),
    ("kv", "redis-sentinel"),
    ("kv", "sqlite"),
    ("kv", "postgres"),
    ("blob", "memory"),
    ("blob", "fs"),
    ("blob", "s3"),
    ("blob", "s3 (moto)"),
];

pub(super) fn run(tally: &mut Tally) -> Outcome {
    let mut failures = Vec::new();
    failures.extend(tables::run("conformance", tally).err());
    let mut missing = Vec::new();
    match missing_rows() {
        Ok(names) if names.is_empty() => {}
        Ok(names) => missing.push(format!("no row in target/conformance.json: {}", names.join(", "))),
        Err(why) => missing.push(why),
    }
    for why in missing {
        tally.count(Err(why), &mut failures);
    }
    joined(failures)
}

fn missing_rows() -> Outcome<Vec<String>> {
    let path = cargo::target().join("conformance.json");
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let text = fs::read(&path).map_err(|error| said(&error))?;
    let table: Value = serde_json::from_slice(&text).map_err(|error| said(&error))?;
    let rows = rows(&table).ok_or_else(|| said(&"no list of subjects"))?;
    Ok(missing(&rows, &plugins()?))
}

/// Contract and subject of each row.
fn rows(table: &Value) -> Option<Vec<(&str, &str)>> {
    let rows = table.get("subjects")?.as_array()?;
    rows.iter().map(|row| Some((row.get("contract")?.as_str()?, row.get("subject")?.as_str()?))).collect()
}

/// What is listed and has no row. A plugin may stand over something: `kv-encrypt over file`.
fn missing(rows: &[(&str, &str)], plugins: &[String]) -> Vec<String> {
    let native = NATIVE.iter().filter(|row| !rows.contains(row));
    let native = native.map(|(contract, subject)| format!("{subject} ({contract})"));
    let has_row = |plugin: &str| rows.iter().any(|(_, subject)| subject.split(' ').next() == Some(plugin));
    native.chain(plugins.iter().filter(|plugin| !has_row(plugin)).cloned()).collect()
}

/// The plugins that ship: key-value and blob ones keep a contract of storage.
fn plugins() -> Outcome<Vec<String>> {
    let folder = cargo::root().join("plugins");
    let entries = fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let manifests = ["Cargo.toml", "pyproject.toml", "package.json"];
    let packages = entries
        .flatten()
        .filter(|entry| manifests.iter().any(|manifest| entry.path().join(manifest).is_file()));
    let names = packages.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("kv-") || name.starts_with("blob-")).collect();
    names.sort();
    if names.is_empty() { Err(format!("{} holds no plugins", folder.display())) } else { Ok(names) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_and_has_no_row_is_found() {
        let table = serde_json::json!({ "subjects": [
            { "contract": "kv", "subject": "memory" },
            { "contract": "kv", "subject": "kv-encrypt over file" },
            { "contract": "blob", "subject": "fs" },
            { "contract": "blob", "subject": "memory" },
        ]});
        let missing = missing(&rows(&table).unwrap(), &["kv-encrypt".to_owned(), "kv-log".to_owned()]);
        assert!(missing.contains(&"file (kv)".to_owned()) && missing.contains(&"kv-log".to_owned()));
        for there in ["memory (kv)", "memory (blob)", "fs (blob)", "kv-encrypt"] {
            assert!(!missing.contains(&there.to_owned()), "{there} is there: {missing:?}");
        }
    }
}
