//! `incoming-value`: an object, or a part of it, on its way out.

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, stream::BoxStream};
use larder_core::limits::VALUE_BYTES_MAX;
use opendal::Operator;
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource, ResourceType},
};
use wasmtime_wasi::{
    async_trait,
    p2::{DynInputStream, InputStream, Pollable, StreamError, StreamResult},
};

use super::{Answer, Container, TYPES, Told, WasiStoresView, checked, no_object, told};

/// An object's bytes from `start` to before `end`.
pub(super) struct IncomingValue {
    operator: Operator,
    path: String,
    start: u64,
    end: u64,
}

impl IncomingValue {
    /// The bytes from `start` to `last`, both included, as far as the object has them.
    pub(super) async fn of(container: &Container, path: String, start: u64, last: u64) -> Told<Self> {
        checked(&path)?;
        if start > last {
            return Err(format!("the range begins at {start}, behind its end at {last}"));
        }
        let operator = container.operator.clone();
        let size = match operator.stat(&path).await {
            Ok(metadata) if metadata.is_file() => metadata.content_length(),
            Ok(_) => return Err(no_object(&path)),
            Err(error) if error.kind() == opendal::ErrorKind::NotFound => return Err(no_object(&path)),
            Err(error) => return Err(told(&error)),
        };
        Ok(Self { operator, path, start: start.min(size), end: last.saturating_add(1).min(size) })
    }

    fn size(&self) -> u64 {
        self.end - self.start
    }

    /// All of it at once, for what is as small as a value.
    async fn whole(self) -> Told<Bytes> {
        let size = self.size();
        if size > VALUE_BYTES_MAX as u64 {
            return Err(format!(
                "{size} bytes at once, more than {VALUE_BYTES_MAX}: `incoming-value-consume-async` streams them"
            ));
        }
        let mut whole = Vec::with_capacity(usize::try_from(size).unwrap_or(VALUE_BYTES_MAX));
        let mut pieces = self.pieces().await?;
        while let Some(piece) = pieces.try_next().await.map_err(|error| told(&error))? {
            whole.extend_from_slice(&piece);
        }
        if whole.len() as u64 != size {
            return Err("the object was replaced while it was read".to_owned());
        }
        Ok(whole.into())
    }

    async fn pieces(self) -> Told<BoxStream<'static, opendal::Result<Bytes>>> {
        if self.start == self.end {
            return Ok(futures::stream::empty().boxed());
        }
        let opened = async {
            let reader = self.operator.reader(&self.path).await?;
            reader.into_stream(self.start..self.end).await
        };
        let pieces = opened.await.map_err(|error| told(&error))?;
        Ok(pieces.map_ok(|piece| piece.to_bytes()).boxed())
    }
}

/// The stream of a body: one piece of it is in memory, and what the service reads ahead.
struct Body {
    pieces: BoxStream<'static, opendal::Result<Bytes>>,
    /// What came last and is not read yet; none where nothing came yet.
    next: Option<opendal::Result<Bytes>>,
    is_done: bool,
}

impl InputStream for Body {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        match &mut self.next {
            Some(Ok(piece)) => {
                let read = piece.split_to(size.min(piece.len()));
                if piece.is_empty() {
                    self.next = None;
                }
                Ok(read)
            }
            Some(Err(error)) => {
                let failed = StreamError::LastOperationFailed(wasmtime::format_err!("{}", told(error)));
                (self.next, self.is_done) = (None, true);
                Err(failed)
            }
            None if self.is_done => Err(StreamError::Closed),
            None => Ok(Bytes::new()),
        }
    }
}

#[async_trait]
impl Pollable for Body {
    async fn ready(&mut self) {
        while self.next.is_none() && !self.is_done {
            match self.pieces.next().await {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(piece) => self.next = Some(piece),
                None => self.is_done = true,
            }
        }
    }
}

pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    let mut types = linker.instance(TYPES)?;
    types.resource("incoming-value", ResourceType::host::<IncomingValue>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<IncomingValue>::new_own(rep))?;
        Ok(())
    })?;
    types.func_wrap(
        "[method]incoming-value.size",
        |mut store: StoreContextMut<'_, T>, (value,): (Resource<IncomingValue>,)| -> Result<(u64,)> {
            Ok((store.data_mut().stores().table.get(&value)?.size(),))
        },
    )?;
    types.func_wrap_async(
        "[static]incoming-value.incoming-value-consume-sync",
        |mut store, (value,): (Resource<IncomingValue>,)| {
            let value = store.data_mut().stores().table.delete(value);
            Box::new(async move {
                let whole: Answer<Bytes> = (value?.whole().await,);
                Ok(whole)
            })
        },
    )?;
    types.func_wrap_async(
        "[static]incoming-value.incoming-value-consume-async",
        |mut store, (value,): (Resource<IncomingValue>,)| {
            let value = store.data_mut().stores().table.delete(value);
            Box::new(async move {
                let opened: Answer<Resource<DynInputStream>> = (match value?.pieces().await {
                    Ok(pieces) => {
                        let body: DynInputStream = Box::new(Body { pieces, next: None, is_done: false });
                        Ok(store.data_mut().stores().table.push(body)?)
                    }
                    Err(error) => Err(error),
                },);
                Ok(opened)
            })
        },
    )
}
