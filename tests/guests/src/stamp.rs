//! Whether something has to be built anew: a digest of all that it is made of, kept in a file that is written last.

use std::{
    collections::hash_map::DefaultHasher,
    fs,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
};

/// What tools leave among the sources.
const LEFT_BEHIND: [&str; 4] = ["__pycache__", ".pytest_cache", ".mypy_cache", "node_modules"];

/// All files below a folder, sorted, without what tools leave there.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| shown(folder, &e))? {
        let path = entry.map_err(|e| shown(folder, &e))?.path();
        if LEFT_BEHIND.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A digest of files, by names and bytes. It tells a change, and protects from nobody.
pub(crate) fn digest(files: &[PathBuf]) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    for file in files {
        file.hash(&mut hasher);
        fs::read(file).map_err(|e| shown(file, &e))?.hash(&mut hasher);
    }
    Ok(hasher.finish().to_string())
}

/// Whether the stamp is this digest's.
pub(crate) fn says(stamp: &Path, digest: &str) -> bool {
    fs::read_to_string(stamp).is_ok_and(|text| text == digest)
}

/// Written last, so that half of it counts as nothing.
pub(crate) fn write(stamp: &Path, digest: &str) -> Result<(), String> {
    fs::write(stamp, digest).map_err(|e| shown(stamp, &e))
}

pub(crate) fn shown(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_changes_with_the_files() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let (one, two) = (here.join("Cargo.toml"), here.join("src/lib.rs"));
        assert_eq!(digest(std::slice::from_ref(&one)), digest(std::slice::from_ref(&one)));
        assert_ne!(digest(std::slice::from_ref(&one)), digest(&[one, two]));
    }
}
