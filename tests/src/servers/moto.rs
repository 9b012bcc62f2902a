//! `moto`, an S3 emulator of another author in another language: the second opinion.
//!
//! It is a Python package in an environment of its own below `target/`, which `cargo xtask test` makes.

use std::path::PathBuf;

use tempfile::TempDir;

use super::{Process, free_port, listens};

/// A running server. Dropped, it is killed.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    _process: Process,
    _folder: TempDir,
}

impl Moto {
    /// Starts a server without buckets.
    ///
    /// # Errors
    /// Where it can't be installed or started; with what was said.
    pub fn start() -> Result<Self, String> {
        let server = program()?;
        let folder = tempfile::tempdir().map_err(|error| format!("no folder for moto: {error}"))?;
        let port = free_port()?;
        let arguments = ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        let log = folder.path().join("log");
        let mut process = Process::start(&server, &arguments, folder.path(), &log, None)?;
        process.wait_until("moto", || listens(port))?;
        Ok(Self { port, _process: process, _folder: folder })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The program, in the environment that `cargo xtask test` makes.
fn program() -> Result<PathBuf, String> {
    let program = crate::workspace_root().join("target").join("moto-venv").join("bin").join("moto_server");
    if program.is_file() {
        return Ok(program);
    }
    Err(format!("{} is not there; `cargo xtask test conformance` installs it", program.display()))
}
