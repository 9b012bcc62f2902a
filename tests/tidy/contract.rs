//! `wit/`: a version that was released stays as it is.

use std::{fs, path::Path};

use larder_tests::workspace_root;

/// The WIT files of a folder, by name.
fn files(folder: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wit = entries.filter(|path| path.extension().is_some_and(|extension| extension == "wit"));
    let mut files: Vec<(String, String)> = wit
        .map(|path| {
            (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

/// The version in `package larder:store@VERSION;`.
fn version(files: &[(String, String)]) -> String {
    let package =
        |line: &str| Some(line.strip_prefix("package larder:store@")?.trim_end_matches(';').to_owned());
    let mut versions: Vec<String> =
        files.iter().flat_map(|(_, text)| text.lines().filter_map(package)).collect();
    versions.dedup();
    assert_eq!(versions.len(), 1, "the files of wit/ must all name one version: {versions:?}");
    versions.remove(0)
}

#[test]
fn all_files_of_the_contract_are_of_one_version() {
    version(&files(&workspace_root().join("wit")));
}

#[test]
fn a_released_version_is_frozen() {
    let wit = workspace_root().join("wit");
    let released = wit.join("released");
    if !released.exists() {
        return; // Nothing is released yet.
    }
    let current = files(&wit);
    for entry in fs::read_dir(released).unwrap() {
        let folder = entry.unwrap().path();
        let frozen = files(&folder);
        assert_eq!(version(&frozen), folder.file_name().unwrap().to_string_lossy());
        if version(&frozen) == version(&current) {
            assert_eq!(frozen, current, "this version is released: a change needs a new one");
        }
    }
}
