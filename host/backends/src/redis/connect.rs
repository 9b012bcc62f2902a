//! Opening one connection to one server: address, TLS, credentials, timeouts.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_core::{Error, Result};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, TlsCertificates, aio::MultiplexedConnection,
};

use super::{
    error,
    options::{Address, Credentials, RedisOptions, Tls},
};
use crate::tls;

/// How many commands wait for the socket before callers wait for room: enough for what a host does at once, and
/// little memory.
const QUEUE_COMMANDS: usize = 256;

/// A connection that knows whether it broke.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) redis: MultiplexedConnection,
    pub(super) address: Address,
    broken: Arc<AtomicBool>,
}

impl Connection {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }
}

/// Whom a connection is to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A server that keeps data.
    Data,
    /// A Sentinel.
    Sentinel,
}

/// Everything but the address.
pub(super) struct Connector {
    data: RedisConnectionInfo,
    sentinel: RedisConnectionInfo,
    certificates: Option<TlsCertificates>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl Connector {
    /// Reads the certificates.
    ///
    /// # Errors
    /// `config` where a file can't be read.
    pub(super) async fn new(options: &RedisOptions) -> Result<Self> {
        let certificates = match &options.tls {
            None => None,
            Some(tls) => {
                tls::choose_provider();
                Some(read(tls).await?)
            }
        };
        Ok(Self {
            data: greeting(&options.credentials, i64::from(options.db)),
            sentinel: greeting(&options.sentinel_credentials, 0),
            certificates,
            connect_timeout: options.connect_timeout,
            response_timeout: options.response_timeout,
        })
    }

    /// Opens a connection, greeting included.
    ///
    /// # Errors
    /// `unavailable`, `denied` or `config`, naming the host. Nothing was written.
    pub(super) async fn open(&self, address: &Address, role: Role) -> Result<Connection> {
        self.try_open(address, role).await.map_err(|cause| error::unconnected(cause).with("host", address))
    }

    async fn try_open(&self, address: &Address, role: Role) -> redis::RedisResult<Connection> {
        let (host, port) = (address.host.clone(), address.port);
        let place = match self.certificates {
            None => ConnectionAddr::Tcp(host, port),
            Some(_) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        };
        let greeting = match role {
            Role::Data => self.data.clone(),
            Role::Sentinel => self.sentinel.clone(),
        };
        let info: ConnectionInfo = place.into_connection_info()?.set_redis_settings(greeting);
        let client = match &self.certificates {
            None => Client::open(info)?,
            Some(certificates) => Client::build_with_tls(info, certificates.clone())?,
        };
        let broken = Arc::new(AtomicBool::new(false));
        let noticed = broken.clone();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.connect_timeout))
            .set_response_timeout(Some(self.response_timeout))
            .set_pipeline_buffer_size(QUEUE_COMMANDS)
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    noticed.store(true, Ordering::Release);
                }
                Ok::<(), ()>(())
            });
        let redis = client.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Connection { redis, address: address.clone(), broken })
    }
}

/// What is said first on a connection. The newer protocol is what tells at once that a connection broke, so that the
/// next write is not lost on it.
fn greeting(credentials: &Credentials, db: i64) -> RedisConnectionInfo {
    let mut info = RedisConnectionInfo::default().set_db(db).set_skip_set_lib_name();
    if let Some(user) = &credentials.user {
        info = info.set_username(user);
    }
    if let Some(password) = &credentials.password {
        info = info.set_password(&password.0);
    }
    info.set_protocol(ProtocolVersion::RESP3)
}

async fn read(tls: &Tls) -> Result<TlsCertificates> {
    let root_cert = match &tls.ca {
        None => None,
        Some(file) => Some(read_file(file).await?),
    };
    let client_tls = match &tls.client {
        None => None,
        Some((certificate, key)) => Some(ClientTlsConfig {
            client_cert: read_file(certificate).await?,
            client_key: read_file(key).await?,
        }),
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

async fn read_file(file: &Path) -> Result<Vec<u8>> {
    tokio::fs::read(file).await.map_err(|cause| {
        Error::config("a file for TLS can't be read; expected a PEM file")
            .with("file", file.display())
            .caused_by(cause)
    })
}
