//! Makes one table of the reports that the conformance suite left in `target/conformance`, and
//! `target/conformance.json` of them. Exits with 1 where something does not hold, or nothing is there.

use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    let folder = larder_tests::workspace_root().join("target").join("conformance");
    let merged = larder_conformance::report::merge(&folder)?;
    write!(io::stdout(), "{merged}")?;
    Ok(if merged.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
