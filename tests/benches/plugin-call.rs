//! Calls through a plugin against the bare wasmtime call, and against a process on a socket.

use std::process::ExitCode;

use larder_tests::bench::Bench;

fn main() -> ExitCode {
    Bench::from_args("plugin-call").finish()
}
