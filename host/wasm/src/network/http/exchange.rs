//! Sends a request that was admitted, and waits for the head of its answer.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body_util::BodyExt as _;
use tokio::time::{sleep, timeout};
use wasmtime_wasi_http::{Error, Result, WasiBody};

use super::{
    body::{Incoming, Outgoing, Rest},
    connect::{self, Connection},
    error,
    guard::Admitted,
};

/// How long a connection that was used before may take until it is ready again, before another one is made.
const READY_WAIT: Duration = Duration::from_secs(1);

/// Sends a request.
///
/// Cancel safe: dropped, the connection is closed and the request broken off.
pub(super) async fn run(admitted: Admitted) -> Result<Response<WasiBody>> {
    let Admitted { guard, grant, request, waits, permit } = admitted;
    let granted = guard.grants.get(grant).ok_or(Error::HttpRequestDenied)?;
    let mut request = request.map(|body| connect::outgoing(body, &guard));
    loop {
        let (connection, is_new) = match used_before(&guard.pool, grant).await {
            Some(connection) => (connection, false),
            None => (connect::connect(&guard, grant, granted, waits.connect).await?, true),
        };
        match send(connection, request, waits.first_byte).await {
            Ok((connection, ended, response)) => {
                let rest = Rest { connection, grant, pool: Arc::clone(&guard.pool), ended, permit };
                let traffic = Arc::clone(&guard.traffic);
                return Ok(response
                    .map(|body| Incoming::new(body, rest, traffic, waits.between_bytes).boxed_unsync()));
            }
            // The server had closed the connection before anything of the request was sent.
            Err(Unsent { request: Some(back), .. }) if !is_new => request = *back,
            Err(Unsent { error, .. }) => return Err(error),
        }
    }
}

async fn used_before(pool: &super::Pool, grant: usize) -> Option<Connection> {
    while let Some(mut connection) = pool.take(grant) {
        if let Ok(Ok(())) = timeout(READY_WAIT, connection.sender.ready()).await {
            return Some(connection);
        }
    }
    None
}

/// A request without an answer; itself where none of it was sent.
struct Unsent {
    error: Error,
    request: Option<Box<Request<Outgoing>>>,
}

type Answered = (Connection, Arc<super::body::Ended>, Response<hyper::body::Incoming>);

async fn send(
    mut connection: Connection,
    request: Request<Outgoing>,
    first_byte: Duration,
) -> Result<Answered, Unsent> {
    let ended = request.body().ended();
    let sending = connection.sender.try_send_request(request);
    // The answer's time begins at the end of the body, whose pace is the guest's.
    let late = async {
        ended.wait().await;
        sleep(first_byte).await;
    };
    let sent = tokio::select! {
        biased;
        sent = sending => sent,
        () = late => return Err(Unsent { error: Error::HttpResponseTimeout, request: None }),
    };
    match sent {
        Ok(response) => Ok((connection, ended, response)),
        Err(mut failed) => {
            let request = failed.take_message().map(Box::new);
            Err(Unsent { error: error::of_hyper(failed.error()), request })
        }
    }
}
