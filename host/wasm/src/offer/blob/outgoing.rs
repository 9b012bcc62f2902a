//! `outgoing-value`: a body on its way into an object.
//!
//! The guest writes into a stream, a task of the value takes it on to the store's writer, and between them are a few pieces at
//! most. Nothing is visible before `finish`; a value that is dropped without it leaves nothing. The object is named by
//! `write-data`: before or behind the first bytes, but before more of them than fit between.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use opendal::Writer;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    async_trait,
    p2::{DynOutputStream, OutputStream, Pollable, StreamError, StreamResult},
};

use super::{Answer, Container, TYPES, Told, WasiStoresView, checked, told};

/// How much a guest may write at once, in bytes.
const PIECE_BYTES_MAX: usize = 64 << 10;
/// How many writes may wait for the store: with the size of one, the bound of what a body holds in memory.
const PIECES_MAX: usize = 16;
/// What a service is handed at once, in bytes.
const CHUNK_BYTES: usize = 1 << 20;

type Writing = AbortOnDropHandle<opendal::Result<Writer>>;

/// A body, from the guest's first byte to `finish`.
pub(super) struct OutgoingValue {
    /// For the stream, which is taken once.
    pieces: Option<mpsc::Sender<Bytes>>,
    /// For the task that writes them, once the object is named.
    waiting: Option<mpsc::Receiver<Bytes>>,
    is_named: Arc<AtomicBool>,
    writing: Option<Writing>,
}

impl OutgoingValue {
    fn new() -> Self {
        let (pieces, waiting) = mpsc::channel(PIECES_MAX);
        Self { pieces: Some(pieces), waiting: Some(waiting), is_named: Arc::default(), writing: None }
    }

    fn body(&mut self) -> Option<Body> {
        Some(Body { pieces: self.pieces.take()?, is_named: Arc::clone(&self.is_named) })
    }

    /// What has been written so far, if it was not taken by another object.
    pub(super) fn take(&mut self) -> Told<mpsc::Receiver<Bytes>> {
        self.waiting.take().ok_or_else(|| "the value is on its way into an object already".to_owned())
    }

    /// Begins to write into the object.
    pub(super) fn name(&mut self, mut waiting: mpsc::Receiver<Bytes>, mut writer: Writer) {
        self.is_named.store(true, Ordering::Relaxed);
        let writing = async move {
            while let Some(piece) = waiting.recv().await {
                writer.write(piece).await?;
            }
            Ok(writer)
        };
        let task = wasmtime_wasi::runtime::with_ambient_tokio_runtime(|| tokio::spawn(writing));
        self.writing = Some(AbortOnDropHandle::new(task));
    }

    /// The only point at which the object is there. The stream has been dropped, so the task comes to an end.
    async fn finish(self) -> Told<()> {
        let Self { pieces, waiting, is_named: _, writing } = self;
        drop((pieces, waiting));
        let writing =
            writing.ok_or_else(|| "the value is for no object: `write-data` was not called".to_owned())?;
        let mut writer = match writing.await {
            Ok(written) => written.map_err(|error| told(&error))?,
            Err(_) => return Err("writing the object ended before its body".to_owned()),
        };
        writer.close().await.map(drop).map_err(|error| told(&error))
    }
}

/// Opens an object of a container.
pub(super) async fn writer(container: &Container, path: &str) -> Told<Writer> {
    checked(path)?;
    container.operator.writer_with(path).chunk(CHUNK_BYTES).await.map_err(|error| told(&error))
}

/// The stream of a body.
struct Body {
    pieces: mpsc::Sender<Bytes>,
    is_named: Arc<AtomicBool>,
}

impl OutputStream for Body {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > PIECE_BYTES_MAX {
            return Err(StreamError::trap("more was written than `check-write` permits"));
        }
        match self.pieces.try_send(bytes) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(StreamError::Closed),
            Err(mpsc::error::TrySendError::Full(_)) => {
                Err(StreamError::trap("it was written before `check-write` permitted it"))
            }
        }
    }

    /// Nothing to wait for: whether the body is stored, `finish` says.
    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        if self.pieces.is_closed() {
            // Why, `finish` says.
            return Err(StreamError::Closed);
        }
        match self.pieces.capacity() {
            0 if !self.is_named.load(Ordering::Relaxed) => Err(StreamError::LastOperationFailed(
                wasmtime::format_err!("so much of a body is not kept before `write-data` names its object"),
            )),
            0 => Ok(0),
            _ => Ok(PIECE_BYTES_MAX),
        }
    }
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        if self.is_named.load(Ordering::Relaxed) {
            // A closed channel is as ready as one with room: the next look says which.
            drop(self.pieces.reserve().await);
        }
    }
}

pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.resource("outgoing-value", ResourceType::host::<OutgoingValue>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<OutgoingValue>::new_own(rep))?;
        Ok(())
    })?;
    types.func_wrap(
        "[static]outgoing-value.new-outgoing-value",
        |mut store: StoreContextMut<'_, T>, (): ()| -> Result<(Resource<OutgoingValue>,)> {
            Ok((store.data_mut().stores().table.push(OutgoingValue::new())?,))
        },
    )?;
    types.func_wrap(
        "[method]outgoing-value.outgoing-value-write-body",
        |mut store: StoreContextMut<'_, T>,
         (value,): (Resource<OutgoingValue>,)|
         -> Result<(std::result::Result<Resource<DynOutputStream>, ()>,)> {
            let table = store.data_mut().stores().table;
            let Some(body) = table.get_mut(&value)?.body() else { return Ok((Err(()),)) };
            let stream: DynOutputStream = Box::new(body);
            Ok((Ok(table.push_child(stream, &value)?),))
        },
    )?;
    types.func_wrap_async(
        "[static]outgoing-value.finish",
        |mut store, (value,): (Resource<OutgoingValue>,)| {
            // A stream that still lives is a child, and makes this a trap, as the interface says.
            let value = store.data_mut().stores().table.delete(value);
            Box::new(async move {
                let finished: Answer<()> = (value?.finish().await,);
                Ok(finished)
            })
        },
    )
}
