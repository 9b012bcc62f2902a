//! Builds the plugins of `plugins/` that are written in JavaScript, with the tool that the SDK brings.
//!
//! A plugin in JavaScript is a folder whose `package.json` has a section `larder`. What builds it is installed from
//! the lock file beside it into `target/javascript/NAME`, so that nothing is written among the sources. A component is
//! built anew only where one of its sources, the SDK, the contract or the lock file changed: building takes
//! seconds, and its bytes differ each time, which would make every compiled artefact stale.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    process::Command,
};

/// The Debian packages that bring node and npm.
pub const DEBIAN_PACKAGES: [&str; 2] = ["nodejs", "npm"];

/// Oldest node that the SDK and the componentizer run on.
const NODE_MAJOR_MIN: u32 = 18;

/// What a component is made of besides its own folder.
const SHARED: [&str; 3] = ["sdk/js/src", "sdk/js/tools", "wit"];

/// Whether node and npm are there.
///
/// # Errors
/// Text that says what is missing or too old, and what brings it.
pub fn find_node() -> Result<(), String> {
    let found = || {
        let version = answer(Command::new("node").arg("--version"))?;
        let major: Option<u32> =
            version.trim().trim_start_matches('v').split('.').next().and_then(|major| major.parse().ok());
        match major {
            Some(major) if major >= NODE_MAJOR_MIN => answer(Command::new("npm").arg("--version")).map(drop),
            _ => Err(format!("node {} is older than {NODE_MAJOR_MIN}", version.trim())),
        }
    };
    found().map_err(|why: String| {
        let packages = DEBIAN_PACKAGES.join(" ");
        format!(
            "plugins in JavaScript need node {NODE_MAJOR_MIN} or newer, and npm: {why}; this brings them:\n  \
             apt-get install -y --no-install-recommends {packages}"
        )
    })
}

/// Names of the plugins in JavaScript, which are those of their folders.
pub(crate) fn plugins(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join("plugins");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|e| shown(&folder, &e))? {
        let entry = entry.map_err(|e| shown(&folder, &e))?;
        let manifest = fs::read_to_string(entry.path().join("package.json")).unwrap_or_default();
        if manifest.contains("\"larder\": {")
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Builds a plugin, where anything changed.
pub(crate) fn build(root: &Path, name: &str) -> Result<PathBuf, String> {
    let (source, place) = (root.join("plugins").join(name), root.join("target/javascript").join(name));
    let component = root.join("target/plugins").join(format!("{name}.wasm"));
    let tools = ["package.json", "package-lock.json"].map(|file| source.join(file));
    let (installed, built) = (place.join("installed"), place.join("built"));
    let locked = digest(&tools)?;
    let mut inputs = files(&source)?;
    for folder in SHARED {
        inputs.extend(files(&root.join(folder))?);
    }
    let made_of = digest(&inputs)?;
    if component.is_file() && says(&built, made_of) {
        return Ok(component);
    }
    find_node()?;
    fs::create_dir_all(&place).map_err(|e| shown(&place, &e))?;
    if !says(&installed, locked) {
        for file in &tools {
            let copy = place.join(file.file_name().unwrap_or_default());
            fs::copy(file, &copy).map_err(|e| shown(&copy, &e))?;
        }
        // No scripts: nothing of what is installed needs one, and none should run.
        answer(
            Command::new("npm")
                .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
                .current_dir(&place),
        )?;
        write(&installed, locked)?;
    }
    let mut builder = Command::new("node");
    builder.arg(root.join("sdk/js/tools/build.js")).current_dir(&source);
    answer(builder.env("NODE_PATH", place.join("node_modules")).env("LARDER_OUTPUT", &component))?;
    write(&built, made_of)?;
    Ok(component)
}

/// All files below a folder, sorted, without what tools install there.
fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| shown(folder, &e))? {
        let path = entry.map_err(|e| shown(folder, &e))?.path();
        if path.is_dir() {
            if !path.ends_with("node_modules") {
                found.extend(files(&path)?);
            }
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn digest(files: &[PathBuf]) -> Result<u64, String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(file).map_err(|e| shown(file, &e))?.hash(&mut hasher);
    }
    Ok(hasher.finish())
}

fn says(stamp: &Path, digest: u64) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == digest.to_string())
}

/// Written last, so that half of it counts as nothing.
fn write(stamp: &Path, digest: u64) -> Result<(), String> {
    fs::write(stamp, digest.to_string()).map_err(|e| shown(stamp, &e))
}

fn answer(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = [&output.stderr[..], &output.stdout[..]]
        .map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned());
    Err(format!("{command:?}: {}\n{}", output.status, why.join("\n")))
}

fn shown(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_whose_package_has_a_section_for_larder_is_a_plugin() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let names = plugins(&root).unwrap();
        assert!(
            names.contains(&"kv-redact".to_owned()) && !names.contains(&"kv-memory".to_owned()),
            "{names:?}"
        );
    }

    #[test]
    fn a_digest_changes_with_a_files_bytes() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (one, two) = ([here.join("Cargo.toml")], [here.join("Cargo.toml"), here.join("src/lib.rs")]);
        assert_eq!(digest(&one), digest(&one));
        assert_ne!(digest(&one), digest(&two));
    }
}
