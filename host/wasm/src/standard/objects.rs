//! A container of `wasi:blobstore` as a blob store.
//!
//! What the interfaces promise, and so what is declared: ranges, listings at any depth, copies, and writing as a stream. There are no
//! conditions, no content types and no metadata of the user. What is made up for:
//!
//! * Names are listed in no order. A page is the smallest of those that come behind the last page, so each page reads all
//!   names, and keeps one page of them, whatever the container holds.
//! * There is no entity tag. It is put together from what the component says of the object and from a number that this host counts
//!   up at each write, so that a reader sees that its object was replaced.
//! * An object is named by `write-data` before its body is written: in this order a component can stream. One that
//!   wants the whole body before would store nothing, and is found out by the size behind `finish`.

use std::{
    collections::{BinaryHeap, HashMap},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use bytes::Bytes;
use wasmtime::component::{ComponentType, Lift, Lower, ResourceAny, TypedFunc};

use super::{settings, shape::Blobstore, sink::Sinks};
use crate::{
    bindings::{
        WitError,
        blob::{
            Features, FinishParams, Instances, ListParams, PartParams, PutParams, ReadParams, WitDeleted,
            WitDescription, WitListed, WitMetadata, WitPage, WitPutOptions,
        },
    },
    instance::Loader,
    lift::{Calls, Lifted, answered, bad, good, unsupported},
};

/// The setting that names the container; it is larder's, and not handed on.
const CONTAINER: &str = "container";
/// What is handed on at once, in bytes.
const PART_BYTES_MAX: u32 = 1 << 20;
/// Most names that are asked for at once.
const NAMES_MAX: u64 = 1_000;
/// Most uploads that are begun and not ended in an instance.
const UPLOADS_MAX: usize = 256;
/// How many objects' writes are remembered one by one; then all of them count as written anew.
const CHANGES_MAX: usize = 10_000;

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct ObjectMetadata {
    name: String,
    container: String,
    /// In a unit that the interface does not name.
    #[component(name = "created-at")]
    created_at: u64,
    size: u64,
}

#[derive(Debug, Clone, ComponentType, Lift, Lower)]
#[component(record)]
struct ObjectId {
    container: String,
    object: Arc<str>,
}

/// Errors are texts.
type Func<P, T> = TypedFunc<P, (Result<T, String>,)>;

/// The functions of the exported interfaces.
struct Funcs {
    container_exists: Func<(String,), bool>,
    get_container: Func<(String,), ResourceAny>,
    create_container: Func<(String,), ResourceAny>,
    copy: Func<(ObjectId, ObjectId), ()>,
    has: Func<(ResourceAny, Arc<str>), bool>,
    info: Func<(ResourceAny, Arc<str>), ObjectMetadata>,
    get_data: Func<(ResourceAny, Arc<str>, u64, u64), ResourceAny>,
    write_data: Func<(ResourceAny, Arc<str>, ResourceAny), ()>,
    delete: Func<(ResourceAny, Arc<str>), ()>,
    list: Func<(ResourceAny,), ResourceAny>,
    read_names: Func<(ResourceAny, u64), (Vec<String>, bool)>,
    new_value: TypedFunc<(), (ResourceAny,)>,
    body: TypedFunc<(ResourceAny,), (Result<ResourceAny, ()>,)>,
    finish: Func<(ResourceAny,), ()>,
    consume: Func<(ResourceAny,), Bytes>,
}

/// An object on its way in.
struct Upload {
    path: Arc<str>,
    value: ResourceAny,
    body: ResourceAny,
    /// The sizes of the parts so far.
    parts: Vec<usize>,
}

/// The container once it is open, and what is under way in it.
pub(crate) struct Objects {
    funcs: Funcs,
    sinks: Sinks,
    reads_settings: bool,
    name: String,
    container: Option<ResourceAny>,
    uploads: HashMap<String, Upload>,
    uploads_begun: u64,
    changes: Changes,
}

impl Objects {
    pub(crate) fn load(shape: &Blobstore, loader: &mut Loader<'_>) -> wasmtime::Result<Self> {
        let (types, container, blobstore) = (&shape.types, &shape.container, &shape.blobstore);
        Ok(Self {
            funcs: Funcs {
                container_exists: loader.func(blobstore, "container-exists")?,
                get_container: loader.func(blobstore, "get-container")?,
                create_container: loader.func(blobstore, "create-container")?,
                copy: loader.func(blobstore, "copy-object")?,
                has: loader.func(container, "[method]container.has-object")?,
                info: loader.func(container, "[method]container.object-info")?,
                get_data: loader.func(container, "[method]container.get-data")?,
                write_data: loader.func(container, "[method]container.write-data")?,
                delete: loader.func(container, "[method]container.delete-object")?,
                list: loader.func(container, "[method]container.list-objects")?,
                read_names: loader.func(container, "[method]stream-object-names.read-stream-object-names")?,
                new_value: loader.func(types, "[static]outgoing-value.new-outgoing-value")?,
                body: loader.func(types, "[method]outgoing-value.outgoing-value-write-body")?,
                finish: loader.func(types, "[static]outgoing-value.finish")?,
                consume: loader.func(types, "[static]incoming-value.incoming-value-consume-sync")?,
            },
            sinks: Sinks::load(&shape.streams, loader)?,
            reads_settings: shape.reads_settings,
            name: String::new(),
            container: None,
            uploads: HashMap::new(),
            uploads_begun: 0,
            changes: Changes::new(),
        })
    }

    /// Opens the container, and makes it where it is not there.
    pub(crate) async fn configure(
        &mut self,
        calls: &mut Calls<'_>,
        given: &[(String, String)],
    ) -> Lifted<()> {
        self.name = match settings::take(calls, given, CONTAINER, self.reads_settings) {
            Ok(name) => name,
            Err(error) => return bad(error),
        };
        let exists = told(calls.call(self.funcs.container_exists, (self.name.clone(),)).await);
        let open = if answered!(exists) { self.funcs.get_container } else { self.funcs.create_container };
        let (opened,) = calls.call(open, (self.name.clone(),)).await?;
        match opened {
            Ok(container) => {
                self.container = Some(container);
                good(())
            }
            Err(why) => bad(WitError::Invalid(format!(
                "the component does not open its container `{}`: {why}; the setting `{CONTAINER}` names another",
                self.name
            ))),
        }
    }

    /// There is nothing to ask: an open container is as much as the interface tells.
    pub(crate) async fn health(&mut self, _: &mut Calls<'_>) -> Lifted<()> {
        std::future::ready(self.container().map(|_| (Ok(()),))).await
    }

    pub(crate) async fn describe(&mut self, _: &mut Calls<'_>, (): ()) -> Lifted<WitDescription> {
        let features = Features::READ_RANGE | Features::LIST_RECURSIVE | Features::COPY | Features::MULTIPART;
        std::future::ready(good(WitDescription {
            features,
            instances: Instances::One,
            part_bytes_min: 0,
            part_bytes_max: PART_BYTES_MAX,
        }))
        .await
    }

    pub(crate) async fn stat(
        &mut self,
        calls: &mut Calls<'_>,
        (path,): (Arc<str>,),
    ) -> Lifted<Option<WitMetadata>> {
        let container = self.container()?;
        if !answered!(told(calls.call(self.funcs.has, (container, path.clone())).await)) {
            return good(None);
        }
        let info = answered!(told(calls.call(self.funcs.info, (container, path.clone())).await));
        good(Some(WitMetadata {
            size: info.size,
            etag: Some(self.changes.etag(&path, &info)),
            content_type: None,
            modified_ms: None,
            user: Vec::new(),
        }))
    }

    pub(crate) async fn read(
        &mut self,
        calls: &mut Calls<'_>,
        (path, offset, length): ReadParams,
    ) -> Lifted<Option<Bytes>> {
        let Some(found) = answered!(self.stat(calls, (path.clone(),)).await) else { return good(None) };
        // What a range past the end means, the interface leaves open.
        let end = offset.saturating_add(length.into()).min(found.size);
        if offset >= end {
            return good(Some(Bytes::new()));
        }
        let range = (self.container()?, path, offset, end - 1);
        let value = answered!(told(calls.call(self.funcs.get_data, range).await));
        let bytes = answered!(told(calls.call(self.funcs.consume, (value,)).await));
        good(Some(bytes))
    }

    pub(crate) async fn list(
        &mut self,
        calls: &mut Calls<'_>,
        (prefix, cursor, limit): ListParams,
    ) -> Lifted<WitPage> {
        let (after, limit) = (cursor.as_deref().unwrap_or_default(), limit as usize);
        let names = answered!(told(calls.call(self.funcs.list, (self.container()?,)).await));
        // One more than a page, so that it is known whether there is another.
        let mut smallest = BinaryHeap::with_capacity(limit + 2);
        loop {
            let read = told(calls.call(self.funcs.read_names, (names, NAMES_MAX)).await);
            let (portion, is_end) = answered!(read);
            let of_page = |name: &String| name.starts_with(&*prefix) && name.as_str() > after;
            for name in portion.into_iter().filter(of_page).filter(|name| !name.ends_with('/')) {
                smallest.push(name);
                if smallest.len() > limit + 1 {
                    smallest.pop();
                }
            }
            if is_end {
                break;
            }
        }
        calls.drop(names).await?;
        let mut names = smallest.into_sorted_vec();
        names.dedup();
        let has_next = names.len() > limit;
        names.truncate(limit);
        let next = names.last().filter(|_| has_next).map(|last| Arc::from(last.as_str()));
        let mut entries = Vec::with_capacity(names.len());
        for path in names {
            // One that went away meanwhile is left out.
            if let Some(metadata) = answered!(self.stat(calls, (Arc::from(path.as_str()),)).await) {
                entries.push(WitListed { path, metadata });
            }
        }
        good(WitPage { entries, next })
    }

    pub(crate) async fn delete_many(
        &mut self,
        calls: &mut Calls<'_>,
        (paths,): (Vec<Arc<str>>,),
    ) -> Lifted<WitDeleted> {
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            let (deleted,) = told(calls.call(self.funcs.delete, (self.container()?, path.clone())).await)?;
            self.changes.changed(&path);
            answers.push(deleted);
        }
        good(answers)
    }

    pub(crate) async fn copy(
        &mut self,
        calls: &mut Calls<'_>,
        (source, target): (Arc<str>, Arc<str>),
    ) -> Lifted<()> {
        if answered!(self.stat(calls, (source.clone(),)).await).is_none() {
            return bad(WitError::Invalid("there is no blob to copy".to_owned()));
        }
        let id = |object| ObjectId { container: self.name.clone(), object };
        let ids = (id(source), id(target.clone()));
        self.changes.changed(&target);
        answered!(told(calls.call(self.funcs.copy, ids).await));
        good(())
    }

    pub(crate) async fn put(
        &mut self,
        calls: &mut Calls<'_>,
        (path, data, options): PutParams,
    ) -> Lifted<WitMetadata> {
        let token = answered!(self.begin(calls, (path, options)).await);
        let part = self.part(calls, (token.clone(), 0, data)).await;
        match part? {
            (Ok(answer),) => self.finish(calls, (token, vec![answer])).await,
            (Err(error),) => {
                answered!(self.abort(calls, (token,)).await);
                bad(error)
            }
        }
    }

    pub(crate) async fn begin(
        &mut self,
        calls: &mut Calls<'_>,
        (path, options): (Arc<str>, WitPutOptions),
    ) -> Lifted<Arc<str>> {
        if options.condition.is_some() || options.content_type.is_some() || !options.user.is_empty() {
            return unsupported("`wasi:blobstore` keeps bytes, and writes without conditions");
        }
        if self.uploads.len() >= UPLOADS_MAX {
            return bad(WitError::Invalid(format!("{UPLOADS_MAX} uploads are begun and not ended")));
        }
        let container = self.container()?;
        let (value,) = calls.call(self.funcs.new_value, ()).await?;
        let (Ok(body),) = calls.call(self.funcs.body, (value,)).await? else {
            calls.drop(value).await?;
            return bad(WitError::Other("the component's new value has no body".to_owned()));
        };
        let (named,) = calls.call(self.funcs.write_data, (container, path.clone(), value)).await?;
        if let Err(error) = named {
            calls.drop(body).await?;
            calls.drop(value).await?;
            return bad(WitError::Other(error));
        }
        self.uploads_begun += 1;
        let token = format!("{:x}-{}", self.changes.nonce, self.uploads_begun);
        self.uploads.insert(token.clone(), Upload { path, value, body, parts: Vec::new() });
        good(Arc::from(token))
    }

    /// Parts come in their order; the host does not send the next one before.
    pub(crate) async fn part(
        &mut self,
        calls: &mut Calls<'_>,
        (token, number, data): PartParams,
    ) -> Lifted<Arc<str>> {
        let Some(upload) = self.uploads.get_mut(&*token) else { return no_upload() };
        let answer = Arc::from(format!("{number}:{}", data.len()));
        match upload.parts.get(number as usize) {
            // Sent again, after an answer that was lost.
            Some(size) if *size == data.len() => return good(answer),
            None if upload.parts.len() == number as usize => {}
            _ => return unsupported("a stream takes its parts in their order"),
        }
        let size = data.len();
        answered!(self.sinks.write(calls, upload.body, data).await);
        upload.parts.push(size);
        good(answer)
    }

    pub(crate) async fn finish(
        &mut self,
        calls: &mut Calls<'_>,
        (token, parts): FinishParams,
    ) -> Lifted<WitMetadata> {
        let Some(upload) = self.uploads.get(&*token) else { return no_upload() };
        let stored = upload.parts.iter().enumerate().map(|(number, size)| format!("{number}:{size}"));
        if !stored.eq(parts.iter().map(|part| part.as_ref().to_owned())) {
            return bad(WitError::Invalid("these are not the parts that were stored".to_owned()));
        }
        answered!(self.sinks.flush(calls, upload.body).await);
        let Some(Upload { path, value, body, parts: _ }) = self.uploads.remove(&*token) else {
            return no_upload();
        };
        // The stream is a child of the value, and goes first.
        calls.drop(body).await?;
        self.changes.changed(&path);
        answered!(told(calls.call(self.funcs.finish, (value,)).await));
        match answered!(self.stat(calls, (path,)).await) {
            Some(metadata) => good(metadata),
            None => bad(WitError::Other("the component finished an object that is not there".to_owned())),
        }
    }

    pub(crate) async fn abort(&mut self, calls: &mut Calls<'_>, (token,): (Arc<str>,)) -> Lifted<()> {
        if let Some(Upload { value, body, .. }) = self.uploads.remove(&*token) {
            calls.drop(body).await?;
            calls.drop(value).await?;
        }
        good(())
    }

    fn container(&self) -> wasmtime::Result<ResourceAny> {
        self.container.ok_or_else(|| wasmtime::format_err!("the container is not open"))
    }
}

/// Which objects were written through this instance, by a number that goes up.
struct Changes {
    /// Of this instance alone: the numbers of another are others.
    nonce: u64,
    next: u64,
    /// The number of what is not in `last`.
    others: u64,
    last: HashMap<Arc<str>, u64>,
}

impl Changes {
    fn new() -> Self {
        let nonce = RandomState::new().hash_one("changes");
        Self { nonce, next: 0, others: 0, last: HashMap::new() }
    }

    fn changed(&mut self, path: &Arc<str>) {
        self.next += 1;
        if self.last.len() >= CHANGES_MAX {
            self.last.clear();
            self.others = self.next;
        }
        self.last.insert(Arc::clone(path), self.next);
    }

    fn etag(&self, path: &str, info: &ObjectMetadata) -> String {
        let number = self.last.get(path).unwrap_or(&self.others);
        format!("{:x}-{number}-{}-{}", self.nonce, info.created_at, info.size)
    }
}

fn told<T>(answer: wasmtime::Result<(Result<T, String>,)>) -> Lifted<T> {
    answer.map(|(answer,)| (answer.map_err(WitError::Other),))
}

fn no_upload<T>() -> Lifted<T> {
    bad(WitError::Invalid("there is no such upload".to_owned()))
}
