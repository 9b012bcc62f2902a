//! The side of who asks.

use std::{io, path::Path, time::Duration};

use larder_core::{Error, ErrorKind, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::protocol::{ANSWER_BYTES_MAX, Answer, Ask, AuditLine, Question, SwapLine, VERSION, line, to_line};
use crate::{plan::ControlAddress, plugins::PluginStatus};

/// Longest wait for a connection, on one machine.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// Asks a running host.
#[derive(Debug, Clone)]
pub struct ControlClient(ControlAddress);

impl ControlClient {
    /// Asks at this address. Nothing is reached yet.
    pub fn new(address: ControlAddress) -> Self {
        Self(address)
    }

    /// The plugins of the host.
    ///
    /// # Errors
    /// `unavailable` where no host listens there; `denied` where the token is wrong. Cancel safe.
    pub async fn list(&self) -> Result<Vec<PluginStatus>> {
        match self.ask(Ask::List {}).await? {
            Answer::Plugins(plugins) => Ok(plugins),
            _ => Err(unexpected()),
        }
    }

    /// Forgets the strikes of a plugin's component, and ends its back-off or quarantine.
    ///
    /// # Errors
    /// As [`Self::list`]; `config` where there is no plugin of that name.
    pub async fn release(&self, plugin: &str) -> Result<()> {
        match self.ask(Ask::Release { plugin: plugin.to_owned() }).await? {
            Answer::Released {} => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// What its swaps did, step by step, the oldest first.
    ///
    /// # Errors
    /// As [`Self::list`].
    pub async fn audit(&self) -> Result<Vec<AuditLine>> {
        match self.ask(Ask::Audit {}).await? {
            Answer::Audit(lines) => Ok(lines),
            _ => Err(unexpected()),
        }
    }

    /// Swaps a plugin for the component in a file, which the host reads: from the root, on its machine. With `sha256` it must
    /// have that digest, whatever the plugin is pinned to.
    ///
    /// # Errors
    /// As [`Self::list`], and as [`Plugins::swap`](crate::Plugins::swap). A dropped future leaves the swap to itself.
    pub async fn swap(&self, plugin: &str, path: &Path, sha256: Option<&str>) -> Result<SwapLine> {
        let path = path
            .to_str()
            .ok_or_else(|| Error::invalid("the path is not UTF-8").with("path", path.display()))?;
        let (plugin, path) = (plugin.to_owned(), path.to_owned());
        match self.ask(Ask::Swap { plugin, path, sha256: sha256.map(str::to_owned) }).await? {
            Answer::Swapped(swapped) => Ok(swapped),
            _ => Err(unexpected()),
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Answer> {
        let at = |error: Error| error.with("control", &self.0);
        let answer = match &self.0 {
            ControlAddress::Tcp { address, token } => {
                let stream = within(TcpStream::connect(address)).await.map_err(at)?;
                talk(stream, Question { larder: VERSION, token: Some(token.clone()), ask }).await
            }
            ControlAddress::Socket(path) => {
                let stream = connect(path).await.map_err(at)?;
                talk(stream, Question { larder: VERSION, token: None, ask }).await
            }
        };
        match answer.map_err(at)? {
            Answer::Error(error) => Err(error.into_error()),
            answer => Ok(answer),
        }
    }
}

#[cfg(unix)]
async fn connect(path: &Path) -> Result<tokio::net::UnixStream> {
    within(tokio::net::UnixStream::connect(path)).await
}

#[cfg(not(unix))]
async fn connect(_: &Path) -> Result<TcpStream> {
    Err(Error::unsupported("there are no Unix sockets on this system; take `control.listen`"))
}

async fn within<T>(connecting: impl Future<Output = io::Result<T>>) -> Result<T> {
    let no_host = |message: &'static str| Error::new(ErrorKind::Unavailable, message);
    match tokio::time::timeout(CONNECT_MAX, connecting).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(e)) => Err(match e.kind() {
            io::ErrorKind::NotFound => no_host("no host listens there: there is no such socket"),
            io::ErrorKind::ConnectionRefused => no_host("no host listens there"),
            io::ErrorKind::PermissionDenied => {
                Error::new(ErrorKind::Denied, "the control socket is another user's")
            }
            _ => no_host("the host can't be reached"),
        }
        .caused_by(e)),
        Err(_) => Err(no_host("the host does not take the connection")),
    }
}

async fn talk(stream: impl AsyncRead + AsyncWrite + Unpin, question: Question) -> Result<Answer> {
    let (from, mut to) = tokio::io::split(stream);
    to.write_all(&to_line(&question)?)
        .await
        .map_err(|e| Error::new(ErrorKind::Unavailable, "the host hung up").caused_by(e))?;
    // As long as a swap takes: the host bounds each of its steps.
    let answer = line(BufReader::new(from), ANSWER_BYTES_MAX).await?;
    serde_json::from_slice(&answer).map_err(|e| {
        Error::unsupported("the host answered what this command does not understand").caused_by(e)
    })
}

fn unexpected() -> Error {
    Error::unsupported("the host answered another question")
}
