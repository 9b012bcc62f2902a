//! A name that is being resolved, as the guest holds it (`resolve-address-stream`).

use std::{net::IpAddr, vec};

use tokio::task::JoinHandle;
use wasmtime_wasi::{
    async_trait,
    p2::{Pollable, bindings::sockets::network::ErrorCode},
};

type Found = Result<vec::IntoIter<IpAddr>, ErrorCode>;

pub(super) enum Lookup {
    Running(JoinHandle<Result<Vec<IpAddr>, ErrorCode>>),
    Done(Found),
}

impl Lookup {
    /// Begins to resolve, on the runtime.
    pub(super) fn begin(
        resolving: impl Future<Output = Result<Vec<IpAddr>, ErrorCode>> + Send + 'static,
    ) -> Self {
        Self::Running(wasmtime_wasi::runtime::with_ambient_tokio_runtime(|| tokio::spawn(resolving)))
    }

    pub(super) fn ready(addresses: Vec<IpAddr>) -> Self {
        Self::Done(Ok(addresses.into_iter()))
    }

    /// The next address; none after the last; `would-block` before the first is known.
    pub(super) fn next(&mut self) -> Result<Option<IpAddr>, ErrorCode> {
        match self {
            Self::Running(_) => Err(ErrorCode::WouldBlock),
            Self::Done(Ok(addresses)) => Ok(addresses.next()),
            Self::Done(Err(code)) => Err(*code),
        }
    }
}

#[async_trait]
impl Pollable for Lookup {
    async fn ready(&mut self) {
        if let Self::Running(task) = self {
            let found = task.await.unwrap_or(Err(ErrorCode::Unknown));
            *self = Self::Done(found.map(Vec::into_iter));
        }
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        if let Self::Running(task) = self {
            task.abort();
        }
    }
}
