//! Builds the plugins of `plugins/` that are written in Python, with componentize-py.
//!
//! A plugin in Python is a folder whose `pyproject.toml` names a world. The interpreter and the tools are in one virtual
//! environment, `target/python`, of pinned versions. A component is built anew only where its sources, the SDK, the
//! contract or those versions changed: it takes half a minute, and its bytes differ each time.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{environment, stamp};

/// The Debian packages that bring Python.
pub const DEBIAN_PACKAGES: [&str; 2] = ["python3", "python3-venv"];

/// What is installed into the virtual environment, with versions; relative to the workspace.
pub const REQUIREMENTS: &str = "sdk/python/tests/requirements.txt";

/// Where it is, relative to the workspace.
pub const VENV: &str = "target/python";

/// What a component is made of besides its own folder.
const SHARED: [&str; 2] = ["sdk/python/larder_sdk", "wit"];

/// Makes a plugin's file of a plugin's folder where it names its world.
const WORLD: &str = "world = \"";

/// Whether there is a Python that plugins can be built and tested with.
///
/// # Errors
/// Text that says what is missing or too old, and what brings it.
pub fn find_python() -> Result<(), String> {
    let program = "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else sys.version)";
    let found = answer(Command::new("python3").args(["-c", program]));
    found.map(drop).map_err(|why| {
        format!(
            "plugins in Python need Python 3.11 or newer with `venv`: {why}; this brings them:\n  \
             apt-get install -y --no-install-recommends {}",
            DEBIAN_PACKAGES.join(" ")
        )
    })
}

/// Whether the virtual environment is there, with the versions that are asked for.
pub fn is_installed(root: &Path) -> bool {
    fs::read_to_string(root.join(REQUIREMENTS))
        .is_ok_and(|wanted| stamp::says(&root.join(VENV).join("installed"), &wanted))
}

/// Makes the virtual environment anew.
///
/// # Errors
/// Text that says which step failed.
pub fn install(root: &Path) -> Result<(), String> {
    find_python()?;
    let (venv, requirements) = (root.join(VENV), root.join(REQUIREMENTS));
    let wanted = fs::read_to_string(&requirements).map_err(|e| stamp::shown(&requirements, &e))?;
    answer(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = Command::new(venv.join("bin/pip"));
    answer(
        pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&requirements),
    )?;
    stamp::write(&venv.join("installed"), &wanted)
}

/// What to type for it.
pub fn by_hand() -> String {
    format!(
        "python3 -m venv {VENV} && {VENV}/bin/pip install --requirement {REQUIREMENTS} && cp {REQUIREMENTS} {VENV}/installed"
    )
}

/// Names of the plugins in Python, which are those of their folders, and the worlds that they are of.
///
/// # Errors
/// A folder that can't be read.
pub fn plugins(root: &Path) -> Result<Vec<(String, String)>, String> {
    let folder = root.join("plugins");
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|e| stamp::shown(&folder, &e))? {
        let entry = entry.map_err(|e| stamp::shown(&folder, &e))?;
        let manifest = fs::read_to_string(entry.path().join("pyproject.toml")).unwrap_or_default();
        let world = manifest.lines().find_map(|line| line.strip_prefix(WORLD)?.strip_suffix('"'));
        if let (Some(world), Ok(name)) = (world, entry.file_name().into_string()) {
            found.push((name, world.to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

/// Builds a plugin, where anything changed.
pub(crate) fn build(root: &Path, name: &str, world: &str) -> Result<PathBuf, String> {
    let source = root.join("plugins").join(name);
    let folder = root.join("target/plugins");
    let component = folder.join(format!("{name}.wasm"));
    let built = folder.join(format!(".{name}.built"));
    let mut inputs = stamp::files(&source)?;
    for shared in SHARED {
        inputs.extend(stamp::files(&root.join(shared))?);
    }
    inputs.push(root.join(REQUIREMENTS));
    let made_of = stamp::digest(&inputs)?;
    if component.is_file() && stamp::says(&built, &made_of) {
        return Ok(component);
    }
    if !is_installed(root) {
        return Err(format!(
            "{VENV}, which builds plugins in Python, is missing or old; type:\n  {}",
            by_hand()
        ));
    }
    fs::create_dir_all(&folder).map_err(|e| stamp::shown(&folder, &e))?;
    // Renamed into place, so that nobody loads half a component.
    let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
    let mut componentize = Command::new(root.join(VENV).join("bin/componentize-py"));
    componentize.args([
        "-d",
        "wit",
        "-w",
        &format!("larder:store/{world}"),
        "componentize",
        "--stub-wasi",
        "plugin",
    ]);
    componentize.arg("-p").arg(&source).args(["-p", "sdk/python", "-o"]).arg(&unfinished).current_dir(root);
    // What it compiles while it takes its snapshot does not belong among the sources.
    answer(componentize.env("PYTHONDONTWRITEBYTECODE", "1"))?;
    fs::rename(&unfinished, &component).map_err(|e| stamp::shown(&component, &e))?;
    stamp::write(&built, &made_of)?;
    Ok(component)
}

fn answer(command: &mut Command) -> Result<String, String> {
    environment::clean(command);
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| format!("{program}: {e}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let why = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{}", output.status, why.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_names_a_world_is_a_plugin() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        assert!(plugins(&root).unwrap().contains(&("kv-python".to_owned(), "kv-backend-handoff".to_owned())));
    }

    #[test]
    fn every_version_is_pinned() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let wanted = fs::read_to_string(root.join(REQUIREMENTS)).unwrap();
        for line in wanted.lines().filter(|line| !line.starts_with('#')) {
            assert!(line.contains("=="), "{line}");
        }
    }
}
