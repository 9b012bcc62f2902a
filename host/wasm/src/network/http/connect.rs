//! Makes a connection to an address that was checked.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::client::conn::http1::{Builder, SendRequest};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use wasmtime_wasi::runtime::AbortOnDropJoinHandle;
use wasmtime_wasi_http::{Error, Result, WasiBody, io::TokioIo};

use super::{
    body::Outgoing,
    error,
    grant::HttpGrant,
    guard::HttpGuard,
    origin::{Origin, Place, Scheme},
};

/// Most bytes of an answer's head, and of what is read at once.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Most headers of an answer.
const HEADERS_MAX: usize = 128;

/// A connection that requests are sent on, one after another. Dropped, it is closed.
pub(super) struct Connection {
    pub(super) sender: SendRequest<Outgoing>,
    _task: AbortOnDropJoinHandle<()>,
}

/// Connects for a grant: resolves, checks, connects to what was checked, verifies the certificate.
pub(super) async fn connect(
    guard: &HttpGuard,
    at: usize,
    grant: &HttpGrant,
    wait: Duration,
) -> Result<Connection> {
    let connecting = async {
        let origin = grant.origin();
        let addresses = guard.addresses(origin).await?;
        // One that does not answer leaves the others their share of the time.
        let each = wait / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut last = Error::DestinationNotFound;
        for address in addresses {
            match timeout(each, TcpStream::connect(SocketAddr::new(address, origin.port))).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true).map_err(Error::Connect)?;
                    return secured(guard, at, grant, stream).await;
                }
                Ok(Err(error)) => last = Error::Connect(error),
                Err(_) => last = Error::ConnectionTimeout,
            }
        }
        Err(last)
    };
    timeout(wait, connecting).await.unwrap_or(Err(Error::ConnectionTimeout))
}

async fn secured(guard: &HttpGuard, at: usize, grant: &HttpGrant, stream: TcpStream) -> Result<Connection> {
    if grant.origin().scheme == Scheme::Http {
        return shaken(stream).await;
    }
    let name = server_name(grant.origin())?;
    let config = guard.pool.tls(at, || config(grant)).await?;
    match TlsConnector::from(config).connect(name, stream).await {
        Ok(stream) => shaken(stream).await,
        Err(failed) => {
            tracing::warn!(plugin = guard.plugin(), origin = %grant.origin(), "no secure connection: {failed}");
            Err(error::of_tls(&failed))
        }
    }
}

fn server_name(origin: &Origin) -> Result<ServerName<'static>> {
    match &origin.host {
        Place::Name(name) => ServerName::try_from(name.clone()).map_err(|_| Error::HttpRequestUriInvalid),
        Place::Address(address) => Ok(ServerName::IpAddress((*address).into())),
    }
}

async fn shaken(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Result<Connection> {
    let mut builder = Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    let task = wasmtime_wasi::runtime::spawn(async move {
        // Whoever waits for an answer is told the same.
        if let Err(error) = connection.await {
            tracing::debug!("a connection of a plugin ended: {error}");
        }
    });
    Ok(Connection { sender, _task: task })
}

/// TLS as the host has it, with the authorities of the grant or the system's.
async fn config(grant: &HttpGrant) -> Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    match grant.authorities() {
        Some(authorities) => added(&mut roots, authorities.to_vec()),
        None => {
            let loading = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
            let found = loading.await.map_err(|_| Error::ConfigurationError)?;
            added(&mut roots, found.certs);
        }
    }
    if roots.is_empty() {
        tracing::warn!(origin = %grant.origin(), "there are no certificate authorities to verify a server with");
        return Err(Error::TlsCertificateError);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::ConfigurationError)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn added(roots: &mut RootCertStore, certificates: Vec<CertificateDer<'static>>) {
    let (_, ignored) = roots.add_parsable_certificates(certificates);
    if ignored > 0 {
        tracing::debug!("{ignored} certificate authorities can't be read and are left out");
    }
}

/// The body that a connection sends.
pub(super) fn outgoing(body: WasiBody, guard: &HttpGuard) -> Outgoing {
    Outgoing::new(body, Arc::clone(&guard.traffic))
}
