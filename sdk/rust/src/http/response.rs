//! What is answered.

use std::{fmt, time::Duration};

use super::{Answer, Cause, Failure, Headers, Incoming};
use crate::{Error, Unavailable};

/// Most bytes of a chunk.
const CHUNK_BYTES: usize = 64 << 10;

/// An answer, of which the body is read as the caller likes. Dropped before its end, the rest is not read and the connection
/// not used again.
pub struct Response {
    status: u16,
    headers: Headers,
    body: Option<Box<dyn Incoming>>,
}

impl Response {
    pub(super) fn new(answer: Answer) -> Self {
        let Answer { status, headers, body } = answer;
        Self { status, headers, body: Some(body) }
    }

    /// The status, from 100 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Whether the status is one of success, 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The first header of a name, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The length of the body, where the server said it.
    #[must_use]
    pub fn content_length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// How long the server asks to wait (`Retry-After` in seconds).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
    }

    /// The next bytes of the body, 64 KiB at most; none after the last.
    ///
    /// # Errors
    /// A [`Failure`]; a body that ends before its end is [`Cause::Cut`] and never taken for a whole one.
    pub fn chunk(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(body) = &mut self.body else { return Ok(None) };
        let read = body.read(CHUNK_BYTES);
        if !matches!(read, Ok(Some(_))) {
            self.body = None;
        }
        read
    }

    /// What is left of the body, if it has no more than so many bytes.
    ///
    /// # Errors
    /// [`Cause::TooLarge`] where there are more, of which no more than a chunk was read past the bound; else as
    /// [`Response::chunk`].
    pub fn bytes(&mut self, bytes_max: usize) -> Result<Vec<u8>, Failure> {
        let too_large =
            || Failure::sent(Cause::TooLarge, format!("the answer has more than {bytes_max} bytes"));
        if self.content_length().is_some_and(|length| length > bytes_max as u64) && self.body.is_some() {
            self.body = None;
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk()? {
            if bytes.len() + chunk.len() > bytes_max {
                self.body = None;
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The contract's error for a status that a read did not expect. Statuses with a meaning of their own for an operation (404,
    /// 409, 412) are the caller's to look at first.
    #[must_use]
    pub fn error_of_read(&self, operation: &str) -> Error {
        let message = format!("{operation}: the server answered with the status {}", self.status);
        match self.status {
            401 | 403 | 407 => Error::denied(message),
            405 | 501 => Error::unsupported(message),
            408 | 423 | 425 | 429 | 500 | 502..=504 => Error::Unavailable(Unavailable {
                message,
                retry_after_ms: self
                    .retry_after()
                    .map(|wait| u32::try_from(wait.as_millis()).unwrap_or(u32::MAX)),
            }),
            400..500 => Error::invalid(message),
            _ => Error::other(message),
        }
    }

    /// The same for a write. A status by which a gateway or a failing server may have written is `indeterminate`.
    #[must_use]
    pub fn error_of_write(&self, operation: &str) -> Error {
        match self.status {
            408 | 500 | 502 | 504 => Error::indeterminate(format!(
                "{operation}: the server answered with the status {}, and may have written",
                self.status
            )),
            _ => self.error_of_read(operation),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}
