//! Redis servers: one, a cluster of three, a master with a replica and a Sentinel.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use redis::{Client, Cmd, Value, cmd};
use tempfile::TempDir;

use super::{Process, find, free_port, listens};

/// The Debian package that the programs are in.
const PACKAGE: &str = "redis-server";

/// Longest wait for an answer of a server that is being set up.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// How many slots a cluster has.
const SLOTS: u16 = 16_384;

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct RedisSettings {
    lines: Vec<String>,
    tls: Option<TlsFiles>,
    password: Option<String>,
}

impl RedisSettings {
    /// A server that keeps nothing on disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of `redis.conf`; the last line about something counts.
    #[must_use]
    pub fn line(mut self, line: impl Into<String>) -> Self {
        self.lines.push(line.into());
        self
    }

    /// A log of writes that is synced before each answer.
    #[must_use]
    pub fn durable(self) -> Self {
        self.line("appendonly yes").line("appendfsync always")
    }

    /// The default user has a password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self.line(format!("requirepass {password}"))
    }

    /// Encrypted connections only.
    #[must_use]
    pub fn tls(mut self, files: &TlsFiles) -> Self {
        self.tls = Some(files.clone());
        self
    }
}

/// A Redis server. It keeps its port and its folder when it is restarted.
#[derive(Debug)]
pub struct RedisServer {
    process: Process,
    program: PathBuf,
    folder: TempDir,
    port: u16,
    settings: RedisSettings,
}

impl RedisServer {
    /// Starts a server on a free port and waits until it answers.
    ///
    /// # Errors
    /// What the server said.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        Self::start_with(find("redis-server", &[], PACKAGE)?, settings)
    }

    /// Starts a server of another program: an older Redis, or a Valkey.
    ///
    /// # Errors
    /// What the server said.
    pub fn start_with(program: PathBuf, settings: &RedisSettings) -> Result<Self, String> {
        let folder = TempDir::new().map_err(|e| e.to_string())?;
        let port = free_port()?;
        let process = launch(&program, folder.path(), port, settings, "")?;
        let mut server = Self { process, program, folder, port, settings: settings.clone() };
        server.wait()?;
        Ok(server)
    }

    /// The port that it listens on, at the loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A URL of database 0, without credentials and options.
    pub fn url(&self) -> String {
        let scheme = if self.settings.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/0", self.port)
    }

    /// The process, to be killed, frozen or thawed.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills the server if it lives, and starts it again on the same port and the same files.
    ///
    /// # Errors
    /// What the server said.
    pub fn restart(&mut self) -> Result<(), String> {
        self.process.kill();
        self.process = launch(&self.program, self.folder.path(), self.port, &self.settings, "")?;
        self.wait()
    }

    /// Sends a command as the default user. Not for a server with TLS.
    ///
    /// # Errors
    /// What the server, or the way to it, said.
    pub fn tell(&self, command: &Cmd) -> Result<Value, String> {
        tell(self.port, self.settings.password.as_deref(), command)
    }

    fn wait(&mut self) -> Result<(), String> {
        let (port, password) = (self.port, self.settings.password.clone());
        let encrypted = self.settings.tls.is_some();
        self.process.wait_until("redis-server answers", || {
            if encrypted { listens(port) } else { tell(port, password.as_deref(), &cmd("PING")).is_ok() }
        })
    }
}

/// Sends a command to a server on the loopback.
fn tell(port: u16, password: Option<&str>, command: &Cmd) -> Result<Value, String> {
    let user = password.map(|password| format!(":{password}@")).unwrap_or_default();
    let ask = || {
        let client = Client::open(format!("redis://{user}127.0.0.1:{port}/"))?;
        let mut connection = client.get_connection_with_timeout(ANSWER_MAX)?;
        connection.set_read_timeout(Some(ANSWER_MAX))?;
        command.query(&mut connection)
    };
    ask().map_err(|error: redis::RedisError| format!("a Redis on port {port}: {error}"))
}

fn launch(
    program: &Path,
    folder: &Path,
    port: u16,
    settings: &RedisSettings,
    more: &str,
) -> Result<Process, String> {
    let mut lines = vec!["bind 127.0.0.1".to_owned(), "save \"\"".to_owned(), "appendonly no".to_owned()];
    lines.push(format!("dir {}", folder.display()));
    match &settings.tls {
        None => lines.push(format!("port {port}")),
        Some(TlsFiles { ca, certificate, key, .. }) => {
            lines.extend(["port 0".to_owned(), format!("tls-port {port}")]);
            lines.push(format!("tls-ca-cert-file {}", ca.display()));
            lines.push(format!("tls-cert-file {}", certificate.display()));
            lines.push(format!("tls-key-file {}", key.display()));
        }
    }
    lines.extend(settings.lines.iter().cloned());
    lines.push(more.to_owned());
    let file = folder.join("redis.conf");
    fs::write(&file, lines.join("\n") + "\n").map_err(|e| e.to_string())?;
    Process::start(program, &[file.display().to_string()], folder, &folder.join("log"), None)
}

/// Certificates for a server on the loopback, and for a client.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The authority, PEM.
    pub ca: PathBuf,
    /// The certificate that it gave, for server and client alike, PEM.
    pub certificate: PathBuf,
    /// The certificate's key, PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Makes an authority and a certificate in a folder.
    ///
    /// # Errors
    /// Where they can't be made or written.
    pub fn create(folder: &Path) -> Result<Self, String> {
        let made = || {
            let mut authority = CertificateParams::new(Vec::new())?;
            authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            // Of the same name as the certificate it would be taken for it.
            authority.distinguished_name.push(DnType::CommonName, "authority of a test");
            let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
            let key = KeyPair::generate()?;
            let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
            let certificate = CertificateParams::new(names)?.signed_by(&key, &authority)?;
            Ok::<_, rcgen::Error>((authority.pem(), certificate.pem(), key.serialize_pem()))
        };
        let (ca, certificate, key) = made().map_err(|e| e.to_string())?;
        let files = Self {
            ca: folder.join("ca.pem"),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        for (file, text) in [(&files.ca, ca), (&files.certificate, certificate), (&files.key, key)] {
            fs::write(file, text).map_err(|e| e.to_string())?;
        }
        Ok(files)
    }
}

/// A cluster of three masters, a third of the slots each.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts the nodes, and waits until all of them agree that the cluster is well.
    ///
    /// # Errors
    /// What a node said.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        const NODES: u16 = 3;
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..NODES {
            let bus = free_port()?;
            let settings = settings
                .clone()
                .line("cluster-enabled yes")
                .line(format!("cluster-port {bus}"))
                .line("cluster-node-timeout 5000")
                .line("cluster-require-full-coverage no");
            nodes.push(RedisServer::start(&settings)?);
            buses.push(bus);
        }
        let mut cluster = Self { nodes };
        for (i, node) in (0..NODES).zip(&cluster.nodes) {
            let share = SLOTS.div_ceil(NODES);
            let slots: Vec<u16> = (i * share..SLOTS.min((i + 1) * share)).collect();
            node.tell(cmd("CLUSTER").arg("ADDSLOTS").arg(slots))?;
            node.tell(cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(i + 1))?;
        }
        if let Some(first) = cluster.nodes.first() {
            for (node, bus) in cluster.nodes.iter().zip(&buses).skip(1) {
                first.tell(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(node.port()).arg(*bus))?;
            }
        }
        for node in &mut cluster.nodes {
            let port = node.port();
            node.process().wait_until("the cluster is well", || {
                let info = tell(port, None, cmd("CLUSTER").arg("INFO"));
                let info = info.ok().and_then(text).unwrap_or_default();
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_slots_ok:{SLOTS}"))
                    && info.contains(&format!("cluster_known_nodes:{NODES}"))
            })?;
        }
        Ok(cluster)
    }

    /// The nodes.
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// A URL of all nodes, without credentials and options.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }
}

/// A master, its replica, and a Sentinel that makes the replica the master where the master dies.
#[derive(Debug)]
pub struct RedisSentinel {
    sentinel: RedisServer,
    servers: Vec<RedisServer>,
}

/// The name that the Sentinel knows the master by.
const MASTER: &str = "mymaster";

impl RedisSentinel {
    /// Starts all three, and waits until the Sentinel knows the replica.
    ///
    /// # Errors
    /// What a server said.
    pub fn start(settings: &RedisSettings) -> Result<Self, String> {
        let settings = settings.clone().line("repl-diskless-sync-delay 0");
        let master = RedisServer::start(&settings)?;
        let mut replica =
            RedisServer::start(&settings.line(format!("replicaof 127.0.0.1 {}", master.port())))?;
        let (master_port, replica_port) = (master.port(), replica.port());
        replica.process().wait_until("the replica follows", || {
            let info = tell(replica_port, None, cmd("INFO").arg("replication"));
            info.ok().and_then(text).is_some_and(|info| info.contains("master_link_status:up"))
        })?;
        let mut sentinel = start_sentinel(master_port)?;
        let port = sentinel.port();
        sentinel.process().wait_until("the Sentinel knows the replica", || {
            let known = tell(port, None, cmd("SENTINEL").arg("REPLICAS").arg(MASTER));
            known.is_ok_and(|known| format!("{known:?}").contains(&replica_port.to_string()))
        })?;
        Ok(Self { sentinel, servers: vec![master, replica] })
    }

    /// A URL of database 0, without credentials and options.
    pub fn url(&self) -> String {
        format!("redis-sentinel://127.0.0.1:{}/{MASTER}/0", self.sentinel.port())
    }

    /// The port of the server that the Sentinel calls the master.
    ///
    /// # Errors
    /// What the Sentinel said.
    pub fn master_port(&self) -> Result<u16, String> {
        let answer = self.sentinel.tell(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER))?;
        let Value::Array(parts) = answer else { return Err("the Sentinel knows no master".to_owned()) };
        let port = parts.into_iter().nth(1).and_then(text).and_then(|port| port.parse().ok());
        port.ok_or_else(|| "the Sentinel knows no port".to_owned())
    }

    /// The two servers, whichever of them is the master.
    pub fn servers(&mut self) -> &mut [RedisServer] {
        &mut self.servers
    }

    /// The Sentinel.
    pub fn sentinel(&mut self) -> &mut RedisServer {
        &mut self.sentinel
    }

    /// Makes the replica the master, without waiting for it.
    ///
    /// # Errors
    /// Where the Sentinel refuses for a minute.
    pub fn fail_over(&mut self) -> Result<(), String> {
        let port = self.sentinel.port();
        // It has to have heard from the replica first.
        self.sentinel.process().wait_until("the Sentinel begins a failover", || {
            tell(port, None, cmd("SENTINEL").arg("FAILOVER").arg(MASTER)).is_ok()
        })
    }

    /// Waits until the Sentinel calls another server the master.
    ///
    /// # Errors
    /// Where that takes longer than a minute.
    pub fn wait_for_another_master(&mut self, than: u16) -> Result<(), String> {
        let port = self.sentinel.port();
        self.sentinel.process().wait_until("another master", || {
            let answer = tell(port, None, cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER));
            let Ok(Value::Array(parts)) = answer else { return false };
            parts.into_iter().nth(1).and_then(text).is_some_and(|port| port != than.to_string())
        })
    }
}

fn start_sentinel(master: u16) -> Result<RedisServer, String> {
    let program = find("redis-server", &[], "redis-server")?;
    let settings = RedisSettings::new();
    let folder = TempDir::new().map_err(|e| e.to_string())?;
    let port = free_port()?;
    let lines = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {MASTER} 127.0.0.1 {master} 1\n\
         sentinel down-after-milliseconds {MASTER} 1000\nsentinel failover-timeout {MASTER} 4000\n",
        folder.path().display()
    );
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, lines).map_err(|e| e.to_string())?;
    let arguments = [file.display().to_string(), "--sentinel".to_owned()];
    let process = Process::start(&program, &arguments, folder.path(), &folder.path().join("log"), None)?;
    let mut server = RedisServer { process, program, folder, port, settings };
    server.wait()?;
    Ok(server)
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => Some(text),
        _ => None,
    }
}
