//! Reading the repository: its files, and what cargo says of it.

use std::{fs, path::PathBuf};

use cargo_metadata::{CargoOpt, Metadata, MetadataCommand};
use larder_tests::workspace_root;

/// Folders that hold nothing anybody wrote.
const GENERATED: [&str; 2] = ["target", "node_modules"];

/// A file of the repository.
pub(crate) struct Source {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Every text file of the repository.
pub(crate) fn files() -> Vec<Source> {
    let root = workspace_root();
    let mut found = Vec::new();
    let mut queue = vec![root.clone()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            // A folder, or in a worktree a file.
            if name == ".git" {
                continue;
            }
            if path.is_dir() {
                if !GENERATED.contains(&name.as_str()) {
                    queue.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(found.len() > 50, "the repository was not found at {}", root.display());
    found
}

/// The Rust files among them.
pub(crate) fn rust_files() -> Vec<Source> {
    files().into_iter().filter(|file| file.path.ends_with(".rs")).collect()
}

/// What cargo says of the host's workspace and of that of the plugins, without their dependencies.
pub(crate) fn workspaces() -> [Metadata; 2] {
    manifests().map(|manifest| {
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata answers")
    })
}

/// The same with all that they depend on.
pub(crate) fn dependencies() -> [Metadata; 2] {
    manifests().map(|manifest| {
        let mut command = MetadataCommand::new();
        command.manifest_path(manifest).features(CargoOpt::SomeFeatures(Vec::new()));
        command.other_options(["--locked".to_owned()]).exec().expect("cargo metadata answers")
    })
}

fn manifests() -> [PathBuf; 2] {
    let root = workspace_root();
    [root.join("Cargo.toml"), root.join("plugins").join("Cargo.toml")]
}
