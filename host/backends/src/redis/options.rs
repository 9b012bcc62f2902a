//! How a store is reached, and what is asked of the server.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use larder_core::{Clock, Error, Result, limits::VALUE_BYTES_MAX};

use super::{layout, url};

/// Largest value that can be configured, in bytes: half of what Redis allows a string to have, so that a head and a
/// copy in a script fit.
const VALUE_BYTES_CEILING: usize = 256 << 20;

/// Where a server listens unless something else is said.
pub(super) const PORT: u16 = 6_379;
/// Where a Sentinel listens unless something else is said.
pub(super) const SENTINEL_PORT: u16 = 26_379;
/// What stands in front of the keys unless something else is said.
const PREFIX: &str = "larder";

/// A host name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// How the server that keeps the store is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    /// It is this one.
    Standalone(Address),
    /// These say which one is the master of this name.
    Sentinel { sentinels: Vec<Address>, master: String },
    /// These know which node keeps the store's slot.
    Cluster(Vec<Address>),
}

/// Text that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Who one is for a server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Credentials {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

/// Encryption of the connections.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tls {
    /// PEM file of the authorities to trust instead of the system's.
    pub(super) ca: Option<PathBuf>,
    /// PEM files of this client's certificate and key.
    pub(super) client: Option<(PathBuf, PathBuf)>,
}

/// What a server must promise about acknowledged writes before a store opens on it.
///
/// A server that promises less than it is asked for is refused; whatever it promises is logged when a store opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// Nothing: a server of any configuration will do. What may be lost is logged as a warning.
    #[default]
    Any,
    /// No eviction, and a log that is synced at least each second: what a power cut takes is the last second.
    EverySecond,
    /// No eviction, and a log that is synced before a write is acknowledged.
    Always,
}

impl Durability {
    /// The name in configurations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::EverySecond => "every-second",
            Self::Always => "always",
        }
    }

    /// The durability of this name.
    ///
    /// # Errors
    /// `config`, with the names that there are.
    pub fn parse(name: &str) -> Result<Self> {
        let all = [Self::Any, Self::EverySecond, Self::Always];
        all.into_iter().find(|durability| durability.as_str() == name).ok_or_else(|| {
            Error::config(format!("no durability is called {name:?}; expected any, every-second or always"))
        })
    }
}

/// How a [`RedisKv`](super::RedisKv) is opened. No secret is in its `Debug` and `Display`.
#[derive(Clone)]
pub struct RedisOptions {
    pub(super) topology: Topology,
    pub(super) db: u32,
    pub(super) credentials: Credentials,
    pub(super) sentinel_credentials: Credentials,
    pub(super) tls: Option<Tls>,
    pub(super) prefix: String,
    pub(super) connect_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) cleanup_interval: Duration,
    pub(super) value_bytes_max: usize,
    pub(super) durability: Durability,
    pub(super) clock: Option<Arc<dyn Clock>>,
}

impl RedisOptions {
    fn new(topology: Topology, db: u32) -> Self {
        Self {
            topology,
            db,
            credentials: Credentials::default(),
            sentinel_credentials: Credentials::default(),
            tls: None,
            prefix: PREFIX.to_owned(),
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(5),
            cleanup_interval: Duration::from_secs(60),
            value_bytes_max: VALUE_BYTES_MAX,
            durability: Durability::Any,
            clock: None,
        }
    }

    /// One server.
    pub fn standalone(host: impl Into<String>, port: u16, db: u32) -> Self {
        Self::new(Topology::Standalone(Address { host: host.into(), port }), db)
    }

    /// The master of a name, as Sentinels tell it.
    pub fn sentinel<H: Into<String>>(
        sentinels: impl IntoIterator<Item = (H, u16)>,
        master: impl Into<String>,
        db: u32,
    ) -> Self {
        Self::new(Topology::Sentinel { sentinels: addresses(sentinels), master: master.into() }, db)
    }

    /// The node of a cluster that keeps the store's slot; any nodes of the cluster will do to find it.
    pub fn cluster<H: Into<String>>(nodes: impl IntoIterator<Item = (H, u16)>) -> Self {
        Self::new(Topology::Cluster(addresses(nodes)), 0)
    }

    /// Reads a URL:
    ///
    /// * `redis://user:password@host:6379/0`
    /// * `redis-sentinel://user:password@host1:26379,host2:26379/master/0`
    /// * `redis+cluster://user:password@host1:7000,host2:7001`
    ///
    /// The same with `rediss` is encrypted. Options follow as `?prefix=fetcher&response_timeout=2s`: `prefix`, `db`,
    /// `connect_timeout`, `response_timeout`, `cleanup_interval`, `value_bytes_max`, `durability`, `tls_ca`,
    /// `tls_certificate`, `tls_key`, `sentinel_user`, `sentinel_password`.
    ///
    /// # Errors
    /// `config`, saying what would be right, without any secret of the URL.
    pub fn from_url(url: &str) -> Result<Self> {
        let options = url::parse(url)?;
        options.check()?;
        Ok(options)
    }

    /// The ACL user; without one it is the server's default user.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.credentials.user = Some(user.into());
        self
    }

    /// The password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.credentials.password = Some(Secret(password.into()));
        self
    }

    /// The ACL user at the Sentinels. They have credentials of their own, and none unless some are set.
    #[must_use]
    pub fn sentinel_user(mut self, user: impl Into<String>) -> Self {
        self.sentinel_credentials.user = Some(user.into());
        self
    }

    /// The password at the Sentinels.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_credentials.password = Some(Secret(password.into()));
        self
    }

    /// The store's name in the server, 1 to 128 bytes without braces: two stores of different prefixes share nothing.
    #[must_use]
    pub fn key_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The database number; a cluster has only 0.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.db = db;
        self
    }

    /// Encrypts all connections, trusting the system's authorities.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls.get_or_insert_default();
        self
    }

    /// Encrypts all connections, trusting the authorities in this PEM file and no others.
    #[must_use]
    pub fn tls_ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.tls.get_or_insert_default().ca = Some(file.into());
        self
    }

    /// Encrypts all connections and shows the server a certificate: PEM files of the certificate and its key.
    #[must_use]
    pub fn tls_client_files(mut self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.tls.get_or_insert_default().client = Some((certificate.into(), key.into()));
        self
    }

    /// Longest wait for a connection, greeting included; 2 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest wait for an answer; 5 s unless set. A commit whose answer does not come has an unknown effect.
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    /// How often the index is rid of what has expired, in the background; 60 s unless set, zero switches it off. The
    /// values themselves are freed by the server.
    #[must_use]
    pub fn cleanup_interval(mut self, interval: Duration) -> Self {
        self.cleanup_interval = interval;
        self
    }

    /// Largest value in bytes, at most 256 MiB.
    #[must_use]
    pub fn value_bytes_max(mut self, bytes: usize) -> Self {
        self.value_bytes_max = bytes;
        self
    }

    /// What the server must promise about acknowledged writes.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Replaces the server's time by a clock: a seam for tests and for nothing else. The server's own expiry is put
    /// off by an hour, and every read decides by the clock.
    #[must_use]
    pub fn clock(mut self, clock: Option<Arc<dyn Clock>>) -> Self {
        self.clock = clock;
        self
    }

    pub(super) fn check(&self) -> Result<()> {
        layout::check_prefix(&self.prefix)?;
        if self.value_bytes_max == 0 || self.value_bytes_max > VALUE_BYTES_CEILING {
            return Err(Error::config(format!(
                "values of at most {} bytes; a Redis store takes 1 to {VALUE_BYTES_CEILING}",
                self.value_bytes_max
            )));
        }
        if self.connect_timeout.is_zero() || self.response_timeout.is_zero() {
            return Err(Error::config("a timeout of nothing; expected a duration such as 5s"));
        }
        if self.credentials.user.is_some() && self.credentials.password.is_none() {
            return Err(Error::config("a user without a password; expected both, or a password alone"));
        }
        let hosts = match &self.topology {
            Topology::Standalone(_) => return Ok(()),
            Topology::Sentinel { master, .. } if master.is_empty() => {
                return Err(Error::config(
                    "no name of a master for the Sentinels; expected one such as `mymaster`",
                ));
            }
            Topology::Cluster(_) if self.db != 0 => {
                return Err(Error::config(format!("database {} of a cluster, which has only 0", self.db)));
            }
            Topology::Sentinel { sentinels: hosts, .. } | Topology::Cluster(hosts) => hosts,
        };
        if hosts.is_empty() {
            Err(Error::config("no host; expected at least one `host:port`"))
        } else {
            Ok(())
        }
    }
}

fn addresses<H: Into<String>>(hosts: impl IntoIterator<Item = (H, u16)>) -> Vec<Address> {
    hosts.into_iter().map(|(host, port)| Address { host: host.into(), port }).collect()
}

impl fmt::Display for RedisOptions {
    /// The URL without credentials and options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, hosts) = match &self.topology {
            Topology::Standalone(address) => ("", std::slice::from_ref(address)),
            Topology::Sentinel { sentinels, .. } => ("-sentinel", sentinels.as_slice()),
            Topology::Cluster(nodes) => ("+cluster", nodes.as_slice()),
        };
        let secure = if self.tls.is_some() { "s" } else { "" };
        write!(f, "redis{secure}{scheme}://")?;
        for (i, host) in hosts.iter().enumerate() {
            write!(f, "{}{host}", if i == 0 { "" } else { "," })?;
        }
        match &self.topology {
            Topology::Standalone(_) => write!(f, "/{}", self.db)?,
            Topology::Sentinel { master, .. } => write!(f, "/{master}/{}", self.db)?,
            Topology::Cluster(_) => {}
        }
        write!(f, "?prefix={}", self.prefix)
    }
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The user's name is left out too: in some managed services it is half a secret.
        write!(f, "RedisOptions({self}, durability {})", self.durability.as_str())
    }
}
