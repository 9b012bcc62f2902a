//! What a grant of HTTP says: an origin, perhaps a path, and headers that the host adds.

use std::{fmt, str::FromStr, sync::Arc};

use http::{HeaderName, HeaderValue};
use larder_core::{Error, Result};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use url::Url;

use super::{
    is_forbidden,
    origin::{Origin, Scheme},
};

/// An origin that a plugin may send requests to by HTTP.
///
/// Written `https://api.example.org`, `https://api.example.org:8443/v1`, `http://127.0.0.1:2379`; with a path it grants what
/// is at or below that path. Plain HTTP only where the grant says `http://`.
///
/// It may carry headers that the host adds to each request, such as a token: the plugin never sees them. `Debug` shows their
/// names only.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpGrant {
    origin: Origin,
    /// Without a `/` at its end; empty grants all.
    path: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The authorities that certificates are verified with, in place of the system's.
    authorities: Option<Arc<Vec<CertificateDer<'static>>>>,
}

impl HttpGrant {
    /// Adds a header that the host sends with each request under this grant, in place of any of that name that the plugin
    /// sends. The plugin can't read it; a server that repeats what it was sent can tell it.
    ///
    /// # Errors
    /// `config`, naming the header and not its value, where it is none, or one that frames the message.
    pub fn with_header(mut self, name: &str, value: &str) -> Result<Self> {
        let refused = |why: &str| Error::config(format!("the header `{name}` can't be added: {why}"));
        let known: HeaderName =
            name.parse().map_err(|_| refused("a name has letters, digits, `-` and `_`"))?;
        if is_forbidden(&known) || known == http::header::CONTENT_LENGTH {
            return Err(refused("it frames the message, which the host does by itself"));
        }
        let mut value = HeaderValue::from_str(value)
            .map_err(|_| refused("its value has characters that no header may have, such as a line's end"))?;
        value.set_sensitive(true);
        self.headers.retain(|(name, _)| *name != known);
        self.headers.push((known, value));
        Ok(self)
    }

    /// Verifies certificates with these authorities, in PEM, and not with those of the system.
    ///
    /// # Errors
    /// `config` where there is none, or the origin is plain HTTP.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Self> {
        if self.origin.scheme == Scheme::Http {
            return Err(Error::config("plain HTTP has no certificates to verify"));
        }
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|e| Error::config("the certificates can't be read as PEM").caused_by(e))?;
        if found.is_empty() {
            return Err(Error::config("there is no certificate in PEM (`-----BEGIN CERTIFICATE-----`)"));
        }
        self.authorities = Some(Arc::new(found));
        Ok(self)
    }

    /// Whether it grants all that another does.
    pub fn covers(&self, other: &Self) -> bool {
        self.origin == other.origin && self.has_path(&other.path)
    }

    /// The names of the headers that the host adds.
    pub fn header_names(&self) -> impl Iterator<Item = &str> {
        self.headers.iter().map(|(name, _)| name.as_str())
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    pub(super) fn authorities(&self) -> Option<&Arc<Vec<CertificateDer<'static>>>> {
        self.authorities.as_ref()
    }

    /// How long its path is: of two grants the one that says more counts.
    pub(super) fn path_bytes(&self) -> usize {
        self.path.len()
    }

    /// Whether a path is at or below its own.
    pub(super) fn has_path(&self, path: &str) -> bool {
        self.path.is_empty()
            || (is_plain(path)
                && path
                    .strip_prefix(&*self.path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    }
}

/// Whether a path means the same to all who read it: no `.` and `..` between slashes, in any writing, and no slash that is
/// hidden. Only such a path can be told to be below another.
fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let hides = ["%2f", "%5c", "\\", "%00"].iter().any(|hidden| lower.contains(hidden));
    // Parameters behind a `;` are dropped by some before they look at the segment.
    let is_dots = |segment: &str| {
        let segment = segment.replace("%2e", ".").replace("%3b", ";");
        matches!(segment.split(';').next(), Some("." | ".."))
    };
    !hides && !lower.contains("%25") && !lower.split('/').any(is_dots)
}

impl FromStr for HttpGrant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // Whoever wrote a password there is not shown it again.
        let shown = if text.contains('@') { "an address with a user or password" } else { text };
        let refused = |why: &str| {
            Error::config(format!(
                "expected an origin, such as https://api.example.org, https://api.example.org:8443/v1 or \
                 http://127.0.0.1:2379, found `{shown}`: {why}"
            ))
        };
        if !text.starts_with("https://") && !text.starts_with("http://") {
            return Err(refused("it begins with neither https:// nor http://"));
        }
        let url = Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(refused("a grant has no `?` and no `#`"));
        }
        let origin = Origin::of(&url).ok_or_else(|| {
            refused(
                "the host is a name or an address, without user, password and wildcards, and the port no 0",
            )
        })?;
        let path = url.path().trim_end_matches('/').to_owned();
        if !is_plain(&path) {
            return Err(refused("its path has hidden slashes or dots"));
        }
        Ok(Self { origin, path, headers: Vec::new(), authorities: None })
    }
}

impl fmt::Display for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

impl fmt::Debug for HttpGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpGrant")
            .field("to", &self.to_string())
            .field("headers", &self.header_names().collect::<Vec<_>>())
            .field("has_authorities", &self.authorities.is_some())
            .finish()
    }
}
