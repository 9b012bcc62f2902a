//! Requests on `wasi:http/outgoing-handler`.
//!
//! The invariant: a resource is dropped before the one that it came from (a pollable before its stream, a stream before its
//! body), or the host traps. Fields are dropped in the order in which they stand.

use std::time::Duration;

use wasip2::{
    clocks::monotonic_clock,
    http::{
        outgoing_handler,
        types::{
            self, ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, OutgoingBody,
            OutgoingRequest, RequestOptions, http_error_code,
        },
    },
    io::{
        poll::{Pollable, poll},
        streams::{InputStream, OutputStream, StreamError},
    },
};

use super::{Answer, Cause, Exchange, Failure, Head, Incoming, Scheme, Timeouts, Transport};

/// The host's HTTP.
pub(super) struct Wasi;

impl Transport for Wasi {
    fn open(&mut self, head: Head) -> Result<Box<dyn Exchange>, Failure> {
        let what = format!("{} {}://{}", head.method, scheme_of(&head), head.url.authority());
        let invalid = |why: &str| Failure::unsent(Cause::Invalid, format!("{what}: {why}"));
        let fields = Fields::from_list(&head.headers.into_pairs())
            .map_err(|error| invalid(&format!("the headers: {error}")))?;
        let request = OutgoingRequest::new(fields);
        let scheme = match head.url.scheme() {
            Scheme::Http => types::Scheme::Http,
            Scheme::Https => types::Scheme::Https,
        };
        request.set_method(&method(head.method.as_str())).map_err(|()| invalid("the method"))?;
        request.set_scheme(Some(&scheme)).map_err(|()| invalid("the scheme"))?;
        request.set_authority(Some(head.url.authority())).map_err(|()| invalid("the host"))?;
        request.set_path_with_query(Some(head.url.path())).map_err(|()| invalid("the path"))?;
        let body = match head.has_body {
            false => None,
            true => {
                let body = request.body().map_err(|()| invalid("the body"))?;
                let stream = body.write().map_err(|()| invalid("the body"))?;
                Some((stream, body))
            }
        };
        let options = options(head.timeouts).map_err(|()| invalid("the timeouts"))?;
        let pending =
            outgoing_handler::handle(request, Some(options)).map_err(|code| failure(&what, &code))?;
        let (stream, body) = body.unzip();
        Ok(Box::new(Sending { stream, body, pending, what, timeouts: head.timeouts, early: None }))
    }
}

fn scheme_of(head: &Head) -> &'static str {
    match head.url.scheme() {
        Scheme::Http => "http",
        Scheme::Https => "https",
    }
}

fn method(name: &str) -> types::Method {
    match name {
        "GET" => types::Method::Get,
        "HEAD" => types::Method::Head,
        "POST" => types::Method::Post,
        "PUT" => types::Method::Put,
        "DELETE" => types::Method::Delete,
        "OPTIONS" => types::Method::Options,
        "PATCH" => types::Method::Patch,
        other => types::Method::Other(other.to_owned()),
    }
}

fn options(timeouts: Timeouts) -> Result<RequestOptions, ()> {
    let options = RequestOptions::new();
    options.set_connect_timeout(Some(nanoseconds(timeouts.connect)))?;
    options.set_first_byte_timeout(Some(nanoseconds(timeouts.first_byte)))?;
    options.set_between_bytes_timeout(Some(nanoseconds(timeouts.between_bytes)))?;
    Ok(options)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A request whose body is being sent.
struct Sending {
    stream: Option<OutputStream>,
    body: Option<OutgoingBody>,
    pending: FutureIncomingResponse,
    what: String,
    timeouts: Timeouts,
    /// The answer, where it came before the body was at its end.
    early: Option<IncomingResponse>,
}

impl Exchange for Sending {
    fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.early.is_some() {
            return Ok(());
        }
        let Some(stream) = &self.stream else {
            return Err(Failure::unsent(Cause::Invalid, format!("{}: the request has no body", self.what)));
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            match stream.check_write() {
                Ok(0) => {
                    // An answer may come where there is never room again.
                    let (room, answered) = (stream.subscribe(), self.pending.subscribe());
                    let wait = self.timeouts.connect.saturating_add(self.timeouts.between_bytes);
                    match ready(&[&room, &answered], wait) {
                        None => {
                            return Err(Failure::sent(
                                Cause::TimedOut,
                                format!("{}: the server takes no more of the body", self.what),
                            ));
                        }
                        Some(0) => {}
                        Some(_) => return self.answered_early(),
                    }
                }
                Ok(room) => {
                    let count = usize::try_from(room).unwrap_or(usize::MAX).min(rest.len());
                    let (now, later) = rest.split_at(count);
                    match stream.write(now) {
                        Ok(()) => rest = later,
                        Err(error) => return self.broken(&error),
                    }
                }
                Err(error) => return self.broken(&error),
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Answer, Failure> {
        if let Some(response) = self.early.take() {
            return self.incoming_early(response);
        }
        // What is still on its way is sent by the host after the end is told.
        self.stream = None;
        if let Some(body) = self.body.take() {
            OutgoingBody::finish(body, None).map_err(|code| failure(&self.what, &code))?;
        }
        // The host counts the wait for the answer from the end of the body; this one only has to be longer.
        let Timeouts { connect, first_byte, between_bytes } = self.timeouts;
        let wait = connect.saturating_add(first_byte).saturating_add(between_bytes);
        if ready(&[&self.pending.subscribe()], wait).is_none() {
            return Err(Failure::sent(Cause::TimedOut, format!("{}: no answer came", self.what)));
        }
        let response = self.response()?;
        incoming(&self.what, response, self.timeouts)
    }
}

impl Sending {
    fn response(&self) -> Result<IncomingResponse, Failure> {
        match self.pending.get() {
            Some(Ok(Ok(response))) => Ok(response),
            Some(Ok(Err(code))) => Err(failure(&self.what, &code)),
            Some(Err(())) | None => {
                Err(Failure::sent(Cause::Protocol, format!("{}: the host has no answer", self.what)))
            }
        }
    }

    /// The server answered, or the request failed, before the body was at its end.
    fn answered_early(&mut self) -> Result<(), Failure> {
        self.early = Some(self.response()?);
        Ok(())
    }

    /// The body can't be written any more: what became of the request says why.
    fn broken(&mut self, error: &StreamError) -> Result<(), Failure> {
        let answered = self.pending.subscribe();
        if ready(&[&answered], self.timeouts.between_bytes).is_some() {
            return self.answered_early();
        }
        Err(stream_failure(&self.what, error))
    }

    fn incoming_early(self: Box<Self>, response: IncomingResponse) -> Result<Answer, Failure> {
        if (200..300).contains(&response.status()) {
            return Err(Failure::sent(
                Cause::Cut,
                format!("{}: the server said that all is well before it had the whole body", self.what),
            ));
        }
        let answer = incoming(&self.what, response, self.timeouts)?;
        let body = Box::new(WithRequest { body: answer.body, _request: self });
        Ok(Answer { body, ..answer })
    }
}

/// The body of an answer to a request that is not at its end. Dropping the request would end the connection under it.
struct WithRequest {
    body: Box<dyn Incoming>,
    _request: Box<Sending>,
}

impl Incoming for WithRequest {
    fn read(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
        self.body.read(bytes_max)
    }
}

fn incoming(what: &str, response: IncomingResponse, timeouts: Timeouts) -> Result<Answer, Failure> {
    let status = response.status();
    let headers = response.headers().entries().into();
    let no_body = |()| Failure::sent(Cause::Protocol, format!("{what}: the host has no body of the answer"));
    let body = response.consume().map_err(no_body)?;
    let stream = body.stream().map_err(no_body)?;
    let wait = timeouts.between_bytes;
    let body = Receiving { stream, _body: body, _response: response, what: what.to_owned(), wait };
    Ok(Answer { status, headers, body: Box::new(body) })
}

/// The body of an answer.
struct Receiving {
    stream: InputStream,
    _body: IncomingBody,
    _response: IncomingResponse,
    what: String,
    wait: Duration,
}

impl Incoming for Receiving {
    fn read(&mut self, bytes_max: usize) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.stream.read(bytes_max as u64) {
                Ok(bytes) if bytes.is_empty() => {
                    if ready(&[&self.stream.subscribe()], self.wait).is_none() {
                        return Err(Failure::sent(
                            Cause::TimedOut,
                            format!("{}: the answer stopped before its end", self.what),
                        ));
                    }
                }
                Ok(bytes) => return Ok(Some(bytes)),
                Err(StreamError::Closed) => return Ok(None),
                Err(error) => return Err(stream_failure(&self.what, &error)),
            }
        }
    }
}

/// Waits until one is ready, or as long as this; says which was the first.
fn ready(pollables: &[&Pollable], wait: Duration) -> Option<usize> {
    let alarm = monotonic_clock::subscribe_duration(nanoseconds(wait));
    let mut all = pollables.to_vec();
    all.push(&alarm);
    let first = poll(&all).into_iter().min()?;
    usize::try_from(first).ok().filter(|first| *first < pollables.len())
}

fn stream_failure(what: &str, error: &StreamError) -> Failure {
    match error {
        StreamError::Closed => Failure::sent(Cause::Cut, what.to_owned()),
        StreamError::LastOperationFailed(error) => match http_error_code(error) {
            // Bytes went both ways before.
            Some(code) => {
                let failure = failure(what, &code);
                Failure::sent(failure.cause(), format!("{what}: {}", text(&code)))
            }
            None => {
                // A host may add a trace of its own on further lines.
                let text = error.to_debug_string();
                let first = text.lines().next().unwrap_or_default();
                Failure::sent(Cause::Cut, format!("{what}: {first}"))
            }
        },
    }
}

fn failure(what: &str, code: &ErrorCode) -> Failure {
    use ErrorCode as E;
    let message = format!("{what}: {}", text(code));
    match code {
        E::HttpRequestDenied | E::DestinationIpProhibited => Failure::unsent(Cause::Denied, message),
        E::HttpRequestLengthRequired
        | E::HttpRequestMethodInvalid
        | E::HttpRequestUriInvalid
        | E::HttpRequestUriTooLong
        | E::HttpRequestHeaderSectionSize(_)
        | E::HttpRequestHeaderSize(_)
        | E::HttpRequestTrailerSectionSize(_)
        | E::HttpRequestTrailerSize(_) => Failure::unsent(Cause::Invalid, message),
        // The head may have been sent.
        E::HttpRequestBodySize(_) => Failure::sent(Cause::Invalid, message),
        E::DnsTimeout | E::ConnectionTimeout => Failure::unsent(Cause::TimedOut, message),
        E::DnsError(_)
        | E::DestinationNotFound
        | E::DestinationUnavailable
        | E::DestinationIpUnroutable
        | E::ConnectionRefused
        | E::ConnectionLimitReached => Failure::unsent(Cause::Unreached, message),
        E::TlsProtocolError | E::TlsCertificateError | E::TlsAlertReceived(_) => {
            Failure::unsent(Cause::Tls, message)
        }
        E::HttpResponseTimeout | E::ConnectionReadTimeout | E::ConnectionWriteTimeout => {
            Failure::sent(Cause::TimedOut, message)
        }
        E::ConnectionTerminated | E::HttpResponseIncomplete => Failure::sent(Cause::Cut, message),
        E::HttpResponseBodySize(_)
        | E::HttpResponseHeaderSectionSize(_)
        | E::HttpResponseHeaderSize(_)
        | E::HttpResponseTrailerSectionSize(_)
        | E::HttpResponseTrailerSize(_) => Failure::sent(Cause::TooLarge, message),
        _ => Failure::sent(Cause::Protocol, message),
    }
}

/// What a code says to a person.
fn text(code: &ErrorCode) -> String {
    match code {
        ErrorCode::InternalError(Some(text)) => text.clone(),
        code => format!("{code:?}").trim_start_matches("ErrorCode::").to_owned(),
    }
}
