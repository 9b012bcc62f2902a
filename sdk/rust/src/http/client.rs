//! Sends requests over a transport.

use std::fmt;

use super::{Cause, Exchange, Failure, Request, Response, Transport};

/// Sends requests. The host keeps the connections, so a client is cheap.
pub struct Client {
    transport: Box<dyn Transport>,
}

impl Client {
    /// On the host's HTTP. Natively there is none: each request fails with [`Cause::Invalid`] and says so; tests use
    /// [`Client::with_transport`].
    #[must_use]
    pub fn new() -> Self {
        #[cfg(target_arch = "wasm32")]
        let transport = super::wasi::Wasi;
        #[cfg(not(target_arch = "wasm32"))]
        let transport = super::transport::Nowhere;
        Self::with_transport(transport)
    }

    /// On another transport.
    pub fn with_transport(transport: impl Transport + 'static) -> Self {
        Self { transport: Box::new(transport) }
    }

    /// Sends a request with its whole body, and waits for the head of the answer. Any status is an answer and no failure.
    ///
    /// # Errors
    /// A [`Failure`], which says whether the server can have acted on the request.
    pub fn send(&mut self, request: Request) -> Result<Response, Failure> {
        let (head, body) = request.into_parts(Framing::Whole)?;
        let mut upload = Upload { exchange: Some(self.transport.open(head)?) };
        upload.write(&body)?;
        upload.finish()
    }

    /// Begins a request whose body is written in pieces, the body of the [`Request`] first. With a length the pieces must be
    /// that long together; without one they are sent chunked.
    ///
    /// # Errors
    /// A [`Failure`], as [`Client::send`].
    pub fn begin(&mut self, request: Request, length: Option<u64>) -> Result<Upload, Failure> {
        let (head, first) = request.into_parts(Framing::Pieces(length))?;
        let mut upload = Upload { exchange: Some(self.transport.open(head)?) };
        upload.write(&first)?;
        Ok(upload)
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

/// How a body's length is told.
pub(super) enum Framing {
    Whole,
    Pieces(Option<u64>),
}

/// A request whose body is being written. Dropped before [`Upload::finish`], the request is broken off: the connection is
/// closed before the body's end, so that a server which minds its protocol keeps nothing.
pub struct Upload {
    exchange: Option<Box<dyn Exchange>>,
}

impl Upload {
    /// Writes the next piece, of any length. Once the server has answered before the end of the body (it may refuse a large
    /// one at its head), pieces are dropped, and [`Upload::finish`] has the answer.
    ///
    /// # Errors
    /// A [`Failure`]; the request is over then.
    pub fn write(&mut self, piece: &[u8]) -> Result<(), Failure> {
        let Some(exchange) = &mut self.exchange else {
            return Err(Failure::sent(Cause::Cut, "the request failed before"));
        };
        if piece.is_empty() {
            return Ok(());
        }
        let written = exchange.write(piece);
        if written.is_err() {
            self.exchange = None;
        }
        written
    }

    /// Ends the body and waits for the head of the answer.
    ///
    /// # Errors
    /// A [`Failure`]; also where a server answered that all was well before it had the whole body.
    pub fn finish(mut self) -> Result<Response, Failure> {
        let exchange = self.exchange.take();
        let exchange = exchange.ok_or_else(|| Failure::sent(Cause::Cut, "the request failed before"))?;
        exchange.finish().map(Response::new)
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("is_open", &self.exchange.is_some()).finish()
    }
}
