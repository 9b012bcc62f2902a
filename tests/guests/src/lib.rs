//! Builds the plugins of `plugins/` and the test guests of `tests/guests/*` as WebAssembly components.
//!
//! Those in Rust are members of one cargo workspace (`plugins/Cargo.toml`) and are compiled by one cargo into
//! `target/guests-<toolchain>`, so that std and the binding macro are compiled once, whatever profile the host is
//! built in. The finished components lie in `target/plugins/NAME.wasm`, replaced only when their bytes changed.
//!
//! The invariant: what the outer cargo set in the environment (flags, wrappers, target folders) never reaches the
//! inner one, and the inner one never takes the outer one's build lock. Nothing here depends on a crate, so that
//! building the builder costs nothing.
//!
//! ```no_run
//! let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
//! for component in larder_guests::build_all(&root, &larder_guests::Options::default())? {
//!     println!("{}", component.display());
//! }
//! # Ok::<(), String>(())
//! ```

mod environment;
pub mod javascript;
pub mod python;
mod stamp;
mod toolchain;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

pub use environment::clean as clean_environment;
pub use toolchain::{Install, Toolchain};

/// The target that every guest is built for.
pub const TARGET: &str = "wasm32-wasip2";

/// Folders, relative to the workspace, whose subfolders hold guests.
const GUEST_FOLDERS: [&str; 2] = ["plugins", "tests/guests"];

/// How to build.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The toolchain; none: [`Toolchain::find`].
    pub toolchain: Option<Toolchain>,
    /// Whether cargo's progress is shown or held back until something fails.
    pub output: Output,
    /// Only these packages, by name; empty: all.
    pub packages: Vec<String>,
}

/// Where the inner cargo's output goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Output {
    /// Straight to this process's standard error.
    #[default]
    Shown,
    /// Into the error, if there is one.
    OnFailure,
}

/// Builds all guests of the workspace at `root` and returns the components' paths, sorted.
///
/// Costs about 0.2 s when nothing changed, and 2 to 3 minutes when std must be built first.
///
/// # Errors
/// Text for a person: no toolchain (with the commands to type), a guest that does not compile, a folder that can't
/// be written.
pub fn build_all(root: &Path, options: &Options) -> Result<Vec<PathBuf>, String> {
    let root = root.canonicalize().map_err(|e| format!("{}: {e}", root.display()))?;
    let toolchain = match &options.toolchain {
        Some(toolchain) => toolchain.clone(),
        None => Toolchain::find()?,
    };
    let wanted = |name: &str| options.packages.is_empty() || options.packages.iter().any(|p| p == name);
    let names: Vec<String> = guests(&root)?.into_iter().filter(|name| wanted(name)).collect();
    let in_python: Vec<(String, String)> =
        python::plugins(&root)?.into_iter().filter(|(name, _)| wanted(name)).collect();
    let scripts: Vec<String> = javascript::plugins(&root)?.into_iter().filter(|name| wanted(name)).collect();
    let is_known = |name: &String| {
        names.contains(name) || scripts.contains(name) || in_python.iter().any(|(known, _)| known == name)
    };
    if let Some(unknown) = options.packages.iter().find(|name| !is_known(name)) {
        return Err(format!("there is no guest `{unknown}`"));
    }
    let build = Build { root: &root, toolchain: &toolchain, output: options.output };
    let mut components = Vec::new();
    if !names.is_empty() {
        let selected: Vec<&str> = names.iter().flat_map(|name| ["--package", name]).collect();
        build.cargo(&selected)?;
    }
    for name in &names {
        components.push(build.publish(name)?);
    }
    for (name, world) in &in_python {
        components.push(python::build(&root, name, world)?);
    }
    for name in &scripts {
        components.push(javascript::build(&root, name)?);
    }
    components.sort();
    Ok(components)
}

/// Names of the guests, which are those of their folders and packages.
fn guests(root: &Path) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for folder in GUEST_FOLDERS {
        let folder = root.join(folder);
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(format!("{}: {e}", folder.display())),
        };
        for entry in entries {
            let entry = entry.map_err(|e| format!("{}: {e}", folder.display()))?;
            if entry.path().join("Cargo.toml").is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
    }
    names.sort();
    Ok(names)
}

struct Build<'a> {
    root: &'a Path,
    toolchain: &'a Toolchain,
    output: Output,
}

impl Build<'_> {
    fn target_folder(&self) -> PathBuf {
        self.root.join("target").join(format!("guests-{}", self.toolchain.tag()))
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command: Command = self.toolchain.cargo();
        command.current_dir(self.root.join("plugins"));
        command.args(["build", "--release", "--locked", "--target", TARGET, "--target-dir"]);
        command.arg(self.target_folder()).args(self.toolchain.arguments()).args(arguments);
        if self.output == Output::Shown {
            let status = command.stdout(Stdio::null()).status().map_err(|e| format!("{command:?}: {e}"))?;
            return if status.success() {
                Ok(())
            } else {
                Err(format!("building the guests failed: {status}"))
            };
        }
        let done = command.output().map_err(|e| format!("{command:?}: {e}"))?;
        if done.status.success() {
            return Ok(());
        }
        Err(format!("building the guests failed: {}\n{}", done.status, String::from_utf8_lossy(&done.stderr)))
    }

    /// Copies a component to where tests and configurations look for it, if its bytes changed.
    fn publish(&self, name: &str) -> Result<PathBuf, String> {
        let built = self.target_folder().join(TARGET).join("release");
        let built = built.join(format!("{}.wasm", name.replace('-', "_")));
        let folder = self.root.join("target/plugins");
        let target = folder.join(format!("{name}.wasm"));
        let copy = || -> io::Result<()> {
            let bytes = fs::read(&built)?;
            if fs::read(&target).is_ok_and(|old| old == bytes) {
                return Ok(());
            }
            fs::create_dir_all(&folder)?;
            // Renamed into place, so that nobody loads half a component.
            let unfinished = folder.join(format!(".{name}.{}", std::process::id()));
            fs::write(&unfinished, bytes)?;
            fs::rename(&unfinished, &target)
        };
        copy().map_err(|e| format!("{} to {}: {e}", built.display(), target.display()))?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_with_a_manifest_is_a_guest() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let names = guests(&root).unwrap();
        assert!(names.contains(&"kv-memory".to_owned()), "{names:?}");
    }

    #[test]
    fn a_package_that_does_not_exist_is_named() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let toolchain = Some(Toolchain::Installed { cargo: "cargo".into() });
        let options = Options { toolchain, packages: vec!["kv-nothing".into()], ..Options::default() };
        assert!(build_all(&root, &options).unwrap_err().contains("kv-nothing"));
    }
}
