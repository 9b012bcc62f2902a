//! The suite `examples`: runs each example as a user would, then the demo.

use std::{fs, process::Command};

use super::{Tally, joined};
use crate::{Install, Outcome, cargo, demo};

pub(super) fn run(tally: &mut Tally, install: Install) -> Outcome {
    let mut failures = Vec::new();
    for name in folders()? {
        // Every folder has its line here; one that has none is a failure, and not passed over.
        let outcome = match name.as_str() {
            "fetcher" => fetcher(),
            "testing-a-fetcher" => testing_a_fetcher(),
            _ => Err(format!("examples/{name} is not run: add it to tests/xtask/src/suites/examples.rs")),
        };
        tally.count(outcome, &mut failures);
    }
    tally.count(demo::run(install), &mut failures);
    joined(failures)
}

fn folders() -> Outcome<Vec<String>> {
    let entries = fs::read_dir(cargo::root().join("examples")).map_err(|error| error.to_string())?;
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> =
        folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// A short crawl with the configuration that lies beside the example, then the same again, which finds
/// its state and has nothing left to do.
fn fetcher() -> Outcome {
    let state = cargo::target().join("fetcher");
    if state.exists() {
        fs::remove_dir_all(&state).map_err(|error| format!("{}: {error}", state.display()))?;
    }
    let tree = demo::tree_of_pages()?;
    for _ in 0..2 {
        let mut command = Command::new(cargo::binary("larder-fetcher"));
        command.current_dir(cargo::root()).args(["--pages-max", "50"]);
        cargo::run(command.arg("--tree").arg(&tree.folder).arg("--start").arg(&tree.start))?;
    }
    Ok(())
}

/// Its tests are the example. The whole workspace is selected, so that nothing is compiled with other features.
fn testing_a_fetcher() -> Outcome {
    cargo::run(&mut cargo::cargo(&["test", "--workspace", "--test", "fetcher"]))
}
