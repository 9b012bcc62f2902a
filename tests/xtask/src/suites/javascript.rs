//! The suite `javascript`: what is written in JavaScript, on node, by node's own runner; and whether the types of the
//! SDK are what the contract says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Tally, joined};
use crate::{
    Outcome,
    cargo::{self, Stream},
};

/// Folders, relative to the workspace, that hold tests or whose subfolders do.
const PLACES: [&str; 2] = ["sdk", "plugins"];

/// How the files of tests end.
const TESTS: &str = ".test.js";

pub(super) fn run(tally: &mut Tally) -> Outcome {
    let mut failures = Vec::new();
    let mut node = Command::new("node");
    node.current_dir(cargo::root()).args(["--test", "--test-reporter=tap"]).args(tests()?);
    let mut seen = Tally::default();
    let outcome = cargo::run_reading(&mut node, Stream::Output, &mut |line| {
        if let Some(count) = line.strip_prefix("# pass ").and_then(|count| count.parse::<u64>().ok()) {
            seen.passed += count;
        }
        if let Some(count) = line.strip_prefix("# fail ").and_then(|count| count.parse::<u64>().ok()) {
            seen.failed += count;
        }
    });
    let outcome = match outcome {
        Ok(()) if seen.passed == 0 => Err("node ran no tests".to_owned()),
        other => other,
    };
    if outcome.is_err() && seen.failed == 0 {
        seen.failed += 1;
    }
    tally.add(seen);
    failures.extend(outcome.err());
    let mut types = Command::new("node");
    types.current_dir(cargo::root()).args(["sdk/js/tools/declare.js", "--check"]);
    tally.count(cargo::run(&mut types), &mut failures);
    joined(failures)
}

/// The files of tests, relative to the workspace.
fn tests() -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in PLACES {
        for package in entries(&cargo::root().join(place))? {
            let folder = package.join("tests");
            if package.join("package.json").is_file() && folder.is_dir() {
                found.extend(entries(&folder)?.into_iter().filter(|path| {
                    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(TESTS))
                }));
            }
        }
    }
    Ok(found)
}

fn entries(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let shown = |error: std::io::Error| format!("{}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(shown)?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>().map_err(shown)?;
    paths.sort();
    Ok(paths)
}
