//! Bodies on their way, counted and timed.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::Sleep,
};
use wasmtime_wasi_http::{Error, WasiBody};

use super::{connect::Connection, error, guard::Traffic, pool::Pool};

/// Tells when a request's body is at its end.
#[derive(Debug, Default)]
pub(super) struct Ended {
    is_whole: AtomicBool,
    told: Notify,
}

impl Ended {
    /// Waits until nothing more of the body will be sent.
    ///
    /// Cancel safe: one that waits again is told again.
    pub(super) async fn wait(&self) {
        self.told.notified().await;
    }

    /// Whether all of the body was sent, as far as the guest went.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }
}

/// The body of a request.
pub(super) struct Outgoing {
    body: WasiBody,
    traffic: Arc<Traffic>,
    ended: Arc<Ended>,
    is_broken: bool,
}

impl Outgoing {
    pub(super) fn new(body: WasiBody, traffic: Arc<Traffic>) -> Self {
        Self { body, traffic, ended: Arc::default(), is_broken: false }
    }

    pub(super) fn ended(&self) -> Arc<Ended> {
        Arc::clone(&self.ended)
    }

    fn broken(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        self.is_broken = true;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            // An instance that is dropped leaves its body without an end, which looks like one.
            Poll::Ready(_) if self.traffic.is_closed() => self.broken(Error::ConnectionTerminated),
            Poll::Ready(Some(Ok(frame))) => {
                let count = frame.data_ref().map_or(0, Bytes::len);
                if self.traffic.send(count) {
                    Poll::Ready(Some(Ok(frame)))
                } else {
                    self.broken(Error::HttpRequestBodySize(None))
                }
            }
            Poll::Ready(Some(Err(error))) => self.broken(error),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // The connection drops a body when it has all of it, or will send no more.
        self.ended.is_whole.store(!self.is_broken, Ordering::Release);
        self.ended.told.notify_one();
    }
}

/// The body of an answer, with the connection that it comes on.
pub(super) struct Incoming {
    body: hyper::body::Incoming,
    rest: Option<Rest>,
    traffic: Arc<Traffic>,
    wait: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// What is given back at the end of an answer.
pub(super) struct Rest {
    pub(super) connection: Connection,
    pub(super) grant: usize,
    pub(super) pool: Arc<Pool>,
    pub(super) ended: Arc<Ended>,
    pub(super) permit: OwnedSemaphorePermit,
}

impl Incoming {
    pub(super) fn new(
        body: hyper::body::Incoming,
        rest: Rest,
        traffic: Arc<Traffic>,
        wait: Duration,
    ) -> Self {
        let mut this = Self { body, rest: Some(rest), traffic, wait, timer: None };
        if this.body.is_end_stream() {
            this.give_back();
        }
        this
    }

    /// The answer is at its end, and the connection is free for the next request, unless its own request is not all sent.
    fn give_back(&mut self) {
        if let Some(Rest { connection, grant, pool, ended, permit }) = self.rest.take() {
            if ended.is_whole() {
                pool.put(grant, connection);
            }
            drop(permit);
        }
    }

    fn broken(&mut self, error: Error) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        // Closes the connection.
        self.rest = None;
        Poll::Ready(Some(Err(error)))
    }
}

impl Body for Incoming {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.timer = None;
                if !self.traffic.receive(frame.data_ref().map_or(0, Bytes::len)) {
                    return self.broken(Error::HttpResponseBodySize(None));
                }
                if self.body.is_end_stream() {
                    self.give_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(failed))) => self.broken(error::of_hyper(&failed)),
            Poll::Ready(None) => {
                self.give_back();
                Poll::Ready(None)
            }
            Poll::Pending => {
                let wait = self.wait;
                let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(wait)));
                match timer.as_mut().poll(cx) {
                    Poll::Ready(()) => self.broken(Error::ConnectionReadTimeout),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
