//! The HTTP client under every remote service: its TLS, its timeouts, and what it knows of a failure that the
//! service's own error does not say.
//!
//! OpenDAL's default client waits for ever and has no TLS provider here, so that no operator is made with it.

use std::{error::Error as StdError, io, sync::Once, time::Duration};

use futures::{StreamExt, TryFutureExt};
use hyper::{HeaderMap, Request, Response, StatusCode, header::RETRY_AFTER};
use larder_core::{Error, ErrorKind, Result};
use opendal::{Buffer, HttpBody, HttpTransport, HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;

use crate::tls;

/// Idle connections that are kept per host: above what one operator has in flight.
const IDLE_CONNECTIONS_MAX: usize = 64;
/// Longest `Retry-After` that is believed, in seconds: an hour. A longer one is a mistake or an attack.
const RETRY_AFTER_SECS_MAX: u64 = 3_600;

/// How long the client waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waits {
    /// For a connection, TLS included.
    pub(super) connect: Duration,
    /// For the head of an answer, the sending of a part included, and for each piece of its body.
    pub(super) answer: Duration,
}

impl Default for Waits {
    /// Several round trips around the world and a lost packet; a part over a slow line.
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), answer: Duration::from_secs(30) }
    }
}

/// Makes the process ready, once: a provider of TLS, and a client for what OpenDAL sends on behalf of no operator (asking
/// for a role). Harmless where somebody else was first.
pub(super) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tls::choose_provider();
        // Where none can be made, the operator's own can't be either, and its error is told.
        if let Ok(client) = client(Waits::default()) {
            HttpTransporter::install_default(client);
        }
    });
}

/// Gives an operator a client of its own.
pub(super) fn with_client(operator: Operator, waits: Waits) -> Result<Operator> {
    prepare();
    let context = OperationContext::new().with_http_transport(HttpTransporter::new(client(waits)?));
    Ok(operator.with_context(context))
}

fn client(waits: Waits) -> Result<Knowing> {
    let client = reqwest::Client::builder()
        .connect_timeout(waits.connect)
        .read_timeout(waits.answer)
        .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
        // Nagle's algorithm would hold back the end of every request.
        .tcp_nodelay(true)
        .build()
        .map_err(|error| Error::config("no HTTP client can be made").caused_by(error))?;
    Ok(Knowing(ReqwestTransport::new(client)))
}

/// Tells what the client knows of a failure as an error of larder, inside of OpenDAL's: a timeout, a connection
/// that was never made, and how long the server asked to be left alone.
struct Knowing(ReqwestTransport);

impl HttpTransport for Knowing {
    async fn fetch(&self, request: Request<Buffer>) -> opendal::Result<Response<HttpBody>> {
        let answer = self.0.fetch(request).map_err(known).await?;
        if let Some(refusal) = refusal(answer.status(), answer.headers()) {
            return Err(refusal);
        }
        let (head, body) = answer.into_parts();
        let body = body.map_inner(|stream| Box::new(stream.map(|piece| piece.map_err(known))));
        Ok(Response::from_parts(head, body))
    }
}

/// A server that says when to come back did nothing, and what it says is lost in OpenDAL's error.
fn refusal(status: StatusCode, headers: &HeaderMap) -> Option<opendal::Error> {
    if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        return None;
    }
    // The other form, a date, is of no use without a clock that agrees with the server's.
    let seconds: u64 = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    let wait = Duration::from_secs(seconds.min(RETRY_AFTER_SECS_MAX));
    let known = Error::new(ErrorKind::Unavailable, "the blob store asks to slow down").retry_after(wait);
    Some(
        opendal::Error::new(opendal::ErrorKind::RateLimited, format!("{status}"))
            .set_temporary()
            .set_source(known),
    )
}

/// Adds what the client knows to an error of its own.
fn known(error: opendal::Error) -> opendal::Error {
    let Some(cause) = super::error::find::<reqwest::Error>(&error) else { return error };
    let (kind, message) = if cause.is_timeout() {
        (ErrorKind::Timeout, "the blob store did not answer in time")
    } else if cause.is_connect() {
        (ErrorKind::Unavailable, "no connection to the blob store")
    } else {
        return error;
    };
    let reached = if cause.is_connect() { Reached::Never } else { Reached::Perhaps };
    // A cause can't be moved out of OpenDAL's error, so it becomes the cause of the cause.
    let temporary = error.is_temporary();
    let known = Error::new(kind, message).caused_by(Cause { reached, inner: error });
    opendal::Error::new(opendal::ErrorKind::Unexpected, message).with_temporary(temporary).set_source(known)
}

/// Whether a request that failed may have reached the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Never,
    Perhaps,
}

/// What the client said, and what follows from it.
#[derive(Debug)]
struct Cause {
    reached: Reached,
    inner: opendal::Error,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
    }
}

/// Whether a request certainly never reached the server: it could not be signed, or no connection came about.
pub(super) fn never_reached(error: &opendal::Error) -> bool {
    let refused = super::error::find::<io::Error>(error)
        .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    let unsigned = super::error::find::<reqsign_core::Error>(error).is_some();
    refused
        || unsigned
        || super::error::find::<Cause>(error).is_some_and(|cause| cause.reached == Reached::Never)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(value: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().unwrap())]);
        let refusal = refusal(StatusCode::SERVICE_UNAVAILABLE, &headers)?;
        assert!(refusal.is_temporary());
        super::super::error(refusal).retry_after_hint()
    }

    #[test]
    fn a_server_that_says_when_to_come_back_is_heard() {
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("99999999"), Some(Duration::from_secs(RETRY_AFTER_SECS_MAX)));
        assert_eq!(after("Wed, 21 Oct 2026 07:28:00 GMT"), None);
        assert!(refusal(StatusCode::SERVICE_UNAVAILABLE, &HeaderMap::new()).is_none());
        let headers = HeaderMap::from_iter([(RETRY_AFTER, "3".parse().unwrap())]);
        assert!(refusal(StatusCode::OK, &headers).is_none());
    }
}
