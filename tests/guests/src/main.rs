//! `cargo run -p larder-guests [PACKAGE…]`: builds the guests, for those who don't go through `cargo xtask`.

use std::{io::Write, path::Path, process::ExitCode};

use larder_guests::{Options, build_all};

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let options = Options { packages: std::env::args().skip(1).collect(), ..Options::default() };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let written = match build_all(&root, &options) {
        Ok(components) => components
            .iter()
            .try_for_each(|path| writeln!(out, "{}", path.display()))
            .map(|()| ExitCode::SUCCESS),
        Err(why) => writeln!(err, "{why}").map(|()| ExitCode::FAILURE),
    };
    written.unwrap_or(ExitCode::FAILURE)
}
