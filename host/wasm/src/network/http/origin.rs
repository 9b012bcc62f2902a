//! An origin: scheme, host and port, in the one form in which origins are compared.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

use crate::network::grant;

/// Where a request goes, or may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) scheme: Scheme,
    pub(super) host: Place,
    pub(super) port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// A host by its name in ASCII and lower case, or by its canonical address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Name(String),
    Address(IpAddr),
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Origin {
    /// The origin of an address without user and password. The parser has mapped names to ASCII and lower case, and read
    /// `127.1`, `0x7f.1` and `2130706433` as the addresses that they are.
    pub(super) fn of(url: &Url) -> Option<Self> {
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return None,
        };
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let host = match url.host()? {
            Host::Domain(name) => Place::Name(grant::name(name)?),
            Host::Ipv4(address) => Place::Address(address.into()),
            Host::Ipv6(address) => Place::Address(IpAddr::from(address).to_canonical()),
        };
        let port = url.port().unwrap_or(scheme.port());
        (port != 0).then_some(Self { scheme, host, port })
    }

    /// As it stands in a `Host` header.
    pub(super) fn authority(&self) -> String {
        let host = match &self.host {
            Place::Name(name) => name.clone(),
            Place::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Place::Address(address) => address.to_string(),
        };
        if self.port == self.scheme.port() { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}
