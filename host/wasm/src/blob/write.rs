//! Writing: small blobs in one `put`, larger ones in parts.
//!
//! OpenDAL's `MultipartWriter` keeps the parts in order and in flight; ours in front of it cuts what comes in
//! into parts of the plugin's size, and an upload that is not finished is aborted when the writer is dropped.

use std::sync::{Arc, Mutex, PoisonError};

use larder_core::Error as LarderError;
use opendal::{
    Buffer, Error, ErrorKind, Metadata, OperationContext, Result,
    raw::{OpWrite, oio},
};

use super::{
    convert,
    error::into_operator,
    request::{Abort, Begin, Finish, Part, Put},
};
use crate::{
    bindings::blob::{BlobExports, Features, WitPutOptions},
    plugin::{Plugin, Stream},
};

/// The size of parts where the plugin leaves a choice, in bytes.
const PART_BYTES: usize = 1 << 20;

/// The writer of one blob.
pub(crate) struct BlobWriter {
    parts: oio::MultipartWriter<Upload>,
    shared: Arc<Shared>,
    /// Less than a part.
    buffer: oio::QueueBuf,
    part_bytes: usize,
    /// The largest blob, of a plugin that takes no parts.
    bytes_max: Option<usize>,
    size_bytes: u64,
    has_parts: bool,
}

struct Shared {
    plugin: Arc<Plugin<BlobExports>>,
    path: Arc<str>,
    options: WitPutOptions,
    begun: Mutex<Option<Begun>>,
}

/// An upload that the plugin keeps for us, and the generation that does.
#[derive(Clone)]
struct Begun {
    stream: Arc<Stream<BlobExports>>,
    token: Arc<str>,
}

impl BlobWriter {
    pub(super) fn new(
        plugin: &Arc<Plugin<BlobExports>>,
        ctx: &OperationContext,
        path: &str,
        args: &OpWrite,
    ) -> Result<Self> {
        let about = plugin.description();
        let unsupported = |what: &str| Err(Error::new(ErrorKind::Unsupported, what));
        if args.content_type().is_some() && !about.has(Features::CONTENT_TYPE) {
            return unsupported("the plugin keeps no content types");
        }
        let options = convert::put_options(args);
        if !options.user.is_empty() && !about.has(Features::USER_METADATA) {
            return unsupported("the plugin keeps no user metadata");
        }
        if args.content_disposition().or(args.content_encoding()).or(args.cache_control()).is_some()
            || args.append()
        {
            return unsupported(
                "a plugin keeps a content type and user metadata, no other headers, and can't append",
            );
        }
        let shared = Arc::new(Shared {
            plugin: Arc::clone(plugin),
            path: Arc::from(path),
            options,
            begun: Mutex::new(None),
        });
        // What stands behind a layer takes parts in their order, and so does a stream.
        let concurrent = if plugin.next().is_some() || about.in_order { 1 } else { args.concurrent() };
        let upload = Upload(Arc::clone(&shared));
        Ok(Self {
            parts: oio::MultipartWriter::new(ctx.executor().clone(), upload, concurrent),
            shared,
            buffer: oio::QueueBuf::new(),
            part_bytes: PART_BYTES.clamp(about.part_bytes_min.max(1), about.part_bytes_max),
            bytes_max: (!about.has(Features::MULTIPART)).then_some(about.part_bytes_max),
            size_bytes: 0,
            has_parts: false,
        })
    }
}

impl oio::Write for BlobWriter {
    async fn write(&mut self, bytes: Buffer) -> Result<()> {
        self.size_bytes += bytes.len() as u64;
        if let Some(max) = self.bytes_max {
            if self.size_bytes > max as u64 {
                let message = format!("the plugin takes no parts, and no blobs of more than {max} bytes");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
            self.buffer.push(bytes);
            return Ok(());
        }
        self.buffer.push(bytes);
        if self.buffer.len() < self.part_bytes {
            return Ok(());
        }
        let mut full = self.buffer.take().collect();
        while full.len() >= self.part_bytes {
            let part = full.split_to(self.part_bytes);
            // A layer above must not send the same bytes again: some of them are in the blob.
            self.parts.write(part).await.map_err(Error::set_permanent)?;
            self.has_parts = true;
        }
        if !full.is_empty() {
            self.buffer.push(full);
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<Metadata> {
        if !self.buffer.is_empty() || !self.has_parts {
            let rest = self.buffer.take().collect();
            self.parts.write(rest).await.map_err(Error::set_permanent)?;
            self.has_parts = true;
        }
        self.parts.close().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.buffer.clear();
        self.parts.abort().await
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let Some(begun) = self.shared.take() else { return };
        // Without a runtime the plugin is left to its own cleaning up.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let plugin = Arc::clone(&self.shared.plugin);
        runtime.spawn(async move {
            if let Err(error) = begun.stream.call(Abort(begun.token)).await {
                tracing::warn!(plugin = plugin.name(), %error, "an unfinished blob could not be aborted");
            }
        });
    }
}

impl Shared {
    fn begun(&self) -> Result<Begun> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
        begun.ok_or_else(|| Error::new(ErrorKind::Unexpected, "the upload is finished or aborted"))
    }

    fn take(&self) -> Option<Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The calls behind OpenDAL's writer of parts.
pub(crate) struct Upload(Arc<Shared>);

impl oio::MultipartWrite for Upload {
    async fn write_once(&self, _: u64, body: Buffer) -> Result<Metadata> {
        let Shared { plugin, path, options, .. } = &*self.0;
        let put = Put { path: path.clone(), data: body.to_bytes(), options: options.clone() };
        plugin.call(put).await.map_err(into_operator)
    }

    async fn initiate_part(&self) -> Result<String> {
        let Shared { plugin, path, options, begun } = &*self.0;
        let stream = plugin.stream().await.map_err(into_operator)?;
        let begin = Begin { path: path.clone(), options: options.clone() };
        let token = stream.call(begin).await.map_err(into_operator)?;
        let stream = Arc::new(stream);
        *begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(Begun { stream, token: token.clone() });
        Ok(token.as_ref().to_owned())
    }

    async fn write_part(
        &self,
        _: &str,
        number: usize,
        size: u64,
        body: Buffer,
    ) -> Result<oio::MultipartPart> {
        let Begun { stream, token } = self.0.begun()?;
        let number_small = u32::try_from(number)
            .map_err(|_| into_operator(LarderError::invalid("the blob has too many parts")))?;
        let part = Part { upload: token, number: number_small, data: body.to_bytes() };
        let answer = stream.call(part).await.map_err(into_operator)?;
        let etag = answer.as_ref().to_owned();
        Ok(oio::MultipartPart { part_number: number, etag, checksum: None, size: Some(size) })
    }

    async fn complete_part(&self, _: &str, parts: &[oio::MultipartPart]) -> Result<Metadata> {
        let Begun { stream, token } = self.0.begun()?;
        let finish = Finish {
            upload: token,
            parts: parts.iter().map(|part| Arc::from(part.etag.as_str())).collect(),
            size_bytes: parts.iter().filter_map(|part| part.size).sum(),
        };
        let metadata = stream.call(finish).await.map_err(into_operator)?;
        // From here on there is nothing to abort, and the generation is free to go.
        drop(self.0.take());
        Ok(metadata)
    }

    async fn abort_part(&self, _: &str) -> Result<()> {
        let Some(Begun { stream, token }) = self.0.take() else { return Ok(()) };
        stream.call(Abort(token)).await.map_err(into_operator)
    }
}
