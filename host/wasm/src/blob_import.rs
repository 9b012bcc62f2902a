//! The `blob` that a layer imports: the next store, an OpenDAL operator.
//!
//! The contract's uploads are tokens, OpenDAL's are writers. The writers of a layer's uploads live here, shared by
//! all its instances, so that any of them may go on with any.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::TryStreamExt as _;
use larder_core::{check_blob_metadata, check_blob_path, check_blob_prefix};
use opendal::{Buffer, ErrorKind, Operator, Writer, options::WriteOptions};
use wasmtime::{StoreContextMut, component::Linker};

use crate::{
    bindings::{
        Answer, BLOB, WitError,
        blob::{
            Features, FinishParams, Instances, ListParams, PartParams, PutParams, ReadParams, WitCondition,
            WitDeleted, WitDescription, WitListed, WitMetadata, WitPage, WitPutOptions,
        },
    },
    blob::from_operator,
    convert::error_to_guest,
    state::State,
};

/// Largest part, and largest read, in bytes.
const PART_BYTES_MAX: u32 = 8 << 20;
/// Most uploads that a layer may have begun and not ended.
const UPLOADS_MAX: usize = 256;
/// Most blobs of a page, and most paths of a `delete-many`.
const ITEMS_MAX: usize = 1_000;

type Result<T> = std::result::Result<T, WitError>;

/// The store behind a blob layer.
pub(crate) struct NextBlob {
    operator: Operator,
    uploads: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Upload>>>>,
    next: AtomicU64,
}

struct Upload {
    path: String,
    writer: Writer,
    /// The sizes of the parts so far.
    parts: Vec<usize>,
}

/// Links `larder:store/blob` to the store's `next_blob`.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    /// A function that finds the next store and waits for it.
    macro_rules! link {
        ($blob:ident, $name:literal, |$next:ident, $params:ident: $ty:ty| $work:expr) => {
            $blob.func_wrap_async($name, |store: StoreContextMut<'_, State>, $params: $ty| {
                let next = store.data().next_blob.clone();
                Box::new(async move {
                    let Some($next) = next else {
                        return Ok((Err(WitError::Unsupported("there is no next store".to_owned())),));
                    };
                    Ok(($work.await,))
                })
            })?;
        };
    }
    let mut blob = linker.instance(BLOB)?;
    blob.func_wrap(
        "describe",
        |store: StoreContextMut<'_, State>, (): ()| -> wasmtime::Result<Answer<WitDescription>> {
            let next = store.data().next_blob.as_ref();
            Ok((next
                .map(|next| next.describe())
                .ok_or_else(|| WitError::Unsupported("there is no next store".to_owned())),))
        },
    )?;
    link!(blob, "stat", |next, params: (Arc<str>,)| next.stat(&params.0));
    link!(blob, "read", |next, params: ReadParams| next.read(params));
    link!(blob, "list", |next, params: ListParams| next.list(params));
    link!(blob, "delete-many", |next, params: (Vec<Arc<str>>,)| next.delete_many(params.0));
    link!(blob, "copy", |next, params: (Arc<str>, Arc<str>)| next.copy(params));
    link!(blob, "put", |next, params: PutParams| next.put(params));
    link!(blob, "begin", |next, params: (Arc<str>, WitPutOptions)| next.begin(params));
    link!(blob, "part", |next, params: PartParams| next.part(params));
    link!(blob, "finish", |next, params: FinishParams| next.finish(params));
    link!(blob, "abort", |next, params: (Arc<str>,)| next.abort(&params.0));
    Ok(())
}

impl NextBlob {
    pub(crate) fn new(operator: Operator) -> Self {
        Self { operator, uploads: Mutex::default(), next: AtomicU64::new(0) }
    }

    fn describe(&self) -> WitDescription {
        let capability = self.operator.info().capability();
        let pairs = [
            (capability.read, Features::READ_RANGE),
            (capability.list_with_recursive, Features::LIST_RECURSIVE),
            (capability.copy, Features::COPY),
            (capability.write_can_multi, Features::MULTIPART),
            (capability.write_with_if_not_exists, Features::IF_ABSENT),
            (capability.write_with_if_match, Features::IF_MATCH),
            (capability.write_with_content_type, Features::CONTENT_TYPE),
            (capability.write_with_user_metadata, Features::USER_METADATA),
        ];
        let mut features = Features::default();
        for (has, feature) in pairs {
            if has {
                features |= feature;
            }
        }
        WitDescription {
            features,
            instances: Instances::Many,
            part_bytes_min: 0,
            part_bytes_max: PART_BYTES_MAX,
        }
    }

    async fn stat(&self, path: &str) -> Result<Option<WitMetadata>> {
        check(path)?;
        match self.operator.stat(path).await {
            Ok(metadata) => Ok(metadata.is_file().then(|| to_guest(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(from_operator(&error, path)),
        }
    }

    /// From one stream that is opened here, so that the answer is of one version: a size that is asked for first
    /// could be that of another.
    async fn read(&self, (path, offset, length): ReadParams) -> Result<Option<Bytes>> {
        check(&path)?;
        let mut left = length.min(PART_BYTES_MAX) as usize;
        let mut pieces = Vec::new();
        let read = async {
            let mut stream = self.operator.reader(&path).await?.into_stream(offset..).await?;
            while left > 0
                && let Some(mut piece) = stream.try_next().await?
            {
                piece.truncate(left);
                left -= piece.len();
                pieces.push(piece);
            }
            Ok::<(), opendal::Error>(())
        };
        match read.await {
            Ok(()) => Ok(Some(pieces.into_iter().flatten().collect::<Buffer>().to_bytes())),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => Ok(None),
                // Past the end there are no bytes.
                ErrorKind::RangeNotSatisfied => Ok(Some(Bytes::new())),
                _ => Err(from_operator(&error, &path)),
            },
        }
    }

    /// From the beginning each time, since operators have no cursors: the order of the paths says where to go on.
    async fn list(&self, (prefix, cursor, limit): ListParams) -> Result<WitPage> {
        check_blob_prefix(&prefix).map_err(|e| error_to_guest(&e))?;
        let failed = |error: opendal::Error| from_operator(&error, &prefix);
        let folder = prefix.split_at(prefix.rfind('/').map_or(0, |slash| slash + 1)).0;
        let place = if folder.is_empty() { "/" } else { folder };
        let recursive = self.operator.info().capability().list_with_recursive;
        let mut lister = self.operator.lister_with(place).recursive(recursive).await.map_err(failed)?;
        let limit = ITEMS_MAX.min(limit as usize).max(1);
        let mut page = WitPage { entries: Vec::new(), next: None };
        let mut last = cursor.as_deref().unwrap_or_default().to_owned();
        let mut before = String::new();
        while let Some(entry) = lister.try_next().await.map_err(failed)? {
            let (path, metadata) = entry.into_parts();
            if path.as_str() < before.as_str() {
                return Err(WitError::Unsupported(
                    "the next store does not list in the order of paths".to_owned(),
                ));
            }
            before.clone_from(&path);
            if path.as_str() <= last.as_str() || !path.starts_with(&*prefix) || path == folder || path == "/"
            {
                continue;
            }
            if page.entries.len() == limit {
                page.next = Some(Arc::from(last));
                break;
            }
            last.clone_from(&path);
            page.entries.push(WitListed { path, metadata: to_guest(&metadata) });
        }
        Ok(page)
    }

    async fn delete_many(&self, paths: Vec<Arc<str>>) -> Result<WitDeleted> {
        if paths.len() > ITEMS_MAX {
            return Err(WitError::Invalid(format!("{} paths at once, more than {ITEMS_MAX}", paths.len())));
        }
        let mut answers = Vec::with_capacity(paths.len());
        for path in paths {
            let deleted = match check(&path) {
                Ok(()) => self.operator.delete(&path).await.map_err(|error| from_operator(&error, &path)),
                Err(error) => Err(error),
            };
            answers.push(deleted);
        }
        Ok(answers)
    }

    async fn copy(&self, (source, target): (Arc<str>, Arc<str>)) -> Result<()> {
        check(&source)?;
        check(&target)?;
        let copied = self.operator.copy(&source, &target).await;
        copied.map(drop).map_err(|error| from_operator(&error, &source))
    }

    async fn put(&self, (path, data, options): PutParams) -> Result<WitMetadata> {
        let size = data.len() as u64;
        let mut writer = self.writer(&path, options).await?;
        let written = async {
            writer.write(data).await?;
            writer.close().await
        };
        let metadata = written.await.map_err(|error| from_operator(&error, &path))?;
        Ok(WitMetadata { size, ..to_guest(&metadata) })
    }

    async fn begin(&self, (path, options): (Arc<str>, WitPutOptions)) -> Result<Arc<str>> {
        let writer = self.writer(&path, options).await?;
        let token = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let upload = Upload { path: path.as_ref().to_owned(), writer, parts: Vec::new() };
        let mut uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        if uploads.len() >= UPLOADS_MAX {
            return Err(WitError::Invalid(format!("{UPLOADS_MAX} uploads are begun and not ended")));
        }
        uploads.insert(token.clone(), Arc::new(tokio::sync::Mutex::new(upload)));
        Ok(Arc::from(token))
    }

    async fn part(&self, (token, number, data): PartParams) -> Result<Arc<str>> {
        let upload = self.upload(&token)?;
        let mut upload = upload.lock().await;
        let answer = Arc::from(format!("{number}:{}", data.len()));
        match upload.parts.get(number as usize) {
            // Sent again, after an answer that was lost.
            Some(size) if *size == data.len() => return Ok(answer),
            None if upload.parts.len() == number as usize => {}
            _ => return Err(WitError::Unsupported("behind a layer, parts come in their order".to_owned())),
        }
        let size = data.len();
        let written = upload.writer.write(data).await;
        written.map_err(|error| from_operator(&error, &upload.path))?;
        upload.parts.push(size);
        Ok(answer)
    }

    async fn finish(&self, (token, parts): FinishParams) -> Result<WitMetadata> {
        let upload = self.upload(&token)?;
        let mut upload = upload.lock().await;
        let stored = upload.parts.iter().enumerate().map(|(number, size)| format!("{number}:{size}"));
        if !stored.eq(parts.iter().map(|part| part.as_ref().to_owned())) {
            return Err(WitError::Invalid("these are not the parts that were stored".to_owned()));
        }
        let closed = upload.writer.close().await;
        let metadata = closed.map_err(|error| from_operator(&error, &upload.path))?;
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(&*token);
        let size = upload.parts.iter().map(|size| *size as u64).sum();
        Ok(WitMetadata { size, ..to_guest(&metadata) })
    }

    async fn abort(&self, token: &str) -> Result<()> {
        let upload = self.uploads.lock().unwrap_or_else(PoisonError::into_inner).remove(token);
        let Some(upload) = upload else { return Ok(()) };
        let mut upload = upload.lock().await;
        upload.writer.abort().await.map_err(|error| from_operator(&error, &upload.path))
    }

    fn upload(&self, token: &str) -> Result<Arc<tokio::sync::Mutex<Upload>>> {
        let uploads = self.uploads.lock().unwrap_or_else(PoisonError::into_inner);
        uploads.get(token).cloned().ok_or_else(|| WitError::Invalid("there is no such upload".to_owned()))
    }

    async fn writer(&self, path: &str, options: WitPutOptions) -> Result<Writer> {
        check(path)?;
        let user = options.user.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        check_blob_metadata(options.content_type.as_deref(), user).map_err(|e| error_to_guest(&e))?;
        let capability = self.operator.info().capability();
        let keeps = (options.content_type.is_none() || capability.write_with_content_type)
            && (options.user.is_empty() || capability.write_with_user_metadata);
        if !keeps {
            return Err(WitError::Unsupported("the next store does not keep this metadata".to_owned()));
        }
        let mut write = WriteOptions {
            content_type: options.content_type,
            user_metadata: (!options.user.is_empty()).then(|| options.user.into_iter().collect()),
            chunk: Some(1 << 20),
            ..WriteOptions::default()
        };
        match options.condition {
            None => {}
            Some(WitCondition::Absent) => write.if_not_exists = true,
            Some(WitCondition::Etag(etag)) => write.if_match = Some(etag),
        }
        self.operator.writer_options(path, write).await.map_err(|error| from_operator(&error, path))
    }
}

impl fmt::Display for NextBlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.operator.info();
        write!(f, "{}({})", info.scheme(), info.root())
    }
}

fn check(path: &str) -> Result<()> {
    check_blob_path(path).map_err(|e| error_to_guest(&e))
}

fn to_guest(metadata: &opendal::Metadata) -> WitMetadata {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let modified = metadata.last_modified().map(opendal::raw::Timestamp::into_inner);
    WitMetadata {
        size: metadata.content_length(),
        etag: metadata.etag().map(str::to_owned),
        content_type: metadata.content_type().map(str::to_owned),
        modified_ms: modified.and_then(|at| u64::try_from(at.as_millisecond()).ok()),
        user: metadata.user_metadata().map(|user| user.into_iter().map(owned).collect()).unwrap_or_default(),
    }
}
