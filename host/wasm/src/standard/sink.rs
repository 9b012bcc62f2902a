//! The streams that bodies are written into: those of `wasi:io` that the component exports itself.

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, ResourceAny, TypedFunc};

use crate::{
    bindings::WitError,
    instance::Loader,
    lift::{Calls, Lifted, answered, bad, good},
};

/// How often a stream may permit nothing after it was flushed: it would never permit anything.
const REFUSALS_MAX: u32 = 1_000;

/// An error of a stream.
#[derive(Debug, ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(ResourceAny),
    #[component(name = "closed")]
    Closed,
}

type Func<P, T> = TypedFunc<P, (Result<T, StreamError>,)>;

/// The functions of its output streams.
pub(super) struct Sinks {
    check_write: Func<(ResourceAny,), u64>,
    write: Func<(ResourceAny, Bytes), ()>,
    flush: Func<(ResourceAny,), ()>,
    tell: TypedFunc<(ResourceAny,), (String,)>,
}

impl Sinks {
    pub(super) fn load(
        (streams, error): &(String, String),
        loader: &mut Loader<'_>,
    ) -> wasmtime::Result<Self> {
        Ok(Self {
            check_write: loader.func(streams, "[method]output-stream.check-write")?,
            write: loader.func(streams, "[method]output-stream.write")?,
            flush: loader.func(streams, "[method]output-stream.blocking-flush")?,
            tell: loader.func(error, "[method]error.to-debug-string")?,
        })
    }

    /// Writes all of it, as much at a time as the stream permits.
    pub(super) async fn write(
        &self,
        calls: &mut Calls<'_>,
        stream: ResourceAny,
        mut bytes: Bytes,
    ) -> Lifted<()> {
        let mut refused = 0;
        while !bytes.is_empty() {
            let checked = calls.call(self.check_write, (stream,)).await;
            let permitted = usize::try_from(answered!(self.told(calls, checked).await)).unwrap_or(usize::MAX);
            if permitted == 0 {
                refused += 1;
                if refused > REFUSALS_MAX {
                    return bad(WitError::Other("the component's stream takes no bytes".to_owned()));
                }
                answered!(self.flush(calls, stream).await);
                continue;
            }
            let now = bytes.split_to(permitted.min(bytes.len()));
            let written = calls.call(self.write, (stream, now)).await;
            answered!(self.told(calls, written).await);
        }
        good(())
    }

    /// Waits until the stream has passed on what it took.
    pub(super) async fn flush(&self, calls: &mut Calls<'_>, stream: ResourceAny) -> Lifted<()> {
        let flushed = calls.call(self.flush, (stream,)).await;
        self.told(calls, flushed).await
    }

    async fn told<T>(
        &self,
        calls: &mut Calls<'_>,
        answer: wasmtime::Result<(Result<T, StreamError>,)>,
    ) -> Lifted<T> {
        match answer?.0 {
            Ok(value) => good(value),
            Err(StreamError::Closed) => bad(WitError::Other("the component closed the stream".to_owned())),
            Err(StreamError::Failed(error)) => {
                let (message,) = calls.call(self.tell, (error,)).await?;
                calls.drop(error).await?;
                bad(WitError::Other(message))
            }
        }
    }
}
