//! Blobs through a plugin against the native operator on the same folder.

use std::process::ExitCode;

use larder_tests::bench::Bench;

fn main() -> ExitCode {
    Bench::from_args("blob-plugin").finish()
}
