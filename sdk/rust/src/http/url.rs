//! Addresses, taken apart as far as a request needs it. The host parses them again and decides.

use std::{fmt, str::FromStr};

use super::{Cause, Failure};

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// An address: scheme, authority, path and query.
///
/// ```
/// # use larder_sdk::http::Url;
/// let base: Url = "https://dav.example:8443/shelf".parse()?;
/// assert_eq!((base.authority(), base.path()), ("dav.example:8443", "/shelf"));
/// assert_eq!(base.with_path("/shelf/a?x=1").to_string(), "https://dav.example:8443/shelf/a?x=1");
/// # Ok::<(), larder_sdk::http::Failure>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    scheme: Scheme,
    authority: String,
    path: String,
}

impl Url {
    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// Host and, where it is given, port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query, with a leading `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The same origin with another path and query, which begin with `/` (it is added where it is missing) and are encoded
    /// already ([`super::encode_path`]).
    #[must_use]
    pub fn with_path(&self, path: &str) -> Self {
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Self { path, ..self.clone() }
    }

    /// Whether another address has the same scheme and authority, letter for letter but for case.
    #[must_use]
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.authority.eq_ignore_ascii_case(&other.authority)
    }
}

impl FromStr for Url {
    type Err = Failure;

    fn from_str(text: &str) -> Result<Self, Failure> {
        // The text may hold a password: it is in no message.
        let refused = |why: &str| {
            Failure::unsent(
                Cause::Invalid,
                format!("an address is http://HOST/PATH or https://HOST/PATH: {why}"),
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refused("this one has no scheme"))?;
        let scheme = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => Scheme::Http,
            _ if scheme.eq_ignore_ascii_case("https") => Scheme::Https,
            _ => return Err(refused("this one has another scheme")),
        };
        if text.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
            return Err(refused("spaces, control characters and backslashes are percent-encoded"));
        }
        // What stands behind `#` is for the asker alone.
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.is_empty() {
            return Err(refused("this one has no host"));
        }
        if authority.contains('@') {
            return Err(refused("a user or a password does not belong there"));
        }
        let url = Self { scheme, authority: authority.to_owned(), path: String::new() };
        Ok(url.with_path(path))
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
    }
}
