//! What carries requests: the seam between a plugin's protocol and the network.

use std::fmt;

use super::{Failure, Headers, Method, Timeouts, Url};

/// Carries requests. A component's is the host; [`super::Scripted`] stands in for it in tests.
pub trait Transport {
    /// Begins a request.
    ///
    /// # Errors
    /// [`Failure::unsent`], where it can't begin.
    fn open(&mut self, head: Head) -> Result<Box<dyn Exchange>, Failure>;
}

/// A request under way. Dropped before [`Exchange::finish`], it is broken off.
pub trait Exchange {
    /// Sends more of the body, all of it. Where the server has answered already, the bytes are dropped.
    ///
    /// # Errors
    /// A failure, after which the exchange is over.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure>;

    /// Ends the body and waits for the head of the answer.
    ///
    /// # Errors
    /// A failure.
    fn finish(self: Box<Self>) -> Result<Answer, Failure>;
}

/// The body of an answer.
pub trait Incoming {
    /// The next bytes, at least one and no more than so many; none after the last.
    ///
    /// # Errors
    /// A failure, after which there is nothing more; also where the body ended before its end.
    fn read(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure>;
}

/// All of a request but its body. `Debug` shows no header's value.
#[derive(Debug, Clone)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// The headers, with `content-length` where the length is known.
    pub headers: Headers,
    /// Whether a body may follow.
    pub has_body: bool,
    /// The longest waits.
    pub timeouts: Timeouts,
}

/// The head of an answer, and its body to be read.
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    /// The body.
    pub body: Box<dyn Incoming>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Natively there is no HTTP.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug)]
pub(super) struct Nowhere;

#[cfg(not(target_arch = "wasm32"))]
impl Transport for Nowhere {
    fn open(&mut self, head: Head) -> Result<Box<dyn Exchange>, Failure> {
        Err(Failure::unsent(
            super::Cause::Invalid,
            format!(
                "{} {}: HTTP is the host's, and outside of a component there is none; give the client a transport \
                 (`Client::with_transport`)",
                head.method, head.url
            ),
        ))
    }
}
