//! `wit/`: a version that was released stays as it is, and what is worked on is the newest of them or a later one.

use std::{fmt::Write as _, fs, path::Path};

use larder_tests::workspace_root;
use sha2::{Digest as _, Sha256};

/// The released versions, oldest first, with the digest of their files. A release adds a line; no line ever changes.
const RELEASED: [(&str, &str); 1] =
    [("0.1.0", "aecac2a037c7b83ff2aa72ee7a7a476cfa0072e5a1b995822f519128e27e9b71")];

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

/// Names and contents, each with its length before it.
fn digest(files: &[(String, String)]) -> String {
    let mut hash = Sha256::new();
    for (name, text) in files {
        hash.update(format!("{name}\0{}\0", text.len()));
        hash.update(text);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// `MAJOR.MINOR.PATCH` as numbers, in their order.
fn number(version: &str) -> Vec<u32> {
    let number: Vec<u32> = version.split('.').map(|part| part.parse().unwrap()).collect();
    assert_eq!(number.len(), 3, "{version}");
    number
}

#[test]
fn all_files_of_the_contract_are_of_one_version() {
    version(&files(&workspace_root().join("wit")));
}

#[test]
fn a_released_version_is_frozen() {
    let released = workspace_root().join("wit").join("released");
    for (name, expected) in RELEASED {
        let frozen = files(&released.join(name));
        assert_eq!(version(&frozen), name, "wit/released/{name} names another version");
        let found = digest(&frozen);
        assert_eq!(found, expected, "wit/released/{name} was changed: a released version never is");
    }
    let folders = fs::read_dir(released).unwrap().map(|entry| entry.unwrap().file_name());
    for folder in folders {
        let known = RELEASED.iter().any(|(name, _)| *name == folder.to_string_lossy());
        assert!(known, "wit/released/{} has no line in RELEASED", folder.display());
    }
}

#[test]
fn the_contract_is_the_newest_release_or_a_later_version() {
    let wit = workspace_root().join("wit");
    let current = files(&wit);
    let (newest, _) = RELEASED.iter().max_by_key(|(name, _)| number(name)).unwrap();
    if version(&current) == *newest {
        let frozen = files(&wit.join("released").join(newest));
        assert_eq!(current, frozen, "{newest} is released: a change of wit/ needs a later version");
    } else {
        let later = number(&version(&current)) > number(newest);
        assert!(later, "wit/ is of version {}, before the released {newest}", version(&current));
    }
}
