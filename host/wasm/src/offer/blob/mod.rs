//! `wasi:blobstore`: containers are the blob stores that were granted.
//!
//! A guest makes and deletes none of them. Objects are blobs: a path that is none is refused. The body of an object streams both
//! ways; what of it is in memory has a bound, whatever the object's size.

mod container;
mod incoming;
mod outgoing;

use std::{error::Error as _, sync::Arc};

use larder_core::{Error, check_blob_path};
use opendal::{ErrorKind, Operator};
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Lift, Linker, Lower, Resource},
};

use super::WasiStoresView;

const BLOBSTORE: &str = "wasi:blobstore/blobstore@0.2.0-draft";
const CONTAINER: &str = "wasi:blobstore/container@0.2.0-draft";
const TYPES: &str = "wasi:blobstore/types@0.2.0-draft";

/// How much of an object is copied at once between containers, in bytes: what one write to a service takes well.
const COPY_BYTES: usize = 1 << 20;

/// What a function of `wasi:blobstore` answers: its errors are texts.
type Told<T> = std::result::Result<T, String>;
type Answer<T> = (Told<T>,);

/// A blob store that a guest opened.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) name: Arc<str>,
    pub(super) operator: Operator,
}

impl Container {
    /// The container behind a handle; one that is none is a trap.
    fn of<T: WasiStoresView>(
        store: &mut StoreContextMut<'_, T>,
        handle: &Resource<Container>,
    ) -> Result<Self> {
        Ok(store.data_mut().stores().table.get(handle)?.clone())
    }
}

/// An object by its container and its own name.
#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct ObjectId {
    container: String,
    object: String,
}

/// Links the three interfaces.
pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    outgoing::add_to_linker(linker)?;
    incoming::add_to_linker(linker)?;
    container::add_to_linker(linker)?;
    let mut blobstore = linker.instance(BLOBSTORE)?;
    blobstore.func_wrap(
        "create-container",
        |_: StoreContextMut<'_, T>, (_,): (String,)| -> Result<Answer<Resource<Container>>> {
            Ok((Err("containers are given by the host, and not made by guests".to_owned()),))
        },
    )?;
    blobstore.func_wrap(
        "delete-container",
        |_: StoreContextMut<'_, T>, (_,): (String,)| -> Result<Answer<()>> {
            Ok((Err("containers are the host's, and stay; `clear` empties one".to_owned()),))
        },
    )?;
    blobstore.func_wrap(
        "get-container",
        |mut store: StoreContextMut<'_, T>, (name,): (String,)| -> Result<Answer<Resource<Container>>> {
            let context = store.data_mut().stores();
            match context.stores.container(&name) {
                Some(container) => Ok((Ok(context.table.push(container)?),)),
                None => Ok((Err(no_container(&name)),)),
            }
        },
    )?;
    blobstore.func_wrap(
        "container-exists",
        |mut store: StoreContextMut<'_, T>, (name,): (String,)| -> Result<Answer<bool>> {
            Ok((Ok(store.data_mut().stores().stores.container(&name).is_some()),))
        },
    )?;
    blobstore.func_wrap_async("copy-object", |mut store, (from, to): (ObjectId, ObjectId)| {
        let places = places(&mut store, &from, &to);
        Box::new(async move {
            let Ok((source, target)) = places else { return Ok((places.map(drop),)) };
            Ok((copy(&source, &from.object, &target, &to.object).await,))
        })
    })?;
    blobstore.func_wrap_async("move-object", |mut store, (from, to): (ObjectId, ObjectId)| {
        let places = places(&mut store, &from, &to);
        Box::new(async move {
            let Ok((source, target)) = places else { return Ok((places.map(drop),)) };
            let stays = source.name == target.name && from.object == to.object;
            let moved = async {
                copy(&source, &from.object, &target, &to.object).await?;
                match stays {
                    true => Ok(()),
                    false => source.operator.delete(&from.object).await.map_err(|error| told(&error)),
                }
            };
            Ok((moved.await,))
        })
    })
}

fn places<T: WasiStoresView>(
    store: &mut StoreContextMut<'_, T>,
    from: &ObjectId,
    to: &ObjectId,
) -> Told<(Container, Container)> {
    let stores = store.data_mut().stores().stores;
    let container = |name: &str| stores.container(name).ok_or_else(|| no_container(name));
    Ok((container(&from.container)?, container(&to.container)?))
}

/// By the service where it can, else as a stream through the host; readers see the whole copy or none of it.
async fn copy(source: &Container, from: &str, target: &Container, to: &str) -> Told<()> {
    checked(from)?;
    checked(to)?;
    let (reads, writes) = (&source.operator, &target.operator);
    if source.name == target.name && from == to {
        return exists(reads, from).await?.then_some(()).ok_or_else(|| no_object(from));
    }
    if source.name == target.name && reads.info().capability().copy {
        return reads.copy(from, to).await.map(drop).map_err(|error| told(&error));
    }
    let piped = async {
        let mut pieces = reads.reader(from).await?.into_stream(..).await?;
        let mut writer = writes.writer_with(to).chunk(COPY_BYTES).await?;
        let sent = async {
            use futures::TryStreamExt as _;
            while let Some(piece) = pieces.try_next().await? {
                writer.write(piece).await?;
            }
            writer.close().await
        };
        let sent = sent.await;
        if sent.is_err() {
            // The first error is the one to tell; what could not be cleared away is the service's to forget.
            if let Err(error) = writer.abort().await {
                tracing::warn!(%error, "an unfinished copy could not be aborted");
            }
        }
        sent
    };
    piped.await.map(drop).map_err(|error| told(&error))
}

async fn exists(operator: &Operator, path: &str) -> Told<bool> {
    match operator.stat(path).await {
        Ok(metadata) => Ok(metadata.is_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(told(&error)),
    }
}

fn checked(path: &str) -> Told<()> {
    check_blob_path(path).map_err(|error| format!("{}: {}", error.kind(), error.message()))
}

fn no_container(name: &str) -> String {
    format!("there is no container `{name}` for this guest")
}

fn no_object(name: &str) -> String {
    format!("there is no object `{name}`")
}

/// An error, as far as a guest may know it: what kind it is, without the paths, addresses and settings of the host.
fn told(error: &opendal::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(inner) = inner.downcast_ref::<Error>() {
            let doubt =
                if inner.is_effect_unknown() { " (it may have been written all the same)" } else { "" };
            return format!("{}: {}{doubt}", inner.kind(), inner.message());
        }
        cause = inner.source();
    }
    error.kind().into_static().to_owned()
}
