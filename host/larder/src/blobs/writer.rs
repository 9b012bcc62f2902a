//! Writing a blob piece by piece.

use std::fmt;

use bytes::Bytes;
use larder_backends::object;
use larder_core::{Error, Result, check_blob_metadata};
use opendal::{Capability, Operator, Writer};

use super::{
    failed,
    metadata::Metadata,
    options::{Condition, WriteOptions},
    unsure,
};

/// Largest and smallest part that may be asked for, in bytes, and most parts in flight: bounds of memory.
const PART_BYTES_MAX: usize = 64 << 20;
const PART_BYTES_MIN: usize = 4 << 10;
const PARTS_IN_FLIGHT_MAX: usize = 64;

/// The writer of one blob. Dropped before it is finished, it is aborted and leaves nothing behind.
pub struct BlobWriter {
    /// None once finished or aborted.
    writer: Option<Writer>,
    path: String,
    size_bytes: u64,
}

pub(super) async fn begin(operator: &Operator, path: &str, options: WriteOptions) -> Result<BlobWriter> {
    let named = |error: Error| error.operation("put").with("path", path);
    let user = options.user.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    check_blob_metadata(options.content_type.as_deref(), user).map_err(named)?;
    check_capability(&operator.info().capability(), &options).map_err(named)?;
    let part_bytes = options.part_bytes.clamp(PART_BYTES_MIN, PART_BYTES_MAX);
    let mut begin = operator
        .writer_with(path)
        .chunk(part_bytes)
        .concurrent(options.parts_in_flight.clamp(1, PARTS_IN_FLIGHT_MAX));
    if let Some(content_type) = &options.content_type {
        begin = begin.content_type(content_type);
    }
    if !options.user.is_empty() {
        begin = begin.user_metadata(options.user);
    }
    begin = match &options.condition {
        None => begin,
        Some(Condition::Absent) => begin.if_not_exists(true),
        Some(Condition::Etag(etag)) => begin.if_match(etag),
    };
    let writer = begin.await.map_err(|error| failed(error, "put", path))?;
    Ok(BlobWriter { writer: Some(writer), path: path.to_owned(), size_bytes: 0 })
}

/// OpenDAL checks conditions itself, but lets metadata through to services that drop it.
fn check_capability(capability: &Capability, options: &WriteOptions) -> Result<()> {
    let missing = if !capability.write {
        "the blob store can't be written"
    } else if options.content_type.is_some() && !capability.write_with_content_type {
        "the blob store keeps no content types"
    } else if !options.user.is_empty() && !capability.write_with_user_metadata {
        "the blob store keeps no user metadata"
    } else if options.condition == Some(Condition::Absent) && !capability.write_with_if_not_exists {
        "the blob store can't write only where nothing is"
    } else if matches!(options.condition, Some(Condition::Etag(_))) && !capability.write_with_if_match {
        "the blob store can't compare entity tags"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(missing))
}

impl BlobWriter {
    /// Adds a piece. Memory stays bounded: once a part is full it is sent, and this waits for it.
    ///
    /// # Errors
    /// The service's; nothing is visible, and the writer is of no more use but to be dropped. Dropping the
    /// future leaves open whether the piece is in the blob: abort it then.
    pub async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(Error::invalid("the blob is finished").operation("put").with("path", &self.path));
        };
        let bytes: Bytes = bytes.into();
        let count = bytes.len() as u64;
        writer.write(bytes).await.map_err(|error| failed(error, "put", &self.path))?;
        self.size_bytes += count;
        Ok(())
    }

    /// Makes the blob visible, whole and durable: the one moment at which it comes to be.
    ///
    /// # Errors
    /// `conflict` where the condition does not hold; nothing was written. Else the service's, with an effect of
    /// `unknown` where the answer was lost: the blob is there whole or not at all. Dropping the future leaves
    /// the same open.
    pub async fn finish(mut self) -> Result<Metadata> {
        let Some(mut writer) = self.writer.take() else {
            return Err(Error::invalid("the blob is finished").operation("put").with("path", &self.path));
        };
        let done = writer.close().await;
        match done {
            Ok(metadata) => {
                // Some services answer without a size.
                let size_bytes = self.size_bytes;
                Ok(Metadata { size_bytes, ..Metadata::from(&metadata) })
            }
            Err(error) => {
                self.writer = Some(writer);
                Err(unsure(failed(error, "put", &self.path)))
            }
        }
    }

    /// Gives the blob up and waits until its parts are gone.
    ///
    /// # Errors
    /// The service's: parts may stay until it cleans them up. Nothing is visible.
    pub async fn abort(mut self) -> Result<()> {
        let Some(mut writer) = self.writer.take() else { return Ok(()) };
        writer.abort().await.map_err(|error| object::error(error).operation("abort").with("path", &self.path))
    }

    /// Bytes written so far.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        let Some(mut writer) = self.writer.take() else { return };
        // Without a runtime the service is left to its own cleaning up.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let path = std::mem::take(&mut self.path);
        runtime.spawn(async move {
            if let Err(error) = writer.abort().await {
                tracing::warn!(path, %error, "an unfinished blob could not be aborted");
            }
        });
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobWriter").field("path", &self.path).field("size_bytes", &self.size_bytes).finish()
    }
}
