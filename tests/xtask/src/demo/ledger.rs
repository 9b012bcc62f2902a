//! What the store says was done, compared with what is there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::{Outcome, cargo};

/// Every record of the crawler's store.
pub(super) struct Ledger(Vec<Record>);

/// A line of `larder-fetcher records`.
#[derive(Deserialize)]
struct Record {
    address: String,
    commits: u64,
    kind: String,
    #[serde(default)]
    blob: Option<String>,
}

/// How the crawl compares with the tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comparison {
    /// Pages that are stored, byte for byte as in the tree.
    pub(super) pages: u64,
    /// Bytes in them.
    pub(super) bytes: u64,
    /// Reachable pages that are not stored, or not as they are in the tree.
    pub(super) lost: Vec<String>,
    /// Pages that were committed more than once, or stored under more than one name, and files in the
    /// store that no record names.
    pub(super) duplicated: Vec<String>,
}

/// Reads the store through larder, with the build of the plugin that the crawl began with.
pub(super) fn read(folder: &Path) -> Outcome<Ledger> {
    let mut command = Command::new(cargo::binary("larder-fetcher"));
    let text = cargo::output(command.arg("--config").arg(folder.join("larder.yaml")).arg("records"))?;
    let record = |line: &str| serde_json::from_str(line).map_err(|error| format!("{line}: {error}"));
    text.lines().map(record).collect::<Outcome<Vec<Record>>>().map(Ledger)
}

impl Ledger {
    /// Compares with the reachable pages. The blobs are read from the disk, past larder.
    ///
    /// # Errors
    /// A file that can't be read.
    pub(super) fn compare(&self, expected: &BTreeMap<String, PathBuf>, blobs: &Path) -> Outcome<Comparison> {
        let mut found = Comparison::default();
        let mut unclaimed = files(blobs)?;
        let mut seen = BTreeSet::new();
        for record in self.0.iter().filter(|record| record.kind == "page") {
            let blob = record.blob.as_deref().unwrap_or_default();
            let is_first = seen.insert(record.address.as_str()) && unclaimed.remove(blob);
            if !is_first || record.commits != 1 || !expected.contains_key(&record.address) {
                found.duplicated.push(record.address.clone());
            }
            let Some(source) = expected.get(&record.address) else { continue };
            let stored = fs::read(blobs.join(blob)).unwrap_or_default();
            let source = fs::read(source).map_err(|error| format!("{}: {error}", source.display()))?;
            if stored == source {
                found.pages += 1;
                found.bytes += stored.len() as u64;
            } else {
                found.lost.push(record.address.clone());
            }
        }
        found.lost.extend(expected.keys().filter(|page| !seen.contains(page.as_str())).cloned());
        found.duplicated.extend(unclaimed);
        Ok(found)
    }
}

/// Where the blob store keeps its lock and what is being written: no blob has such a path.
const OWN_FOLDER: &str = ".larder";

/// Every blob below a folder, by its path within it.
fn files(folder: &Path) -> Outcome<BTreeSet<String>> {
    let mut files = BTreeSet::new();
    let mut queue = vec![folder.to_path_buf()];
    while let Some(next) = queue.pop() {
        let entries = fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        for entry in entries {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path == folder.join(OWN_FOLDER) {
                continue;
            }
            if path.is_dir() {
                queue.push(path);
            } else if let Ok(within) = path.strip_prefix(folder) {
                files.insert(within.to_string_lossy().replace('\\', "/"));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(address: &str, commits: u64, blob: &str) -> Record {
        Record { address: address.to_owned(), commits, kind: "page".to_owned(), blob: Some(blob.to_owned()) }
    }

    /// A tree and a store of the pages `a`, `b`, `c`, as a temporary folder under the target folder.
    fn folder(name: &str, stored: &[(&str, &str)]) -> (BTreeMap<String, PathBuf>, PathBuf) {
        let folder = cargo::target().join("xtask-tests").join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let (tree, blobs) = (folder.join("tree"), folder.join("blobs"));
        fs::create_dir_all(&tree).unwrap();
        fs::create_dir_all(&blobs).unwrap();
        for page in ["a", "b", "c"] {
            fs::write(tree.join(page), page).unwrap();
        }
        for (name, content) in stored {
            fs::write(blobs.join(name), content).unwrap();
        }
        (["a", "b", "c"].map(|page| (format!("/{page}"), tree.join(page))).into(), blobs)
    }

    #[test]
    fn a_whole_crawl_is_whole() {
        let (expected, blobs) = folder("whole", &[("a", "a"), ("b", "b"), ("c", "c")]);
        let ledger = Ledger(vec![record("/a", 1, "a"), record("/b", 1, "b"), record("/c", 1, "c")]);
        let found = ledger.compare(&expected, &blobs).unwrap();
        assert_eq!(found, Comparison { pages: 3, bytes: 3, ..Comparison::default() });
    }

    #[test]
    fn what_is_missing_or_changed_is_lost() {
        let (expected, blobs) = folder("lost", &[("a", "a"), ("b", "B")]);
        let ledger = Ledger(vec![record("/a", 1, "a"), record("/b", 1, "b")]);
        let found = ledger.compare(&expected, &blobs).unwrap();
        assert_eq!(found.lost, ["/b", "/c"]);
    }

    #[test]
    fn what_is_there_twice_is_duplicated() {
        let (expected, blobs) = folder("twice", &[("a", "a"), ("b", "b"), ("c", "c"), ("c2", "c")]);
        let ledger = Ledger(vec![record("/a", 2, "a"), record("/b", 1, "b"), record("/c", 1, "c")]);
        let found = ledger.compare(&expected, &blobs).unwrap();
        assert_eq!(found.duplicated, ["/a", "c2"]);
    }
}
