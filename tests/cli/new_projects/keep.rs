//! Keeping a project from one run to the next: written anew only where it differs, so that builds find what they know.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// Whether a kept project had to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    AsItWas,
    Changed,
}

/// Makes `kept` the same as `new`. What a build has left behind stays.
pub(super) fn keep(new: &Path, kept: &Path) -> Kept {
    let (wanted, there) = (files(new), files(kept));
    let mut outcome = Kept::AsItWas;
    for gone in there.difference(&wanted).filter(|path| !is_left_by_builds(path)) {
        fs::remove_file(kept.join(gone)).unwrap();
        outcome = Kept::Changed;
    }
    for path in &wanted {
        let (from, to) = (fs::read(new.join(path)).unwrap(), kept.join(path));
        if fs::read(&to).is_ok_and(|old| old == from) {
            continue;
        }
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, from).unwrap();
        outcome = Kept::Changed;
    }
    outcome
}

/// Makes a link where there is none.
pub(super) fn link(at: &Path, to: &Path) {
    if at.symlink_metadata().is_ok() {
        return;
    }
    fs::create_dir_all(to).unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, at).unwrap();
    #[cfg(not(unix))]
    panic!("{} can't be a link to {} on this system", at.display(), to.display());
}

/// Gives a project versions that are known to be there: those of the plugins. A new user's cargo takes the newest.
pub(super) fn lock(from: &Path, project: &Path) {
    let to = project.join("Cargo.lock");
    match fs::metadata(&to) {
        Err(error) if error.kind() == ErrorKind::NotFound => fs::copy(from, to).map(drop).unwrap(),
        found => drop(found.unwrap()),
    }
}

/// What is written beside a project's own files: lock files, stamps, components and what interpreters leave.
fn is_left_by_builds(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let folders = ["__pycache__", ".pytest_cache", ".mypy_cache"];
    [".built", "Cargo.lock", "package-lock.json"].contains(&&*name)
        || name.ends_with(".wasm")
        || path.components().any(|part| folders.iter().any(|folder| part.as_os_str() == *folder))
}

/// Files below a folder, by their paths in it; links are not followed.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut queue = vec![folder.to_path_buf()];
    while let Some(next) = queue.pop() {
        let entries = match fs::read_dir(&next) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            entries => entries.unwrap(),
        };
        for entry in entries {
            let entry = entry.unwrap();
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                queue.push(entry.path());
            } else if kind.is_file() {
                found.insert(entry.path().strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found
}
