//! Makes one table of the rows that the suite of plugins left in `target/attacks`, and `target/attacks.json` of
//! them. Exits with 1 where an attack got anywhere, or was not tried.

use std::{
    io::{self, Write},
    process::ExitCode,
};

fn main() -> io::Result<ExitCode> {
    let table = larder_tests::attacks::Table::collect()?;
    write!(io::stdout(), "{table}")?;
    Ok(if table.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
