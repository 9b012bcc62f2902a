//! Cuts on purpose, each at the next request that it names.

use std::{
    collections::VecDeque,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
};
use s3s::service::S3Service;

/// What goes wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The connection is cut before the request is looked at.
    Refuse,
    /// The request is done, and the connection cut instead of the answer.
    LoseAnswer,
    /// The answer is cut after so many bytes of its body.
    CutBody(u64),
    /// Nothing is done, and the answer is this: a status, an error code of S3, and a `Retry-After` in seconds.
    Answer(u16, &'static str, Option<u32>),
    /// Nothing is done and nothing answered.
    Hang,
    /// The request is done, and its answer never comes.
    HangAfter,
}

/// Which requests go wrong, in this order.
#[derive(Debug, Default)]
pub struct Script {
    faults: Mutex<VecDeque<(Method, &'static str, Fault)>>,
    seen: Mutex<Vec<String>>,
}

impl Script {
    /// Adds a fault for the next request of this method whose path and query contain `part`.
    pub fn fail(&self, method: &'static str, part: &'static str, fault: Fault) {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        lock(&self.faults).push_back((method, part, fault));
    }

    /// Whether every fault has happened.
    pub fn is_done(&self) -> bool {
        lock(&self.faults).is_empty()
    }

    /// The requests so far, as `METHOD path?query`, and forgets them.
    pub fn take_seen(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.seen))
    }

    fn next(&self, request: &Request<Incoming>) -> Option<Fault> {
        let target = request.uri().path_and_query().map(|target| target.as_str()).unwrap_or_default();
        lock(&self.seen).push(format!("{} {target}", request.method()));
        let mut faults = lock(&self.faults);
        let at = faults
            .iter()
            .position(|(method, part, _)| method == request.method() && target.contains(part))?;
        faults.remove(at).map(|(.., fault)| fault)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection that is cut: hyper closes it without a word.
#[derive(Debug)]
pub(super) struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut on purpose")
    }
}

impl std::error::Error for Cut {}

/// Answers a request, with the fault that the script has for it.
pub(super) async fn answer(
    service: &S3Service,
    script: &Script,
    request: Request<Incoming>,
) -> Result<Response<Answer>, Cut> {
    let fault = script.next(&request);
    match fault {
        Some(Fault::Refuse) => return Err(Cut),
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Answer(status, code, retry_after)) => return refused(status, code, retry_after),
        _ => {}
    }
    let done = hyper::service::Service::call(service, request).await;
    // The emulator can't go on: its client sees a connection that breaks off.
    let answer = done.map_err(|_| Cut)?;
    let left = match fault {
        Some(Fault::LoseAnswer) => return Err(Cut),
        Some(Fault::HangAfter) => std::future::pending().await,
        Some(Fault::CutBody(bytes)) => Some(bytes),
        _ => None,
    };
    Ok(answer.map(|body| Answer { body, left }))
}

fn refused(status: u16, code: &str, retry_after: Option<u32>) -> Result<Response<Answer>, Cut> {
    let body =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>on purpose</Message></Error>");
    let mut answer = Response::builder().status(StatusCode::from_u16(status).map_err(|_| Cut)?);
    if let Some(seconds) = retry_after {
        answer = answer.header("retry-after", seconds);
    }
    answer.body(Answer { body: s3s::Body::from(body), left: None }).map_err(|_| Cut)
}

/// A body that may be cut.
pub(super) struct Answer {
    body: s3s::Body,
    /// Bytes until it is cut.
    left: Option<u64>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left == Some(0) {
            return Poll::Ready(Some(Err(Cut)));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context).map_err(|_| Cut);
        let Poll::Ready(Some(Ok(frame))) = polled else { return polled };
        let (Some(left), Some(bytes)) = (self.left, frame.data_ref()) else {
            return Poll::Ready(Some(Ok(frame)));
        };
        let kept = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
        let kept = bytes.slice(..kept);
        self.left = Some(left - kept.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(kept))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
