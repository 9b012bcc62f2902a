//! Documents: there, and saying what is so.

use std::{fs, path::PathBuf};

use larder_tests::workspace_root;

use crate::source::files;

#[test]
fn the_root_holds_the_folders_of_the_architecture_and_no_others() {
    let known = ["docs", "examples", "host", "plugins", "sdk", "target", "tests", "wit"];
    for entry in fs::read_dir(workspace_root()).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let expected = !entry.path().is_dir() || name.starts_with('.') || known.contains(&name.as_str());
        assert!(expected, "{name} is no folder of the architecture");
    }
}

#[test]
fn every_plugin_that_ships_tells_how_it_fails() {
    let folders = fs::read_dir(workspace_root().join("plugins")).unwrap();
    let manifests = ["Cargo.toml", "pyproject.toml", "package.json"];
    let is_plugin = |path: &PathBuf| manifests.iter().any(|manifest| path.join(manifest).is_file());
    let plugins = folders.map(|entry| entry.unwrap().path()).filter(is_plugin);
    for plugin in plugins {
        let text = fs::read_to_string(plugin.join("README.md"));
        let text = text.unwrap_or_else(|error| panic!("{}/README.md: {error}", plugin.display()));
        assert!(text.to_lowercase().contains("fail"), "{} does not say how it fails", plugin.display());
    }
}

#[test]
fn the_documents_of_a_project_are_there() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"]
    {
        assert!(workspace_root().join(name).is_file(), "{name} is missing");
    }
}

#[test]
fn links_within_the_documents_lead_somewhere() {
    let documents = files().into_iter().filter(|file| file.path.ends_with(".md"));
    for document in documents {
        let folder = workspace_root().join(&document.path);
        let targets = document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://") && !target.starts_with('#')) {
            let path = target.split('#').next().unwrap_or_default();
            let found = folder.parent().unwrap().join(path).exists();
            assert!(found, "{} links to {target}, which is not there", document.path);
        }
    }
}

#[test]
fn continuous_integration_calls_nothing_but_the_one_command() {
    let script = fs::read_to_string(workspace_root().join(".ci/run")).unwrap();
    let commands: Vec<&str> =
        script.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert_eq!(commands, ["set -eu", "cd \"$(dirname \"$0\")/..\"", "exec cargo xtask test"]);
}
