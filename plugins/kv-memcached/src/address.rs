//! Where the server is: `host:port`, an IPv6 address in brackets.

use std::str::FromStr;

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let expected = "expected host:port, such as cache.internal:11211 or [::1]:11211";
        let (host, port) = text.rsplit_once(':').ok_or(expected)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or(expected)?;
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inside) => inside,
            None if host.is_empty() || host.contains(':') => return Err(expected),
            None => host,
        };
        Ok(Self { host: host.to_owned(), port })
    }
}
