//! From the section `control` to where the host listens.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use larder_core::{Error, Result};

use crate::config::{Config, Text};

/// Shortest token, in bytes: what is shorter can be tried out.
const TOKEN_BYTES_MIN: usize = 16;

/// Longest path of a Unix socket in bytes, that every system takes.
const SOCKET_BYTES_MAX: usize = 100;

/// Where a running host can be asked. Holds a secret, so that `Debug` is by hand.
#[derive(Clone, PartialEq, Eq)]
pub enum ControlAddress {
    /// A Unix socket.
    Socket(PathBuf),
    /// A port of the loopback, and the token that a client must know.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// The token.
        token: String,
    },
}

impl ControlAddress {
    /// A Unix socket.
    ///
    /// # Errors
    /// `config` where the path is too long for one.
    pub fn socket(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        if path.as_os_str().len() > SOCKET_BYTES_MAX {
            let message = format!("the path of a socket may have {SOCKET_BYTES_MAX} bytes at most");
            return Err(Error::config(message).with("socket", path.display()));
        }
        Ok(Self::Socket(path.to_owned()))
    }

    /// A port of the loopback.
    ///
    /// # Errors
    /// `config` where it is no such address, or the token is too short to be a secret.
    pub fn tcp(address: &str, token: impl Into<String>) -> Result<Self> {
        let token = token.into();
        let refuse = |message: &str| Error::config(message.to_owned()).with("address", address);
        let parsed: SocketAddr = address
            .parse()
            .map_err(|e| refuse("expected an address and a port, such as 127.0.0.1:7070").caused_by(e))?;
        if !parsed.ip().is_loopback() {
            return Err(refuse(
                "expected an address of the loopback, 127.0.0.1 or [::1]: what it is asked is not encrypted",
            ));
        }
        if token.len() < TOKEN_BYTES_MIN {
            let message = format!("the token has fewer than {TOKEN_BYTES_MIN} bytes");
            return Err(Error::config(message).with("address", address));
        }
        Ok(Self::Tcp { address: parsed, token })
    }
}

impl fmt::Debug for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ControlAddress({self})")
    }
}

impl fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => path.display().fmt(f),
            Self::Tcp { address, token: _ } => address.fmt(f),
        }
    }
}

pub(super) fn plan(config: &Config) -> Result<Option<ControlAddress>> {
    let Some(section) = &config.control else { return Ok(None) };
    let explain = |error: Error, key: &str| config.origin.explain(error, &format!("control{key}"));
    let resolve = |text: &str, key: &str| {
        Text(text).resolve(&config.environment, &config.origin).map_err(|error| explain(error, key))
    };
    match (&section.socket, &section.listen) {
        (Some(socket), None) => {
            if section.token.is_some() {
                let message = "a socket needs no token: who may open it is told by its folder";
                return Err(explain(Error::config(message), ".token"));
            }
            let path = config.origin.resolve(&resolve(socket, ".socket")?);
            ControlAddress::socket(path).map(Some).map_err(|error| explain(error, ".socket"))
        }
        (None, Some(listen)) => {
            let Some(token) = &section.token else {
                let message = "missing: on a port anybody on this machine could ask without one";
                return Err(explain(Error::config(message), ".token"));
            };
            if !Text(token).is_reference() {
                let message = "expected a reference, `${VAR}` or `file:PATH`: a secret is not written here";
                return Err(explain(Error::config(message), ".token"));
            }
            let token = resolve(token, ".token")?;
            ControlAddress::tcp(listen, token).map(Some).map_err(|error| explain(error, ".listen"))
        }
        _ => Err(explain(Error::config("expected one of `socket` and `listen`"), "")),
    }
}
