//! Licences and sources of everything that is linked in, by the same `deny.toml` that cargo-deny reads.
//!
//! cargo-deny checks more, where it is installed; this holds what must hold in every run.

use std::{collections::BTreeSet, fs};

use larder_tests::workspace_root;

use crate::source::dependencies;

/// `deny.toml`.
fn rules() -> toml::Table {
    let text = fs::read_to_string(workspace_root().join("deny.toml")).unwrap();
    text.parse().unwrap()
}

/// A list of texts in `deny.toml`.
fn list(rules: &toml::Table, section: &str, name: &str) -> BTreeSet<String> {
    let values = rules.get(section).and_then(|section| section.get(name)?.as_array()).unwrap();
    values.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

/// Whether an SPDX expression can be satisfied with the allowed licences. `OR` binds weaker than `AND`;
/// a `/` is the old way to write `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let holds = any(&mut words, allowed);
    assert!(words.next().is_none(), "{expression} is no SPDX expression");
    holds
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = all(words, allowed);
    while words.next_if_eq(&"OR").is_some() {
        holds |= all(words, allowed);
    }
    holds
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    let mut holds = one(words, allowed);
    while words.next_if_eq(&"AND").is_some() {
        holds &= one(words, allowed);
    }
    holds
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let holds = any(words, allowed);
        assert_eq!(words.next(), Some(")"), "a parenthesis is not closed");
        return holds;
    }
    let mut licence = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        licence = format!("{licence} WITH {}", words.next().unwrap_or_default());
    }
    allowed.contains(&licence)
}

#[test]
fn everything_is_under_a_licence_that_is_allowed() {
    let allowed = list(&rules(), "licenses", "allow");
    for package in dependencies().iter().flat_map(|metadata| &metadata.packages) {
        let licence = package.license.as_deref().unwrap_or_default();
        assert!(is_allowed(licence, &allowed), "{} {}: `{licence}`", package.name, package.version);
    }
}

#[test]
fn everything_comes_from_a_source_that_is_allowed() {
    let rules = rules();
    let registries = list(&rules, "sources", "allow-registry");
    assert!(list(&rules, "sources", "allow-git").is_empty(), "a git source is no release");
    for package in dependencies().iter().flat_map(|metadata| &metadata.packages) {
        let Some(source) = &package.source else { continue };
        let registry = source.repr.strip_prefix("registry+").unwrap_or(&source.repr);
        assert!(registries.contains(registry), "{} comes from {source}", package.name);
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let allowed = ["MIT", "Apache-2.0 WITH LLVM-exception", "Zlib"].map(str::to_owned).into();
    for holds in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(GPL-3.0 OR Zlib) AND MIT", "MIT AND Zlib OR X"]
    {
        assert!(is_allowed(holds, &allowed), "{holds}");
    }
    for fails in ["", "GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0", "(MIT OR Zlib) AND GPL-3.0"] {
        assert!(!is_allowed(fails, &allowed), "{fails}");
    }
    assert!(is_allowed("Apache-2.0 WITH LLVM-exception OR GPL-3.0", &allowed));
}
