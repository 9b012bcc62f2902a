//! Embeds what `larder plugin new` writes: the templates, the contract, and the SDKs that a new project brings along.
//!
//! A new project builds on its own, so that it gets copies. They are listed here, at build time, because a file that
//! is added to a folder must be in the next binary without anybody naming it.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use toml::{Table, Value};

/// Folders of the workspace that new projects get a copy of, under the same names.
const COPIED: [&str; 4] = ["wit", "sdk/rust", "sdk/python", "sdk/js"];

/// What lies in those folders and is no part of a copy: what tools leave behind, and the SDKs' own tests.
const LEFT_OUT: [&str; 8] =
    ["target", "node_modules", "tests", "released", "__pycache__", ".pytest_cache", ".mypy_cache", ".venv"];

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo says where to write"));
    let root = here.ancestors().nth(2).expect("the package lies two folders below the workspace");
    let mut code = String::from("pub(super) const TEMPLATES: &[(&str, &str)] = &[\n");
    let templates = here.join("templates");
    watch(&templates);
    for file in files(&templates) {
        list(&mut code, &within(&templates, &file), &file);
    }
    code.push_str("];\npub(super) const COPIED: &[(&str, &str)] = &[\n");
    for folder in COPIED.map(|folder| root.join(folder)) {
        // Watched also while it is not there.
        watch(&folder);
        for file in files(&folder) {
            let name = within(root, &file);
            if name == "sdk/rust/Cargo.toml" {
                let manifest = out.join("sdk-rust-Cargo.toml");
                watch(&root.join("Cargo.toml"));
                write(&manifest, &standing_alone(&read(&file), &read(&root.join("Cargo.toml"))));
                list(&mut code, &name, &manifest);
            } else {
                list(&mut code, &name, &file);
            }
        }
    }
    code.push_str("];\n");
    write(&out.join("embedded.rs"), &code);
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}

fn list(code: &mut String, name: &str, file: &Path) {
    let path = file.to_str().expect("the workspace lies under a path of UTF-8");
    writeln!(code, "    ({name:?}, include_str!({path:?})),").expect("a String takes everything");
}

/// All files below a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries {
        let entry = entry.expect("a folder of the workspace can be read");
        let path = entry.path();
        let name = entry.file_name();
        if LEFT_OUT.iter().any(|left_out| name == *left_out) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A file's name within a folder, with `/`.
fn within(folder: &Path, file: &Path) -> String {
    let name = file.strip_prefix(folder).expect("it was found there");
    name.to_str().expect("names in the workspace are UTF-8").replace('\\', "/")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) {
    fs::write(file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}

/// The manifest of a member as it would be outside of its workspace: with the versions of the root in it, without the lints.
fn standing_alone(member: &str, root: &str) -> String {
    let mut member: Table = member.parse().expect("the SDK's manifest is TOML");
    let root: Table = root.parse().expect("the root manifest is TOML");
    let workspace = table(&root, "workspace");
    member.remove("lints");
    if let Some(Value::Table(package)) = member.get_mut("package") {
        inherit(package, table(workspace, "package"));
    }
    let shared = table(workspace, "dependencies");
    if let Some(Value::Table(dependencies)) = member.get_mut("dependencies") {
        inherit(dependencies, shared);
    }
    if let Some(Value::Table(targets)) = member.get_mut("target") {
        for (_, target) in targets.iter_mut() {
            if let Some(Value::Table(dependencies)) = target.get_mut("dependencies") {
                inherit(dependencies, shared);
            }
        }
    }
    let text = toml::to_string(&member).expect("what was read can be written");
    assert!(!text.contains("workspace"), "something of the SDK's manifest is still the workspace's:\n{text}");
    text
}

fn table<'a>(of: &'a Table, name: &str) -> &'a Table {
    of.get(name).and_then(Value::as_table).unwrap_or_else(|| panic!("the root manifest has no `{name}`"))
}

/// Replaces each `{ workspace = true, ... }` with what the workspace says, and keeps what stands beside it.
fn inherit(entries: &mut Table, workspace: &Table) {
    for (name, value) in entries.iter_mut() {
        let Value::Table(asked) = value else { continue };
        if asked.remove("workspace") != Some(Value::Boolean(true)) {
            continue;
        }
        let shared = workspace.get(name).unwrap_or_else(|| panic!("the workspace has no `{name}`")).clone();
        *value = match (shared, std::mem::take(asked)) {
            (shared, beside) if beside.is_empty() => shared,
            (Value::Table(mut shared), beside) => {
                shared.extend(beside);
                Value::Table(shared)
            }
            (version, mut beside) => {
                beside.insert("version".to_owned(), version);
                Value::Table(beside)
            }
        };
    }
}
