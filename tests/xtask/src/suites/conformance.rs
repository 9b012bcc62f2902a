//! The suite `conformance`: ends with a table of backends by features, also in target/conformance.json.

use std::{fs, io::ErrorKind, process::Command};

use super::{Tally, joined, runner};
use crate::{Outcome, cargo};

pub(super) fn run(tally: &mut Tally) -> Outcome {
    // Reports of an earlier run would be in the table as if they were of this one.
    let reports = cargo::target().join("conformance");
    match fs::remove_dir_all(&reports) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(format!("{}: {error}", reports.display()));
        }
        _ => {}
    }
    let mut failures = Vec::new();
    failures.extend(runner::binary("conformance", tally).err());
    // The table tells what failed, so it is made of a failed run above all.
    failures.extend(cargo::run(&mut Command::new(cargo::binary("conformance-table"))).err());
    joined(failures)
}
