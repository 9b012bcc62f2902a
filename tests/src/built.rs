//! Finds what `cargo xtask` has built: components, the `larder` command, the workspace itself.
//!
//! A suite that lacks one fails and says what to type; it never skips itself.

use std::path::{Path, PathBuf};

/// The folder of the workspace's root `Cargo.toml`.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// The target folder that the running binary was built into.
///
/// # Panics
/// Where the binary lies in no cargo target folder.
pub fn target_dir() -> PathBuf {
    profile_dir().parent().map(Path::to_path_buf).expect("a profile folder lies in a target folder")
}

/// The component `target/plugins/NAME.wasm`.
///
/// # Panics
/// Where it has not been built; the message says how to build it.
pub fn plugin(name: &str) -> PathBuf {
    let path = workspace_root().join("target").join("plugins").join(format!("{name}.wasm"));
    existing(path, "cargo xtask plugins")
}

/// The `larder` command, in the profile of the running binary.
///
/// # Panics
/// Where it has not been built; the message says how to build it.
pub fn larder_binary() -> PathBuf {
    let profile = profile_dir();
    let flag = if profile.ends_with("release") { " --release" } else { "" };
    let path = profile.join(format!("larder{}", std::env::consts::EXE_SUFFIX));
    existing(path, &format!("cargo build --package larder-cli{flag}"))
}

fn existing(path: PathBuf, command: &str) -> PathBuf {
    assert!(path.is_file(), "{} is not built; type: {command}", path.display());
    path
}

/// `target/debug` or `target/release`: a test binary lies in `deps` below it.
fn profile_dir() -> PathBuf {
    let binary = std::env::current_exe().expect("the operating system tells where this binary lies");
    let folder = binary.parent().expect("a binary lies in a folder");
    let nested = folder.ends_with("deps") || folder.ends_with("examples");
    let profile = if nested { folder.parent() } else { Some(folder) };
    profile.map(Path::to_path_buf).expect("`deps` lies in a profile folder")
}
