//! Suites that end with a table: each of their tests leaves a file in `target/ROWS`, and the program `ROWS-table`
//! makes the table of them, and `target/ROWS.json`.

use std::{fs, io::ErrorKind, process::Command};

use super::{Tally, joined, runner};
use crate::{Outcome, cargo};

/// Runs the suite of that name, and makes the table of its rows also where it fails: the table tells what failed.
pub(super) fn run(suite: &str, rows: &str, tally: &mut Tally) -> Outcome {
    // Files of an earlier run would be in the table as if they were of this one.
    let files = cargo::target().join(rows);
    match fs::remove_dir_all(&files) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(format!("{}: {error}", files.display()));
        }
        _ => {}
    }
    let mut failures = Vec::new();
    failures.extend(runner::binary(suite, tally).err());
    failures.extend(cargo::run(&mut Command::new(cargo::binary(&format!("{rows}-table")))).err());
    joined(failures)
}
