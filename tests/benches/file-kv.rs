//! The embedded key-value store against bare redb with the same durability.

use std::process::ExitCode;

use larder_tests::bench::Bench;

fn main() -> ExitCode {
    Bench::from_args("file-kv").finish()
}
