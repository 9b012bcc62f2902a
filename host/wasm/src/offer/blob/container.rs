//! `container`: the objects of one of them, and their names as a stream.

use futures::TryStreamExt as _;
use opendal::Lister;
use wasmtime::{
    Result, StoreContextMut,
    component::{ComponentType, Lift, Linker, Lower, Resource, ResourceType},
};

use super::{
    Answer, CONTAINER, Container, Told, WasiStoresView, checked, exists,
    incoming::IncomingValue,
    no_object,
    outgoing::{self, OutgoingValue},
    told,
};

/// Most names that are handed over at once.
const NAMES_MAX: u64 = 1_000;

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct ContainerMetadata {
    name: String,
    /// 0: a store does not know when it began.
    #[component(name = "created-at")]
    created_at: u64,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct ObjectMetadata {
    name: String,
    container: String,
    /// In seconds since the Unix epoch; when it was last written, or 0 where the store does not know.
    #[component(name = "created-at")]
    created_at: u64,
    size: u64,
}

/// The names of a container's objects, as they are asked for.
struct ObjectNames(Lister);

impl ObjectNames {
    async fn of(container: &Container) -> Told<Self> {
        let lister = container.operator.lister_with("/").recursive(true).await;
        lister.map(Self).map_err(|error| told(&error))
    }

    async fn next(&mut self) -> Told<Option<String>> {
        while let Some(entry) = self.0.try_next().await.map_err(|error| told(&error))? {
            if !entry.path().ends_with('/') {
                return Ok(Some(entry.path().to_owned()));
            }
        }
        Ok(None)
    }

    /// At most so many, and whether that was the end.
    async fn read(&mut self, count: u64) -> Told<(Vec<String>, bool)> {
        let mut names = Vec::new();
        while (names.len() as u64) < count.min(NAMES_MAX) {
            match self.next().await? {
                Some(name) => names.push(name),
                None => return Ok((names, true)),
            }
        }
        Ok((names, false))
    }
}

pub(super) fn add_to_linker<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    names(linker)?;
    objects(linker)?;
    let mut container = linker.instance(CONTAINER)?;
    container.resource("container", ResourceType::host::<Container>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<Container>::new_own(rep))?;
        Ok(())
    })?;
    container.func_wrap(
        "[method]container.name",
        |mut store: StoreContextMut<'_, T>, (own,): (Resource<Container>,)| -> Result<Answer<String>> {
            Ok((Ok(Container::of(&mut store, &own)?.name.as_ref().to_owned()),))
        },
    )?;
    container.func_wrap(
        "[method]container.info",
        |mut store: StoreContextMut<'_, T>,
         (own,): (Resource<Container>,)|
         -> Result<Answer<ContainerMetadata>> {
            let name = Container::of(&mut store, &own)?.name.as_ref().to_owned();
            Ok((Ok(ContainerMetadata { name, created_at: 0 }),))
        },
    )?;
    container.func_wrap_async(
        "[method]container.get-data",
        |mut store, (own, name, start, last): (Resource<Container>, String, u64, u64)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move {
                let found: Answer<Resource<IncomingValue>> =
                    (match IncomingValue::of(&own?, name, start, last).await {
                        Ok(value) => Ok(store.data_mut().stores().table.push(value)?),
                        Err(error) => Err(error),
                    },);
                Ok(found)
            })
        },
    )?;
    container.func_wrap_async(
        "[method]container.write-data",
        |mut store, (own, name, data): (Resource<Container>, String, Resource<OutgoingValue>)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move {
                let own = own?;
                let named: Answer<()> = (match outgoing::writer(&own, &name).await {
                    Err(error) => Err(error),
                    Ok(writer) => {
                        let value = store.data_mut().stores().table.get_mut(&data)?;
                        value.take().map(|waiting| value.name(waiting, writer))
                    }
                },);
                Ok(named)
            })
        },
    )
}

/// What is done with objects by their names.
fn objects<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    let mut container = linker.instance(CONTAINER)?;
    container.func_wrap_async(
        "[method]container.delete-object",
        |mut store, (own, name): (Resource<Container>, String)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move { Ok((delete(&own?, vec![name]).await,)) })
        },
    )?;
    container.func_wrap_async(
        "[method]container.delete-objects",
        |mut store, (own, names): (Resource<Container>, Vec<String>)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move { Ok((delete(&own?, names).await,)) })
        },
    )?;
    container.func_wrap_async(
        "[method]container.has-object",
        |mut store, (own, name): (Resource<Container>, String)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move { Ok((has(&own?, &name).await,)) })
        },
    )?;
    container.func_wrap_async(
        "[method]container.object-info",
        |mut store, (own, name): (Resource<Container>, String)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move { Ok((info(&own?, name).await,)) })
        },
    )?;
    container.func_wrap_async("[method]container.clear", |mut store, (own,): (Resource<Container>,)| {
        let own = Container::of(&mut store, &own);
        Box::new(async move { Ok((clear(&own?).await,)) })
    })
}

/// The streams of names.
fn names<T: WasiStoresView>(linker: &mut Linker<T>) -> Result<()> {
    let mut container = linker.instance(CONTAINER)?;
    container.resource("stream-object-names", ResourceType::host::<ObjectNames>(), |mut store, rep| {
        store.data_mut().stores().table.delete(Resource::<ObjectNames>::new_own(rep))?;
        Ok(())
    })?;
    container.func_wrap_async(
        "[method]container.list-objects",
        |mut store, (own,): (Resource<Container>,)| {
            let own = Container::of(&mut store, &own);
            Box::new(async move {
                let listed: Answer<Resource<ObjectNames>> = (match ObjectNames::of(&own?).await {
                    Ok(names) => Ok(store.data_mut().stores().table.push(names)?),
                    Err(error) => Err(error),
                },);
                Ok(listed)
            })
        },
    )?;
    container.func_wrap_async(
        "[method]stream-object-names.read-stream-object-names",
        |mut store, (names, count): (Resource<ObjectNames>, u64)| {
            Box::new(async move {
                let names = store.data_mut().stores().table.get_mut(&names)?;
                let read: Answer<(Vec<String>, bool)> = (names.read(count).await,);
                Ok(read)
            })
        },
    )?;
    container.func_wrap_async(
        "[method]stream-object-names.skip-stream-object-names",
        |mut store, (names, count): (Resource<ObjectNames>, u64)| {
            Box::new(async move {
                let names = store.data_mut().stores().table.get_mut(&names)?;
                let skipped: Answer<(u64, bool)> =
                    (names.read(count).await.map(|(skipped, is_end)| (skipped.len() as u64, is_end)),);
                Ok(skipped)
            })
        },
    )
}

async fn delete(container: &Container, names: Vec<String>) -> Told<()> {
    names.iter().try_for_each(|name| checked(name))?;
    container.operator.delete_iter(names).await.map_err(|error| told(&error))
}

async fn has(container: &Container, name: &str) -> Told<bool> {
    checked(name)?;
    exists(&container.operator, name).await
}

async fn info(container: &Container, name: String) -> Told<ObjectMetadata> {
    checked(&name)?;
    let metadata = match container.operator.stat(&name).await {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Err(no_object(&name)),
        Err(error) if error.kind() == opendal::ErrorKind::NotFound => return Err(no_object(&name)),
        Err(error) => return Err(told(&error)),
    };
    let written = metadata.last_modified().map(opendal::raw::Timestamp::into_inner);
    Ok(ObjectMetadata {
        name,
        container: container.name.as_ref().to_owned(),
        created_at: written.and_then(|at| u64::try_from(at.as_second()).ok()).unwrap_or(0),
        size: metadata.content_length(),
    })
}

/// In portions, so that a large container needs no more memory than a small one.
async fn clear(container: &Container) -> Told<()> {
    let mut names = ObjectNames::of(container).await?;
    loop {
        let (portion, is_end) = names.read(NAMES_MAX).await?;
        delete(container, portion).await?;
        if is_end {
            return Ok(());
        }
    }
}
