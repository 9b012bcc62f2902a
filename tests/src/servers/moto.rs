//! `moto`, an S3 emulator of another author in another language: the second opinion.
//!
//! It is a Python package in an environment of its own below `target/`, which is made where it is missing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use super::{Process, find, free_port, listens};

/// The package, of one version: an emulator that changes under a suite is no opinion.
const PACKAGE: &str = "moto[server]==5.2.5";

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
        let server = environment()?.join("bin").join("moto_server");
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

/// The environment with the package in it.
fn environment() -> Result<PathBuf, String> {
    let tools = crate::target_dir().join("tools");
    let ready = tools.join("moto");
    if ready.join("bin").join("moto_server").is_file() {
        return Ok(ready);
    }
    fs::create_dir_all(&tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    // Made aside and renamed: another suite may be doing the same, and half an environment is none.
    let aside = tempfile::tempdir_in(&tools).map_err(|error| format!("{}: {error}", tools.display()))?;
    let made = aside.path().join("moto");
    let python = find("python3", &[], "python3-venv")?;
    run(&python, &["-m".as_ref(), "venv".as_ref(), made.as_os_str()])?;
    run(&made.join("bin").join("python"), &["-m", "pip", "install", "--quiet", PACKAGE].map(str::as_ref))?;
    // The program names the folder that it was made in.
    let script = made.join("bin").join("moto_server");
    let text = fs::read_to_string(&script).map_err(|error| format!("{}: {error}", script.display()))?;
    let (from, to) = (made.to_string_lossy().into_owned(), ready.to_string_lossy().into_owned());
    fs::write(&script, text.replace(&from, &to)).map_err(|error| format!("{}: {error}", script.display()))?;
    match fs::rename(&made, &ready) {
        Ok(()) => Ok(ready),
        // The other was first.
        Err(_) if ready.join("bin").join("moto_server").is_file() => Ok(ready),
        Err(error) => Err(format!("{}: {error}", ready.display())),
    }
}

fn run(program: &Path, arguments: &[&std::ffi::OsStr]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{} failed: {}", program.display(), String::from_utf8_lossy(&output.stderr)))
}
