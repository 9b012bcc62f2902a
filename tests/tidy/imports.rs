//! The direction of imports, as ARCHITECTURE.md draws it.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, Package};

use crate::source::workspaces;

/// What each package of the host's workspace may import of the others. The suites may see everything.
const EDGES: [(&str, &[&str]); 11] = [
    ("larder-core", &[]),
    ("larder-backends", &["larder-core"]),
    ("larder-conformance", &["larder-core"]),
    ("larder-wasm", &["larder-core"]),
    ("larder", &["larder-core", "larder-backends", "larder-conformance", "larder-wasm"]),
    ("larder-cli", &["larder"]),
    ("larder-fetcher", &["larder"]),
    ("larder-testing-a-fetcher", &["larder"]),
    ("larder-sdk", &[]),
    ("larder-guests", &[]),
    ("xtask", &["larder-guests"]),
];

/// The package that sees several crates and that nothing may see.
const SUITES: &str = "larder-tests";

/// Who owns a driver, a runtime or a format: nobody else imports it. The suites may, to compare with it.
const OWNERS: [(&str, &[&str]); 15] = [
    ("wasmtime", &["larder-wasm"]),
    ("wasmtime-wasi", &["larder-wasm"]),
    ("redb", &["larder-backends"]),
    ("wit-bindgen", &["larder-sdk"]),
    ("opendal", &["larder-backends", "larder-conformance", "larder-wasm", "larder"]),
    ("serde-saphyr", &["larder"]),
    // The command in its build script alone, for the manifest of the SDK that new projects get.
    ("toml", &["larder", "larder-cli"]),
    ("clap", &["larder-cli", "larder-fetcher", "xtask"]),
    ("indicatif", &["larder-cli", "larder-fetcher", "xtask"]),
    ("axum", &["larder-fetcher"]),
    ("reqwest", &["larder-backends", "larder-fetcher"]),
    ("html5ever", &["larder-fetcher"]),
    ("cargo_metadata", &[]),
    ("proptest", &["larder-conformance"]),
    ("wat", &[]),
];

/// What a package depends on; a development dependency is no import of the code that others use.
fn imports(package: &Package) -> impl Iterator<Item = &str> {
    let dependencies = package.dependencies.iter();
    dependencies.filter(|d| d.kind != DependencyKind::Development).map(|d| d.name.as_str())
}

#[test]
fn crates_import_only_in_the_direction_of_the_architecture() {
    let [host, _] = workspaces();
    let edges: BTreeMap<&str, &[&str]> = EDGES.into();
    let ours: Vec<&str> = host.packages.iter().map(|package| package.name.as_str()).collect();
    for package in host.packages.iter().filter(|package| package.name != SUITES) {
        let allowed = edges.get(package.name.as_str());
        let allowed = allowed.unwrap_or_else(|| panic!("{} has no line in the table of edges", package.name));
        for import in imports(package).filter(|import| ours.contains(import)) {
            assert!(allowed.contains(&import), "{} must not import {import}", package.name);
        }
    }
}

#[test]
fn nothing_imports_the_suites_not_even_for_tests() {
    for package in workspaces().iter().flat_map(|metadata| &metadata.packages) {
        let sees = package.dependencies.iter().any(|dependency| dependency.name == SUITES);
        assert!(!sees, "{} imports {SUITES}", package.name);
    }
}

#[test]
fn drivers_and_runtimes_are_known_to_their_owners_alone() {
    let [host, _] = workspaces();
    for package in host.packages.iter().filter(|package| package.name != SUITES) {
        for import in imports(package) {
            let owners = OWNERS.iter().find(|(name, _)| *name == import).map(|(_, owners)| *owners);
            let owned = owners.is_none_or(|owners| owners.contains(&package.name.as_str()));
            assert!(owned, "{} must not import {import}", package.name);
        }
    }
}

#[test]
fn the_core_knows_no_runtime_and_no_format() {
    let [host, _] = workspaces();
    let core = host.packages.iter().find(|package| package.name == "larder-core").unwrap();
    let allowed = ["bitflags", "bytes", "futures"];
    for import in imports(core) {
        assert!(allowed.contains(&import), "larder-core imports {import}");
    }
}

#[test]
fn plugins_know_the_sdk_and_nothing_of_the_host() {
    let [host, plugins] = workspaces();
    let ours: Vec<&str> = host.packages.iter().map(|package| package.name.as_str()).collect();
    for package in &plugins.packages {
        let foreign = imports(package).find(|import| ours.contains(import) && *import != "larder-sdk");
        assert_eq!(foreign, None, "{} must not import it", package.name);
    }
}
