//! Makes one table of the cells that the suite of faults left in `target/faults`, and `target/faults.json` of
//! them. Exits with 1 where a cell does not hold, or is missing.

use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    let table = larder_tests::faults::Table::collect()?;
    write!(io::stdout(), "{table}")?;
    Ok(if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
