//! What is asked.

use std::{borrow::Cow, fmt, time::Duration};

use super::{Cause, Failure, Head, Headers, Url, client::Framing};

/// A method, such as `GET` or `PROPFIND`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(Cow<'static, str>);

impl Method {
    /// `GET`
    pub const GET: Self = Self::of("GET");
    /// `HEAD`
    pub const HEAD: Self = Self::of("HEAD");
    /// `POST`
    pub const POST: Self = Self::of("POST");
    /// `PUT`
    pub const PUT: Self = Self::of("PUT");
    /// `DELETE`
    pub const DELETE: Self = Self::of("DELETE");
    /// `PATCH`
    pub const PATCH: Self = Self::of("PATCH");
    /// `OPTIONS`
    pub const OPTIONS: Self = Self::of("OPTIONS");

    /// Any other, in capitals. One that is no token is refused when the request is sent.
    #[must_use]
    pub const fn of(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }

    /// As it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Longest waits for a server. The host may allow less, and the call's deadline ends all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection, TLS included.
    pub connect: Duration,
    /// For the head of the answer, from the end of the body.
    pub first_byte: Duration,
    /// For the next bytes of either body.
    pub between_bytes: Duration,
}

impl Default for Timeouts {
    /// 3 s for a connection, 10 s for the head of the answer, 5 s for the next bytes: less than a call may take.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            first_byte: Duration::from_secs(10),
            between_bytes: Duration::from_secs(5),
        }
    }
}

/// A request. `Debug` shows neither the values of headers nor the body.
#[derive(Clone)]
pub struct Request {
    method: Method,
    url: String,
    headers: Headers,
    body: Vec<u8>,
    timeouts: Timeouts,
}

impl Request {
    /// A request without headers and body. An address that is none is refused when it is sent.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Headers::default(),
            body: Vec::new(),
            timeouts: Timeouts::default(),
        }
    }

    /// Adds a header. `Host`, `Content-Length`, `Transfer-Encoding` and what else frames a message are set by the SDK and the
    /// host.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push(name, value);
        self
    }

    /// Sets the body, or what comes first of one that is sent in pieces.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the longest waits.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    pub(super) fn into_parts(self, framing: Framing) -> Result<(Head, Vec<u8>), Failure> {
        let Self { method, url, mut headers, body, timeouts } = self;
        let url: Url = url.parse()?;
        if headers.get_all("content-length").next().is_some() {
            return Err(Failure::unsent(
                Cause::Invalid,
                "the header Content-Length is set from the body, or the length given to `begin`",
            ));
        }
        let (has_body, length) = match framing {
            Framing::Whole => {
                // A server may want a length of these even where there is nothing.
                let wants_length = matches!(method.as_str(), "POST" | "PUT" | "PATCH");
                (!body.is_empty(), (wants_length || !body.is_empty()).then_some(body.len() as u64))
            }
            Framing::Pieces(length) => (true, length),
        };
        if let Some(length) = length {
            headers.push("content-length", length.to_string());
        }
        Ok((Head { method, url, headers, has_body, timeouts }, body))
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .field("timeouts", &self.timeouts)
            .finish()
    }
}
