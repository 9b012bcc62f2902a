//! An etcd server of one member.

use std::path::Path;

use tempfile::TempDir;

use super::{Process, find, free_port, listens};

/// The Debian package that the program is in.
const PACKAGE: &str = "etcd-server";

/// Largest request that it takes, in bytes: the contract's largest commit with room for base64's and protobuf's frames.
pub const REQUEST_BYTES: u32 = 24 << 20;

/// An etcd server on the loopback. It keeps its ports and what it has when it is restarted.
#[derive(Debug)]
pub struct EtcdServer {
    process: Process,
    folder: TempDir,
    ports: Ports,
}

#[derive(Debug, Clone, Copy)]
struct Ports {
    client: u16,
    peer: u16,
}

impl EtcdServer {
    /// Starts a server on free ports and waits until it answers. It does not wait for the disk: what it survives is the end
    /// of its process, not of the machine.
    ///
    /// # Errors
    /// What the server said.
    pub fn start() -> Result<Self, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let ports = Ports { client: free_port()?, peer: free_port()? };
        let process = start(folder.path(), ports)?;
        Ok(Self { process, folder, ports })
    }

    /// Kills the server and starts it again, with what it had, on its ports.
    ///
    /// # Errors
    /// What the server said.
    pub fn restart(&mut self) -> Result<(), String> {
        self.process.kill();
        self.process = start(self.folder.path(), self.ports)?;
        Ok(())
    }

    /// The address of its gateway, as a setting and a grant have it.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.client)
    }

    /// Its port for clients.
    pub fn port(&self) -> u16 {
        self.ports.client
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn start(folder: &Path, ports: Ports) -> Result<Process, String> {
    let program = find("etcd", &[], PACKAGE)?;
    let Ports { client, peer } = ports;
    let line = format!(
        "--name larder --data-dir data --unsafe-no-fsync --max-request-bytes {REQUEST_BYTES} \
         --listen-client-urls http://127.0.0.1:{client} --advertise-client-urls http://127.0.0.1:{client} \
         --listen-peer-urls http://127.0.0.1:{peer} --initial-advertise-peer-urls http://127.0.0.1:{peer} \
         --initial-cluster larder=http://127.0.0.1:{peer}"
    );
    let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let mut process = Process::start(&program, &arguments, folder, &folder.join("log"), None)?;
    // It listens for clients once it has a leader.
    process.wait_until("etcd answers", || listens(client))?;
    Ok(process)
}
