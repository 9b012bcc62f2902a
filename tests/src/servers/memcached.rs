//! A memcached server.

use std::fs;

use tempfile::TempDir;

use super::{Process, find, free_port, listens};

/// The Debian package that the program is in.
const PACKAGE: &str = "memcached";

/// A memcached server on the loopback. It keeps its port when it is restarted, and nothing else.
#[derive(Debug)]
pub struct MemcachedServer {
    process: Process,
    folder: TempDir,
    port: u16,
}

impl MemcachedServer {
    /// Starts a server on a free port and waits until it answers.
    ///
    /// # Errors
    /// What the server said.
    pub fn start() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let port = free_port()?;
        let process = start(&folder, port)?;
        Ok(Self { process, folder, port })
    }

    /// Kills the server and starts it again, empty, on its port.
    ///
    /// # Errors
    /// What the server said.
    pub fn restart(&mut self) -> Result<(), String> {
        self.process.kill();
        self.process = start(&self.folder, self.port)?;
        Ok(())
    }

    /// Its address, as a setting and a grant have it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the server where it stands, and waits until each of its threads does: a signal that was sent has not
    /// arrived yet.
    ///
    /// # Errors
    /// What the server said.
    pub fn freeze(&mut self) -> Result<(), String> {
        self.process.freeze();
        let threads = format!("/proc/{}/task", self.process.id());
        self.process.wait_until("memcached stands still", || {
            let is_stopped = |thread: fs::DirEntry| {
                let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
                stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
            };
            fs::read_dir(&threads).is_ok_and(|mut found| found.all(|thread| thread.is_ok_and(is_stopped)))
        })
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn start(folder: &TempDir, port: u16) -> Result<Process, String> {
    let program = find("memcached", &[], PACKAGE)?;
    // As root it wants to be told whom to become; as anybody else it takes no notice. UDP is off.
    let line = format!("-l 127.0.0.1 -p {port} -U 0 -m 64 -u nobody");
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let mut process = Process::start(&program, &arguments, folder.path(), &folder.path().join("log"), None)?;
    process.wait_until("memcached answers", || listens(port))?;
    Ok(process)
}
