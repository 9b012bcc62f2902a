//! Writing a blob: into the staging folder through OpenDAL's service, then into view in one step.

use std::{io, sync::Arc};

use opendal::{
    Buffer, Error, ErrorKind, Metadata, OperationContext, Result,
    options::WriteOptions,
    raw::{OpWrite, Service, Servicer, oio},
};

use super::{
    disk::{self, Disk, Replace, Staged},
    service::{blocking, io_error},
};

/// The writer of one blob. Dropped before it is closed, it leaves nothing behind.
pub(super) struct StagedWriter {
    inner: Servicer,
    disk: Arc<Disk>,
    ctx: OperationContext,
    path: String,
    replace: Replace,
    concurrent: usize,
    content_type: Option<String>,
    user: Vec<(String, String)>,
    state: State,
}

enum State {
    /// Nothing is on the disk.
    Fresh,
    /// Bytes go to the staged file. The writer stands first, so that it is dropped before the file.
    Open { writer: oio::Writer, staged: Staged },
    /// Closed or aborted, or `close` failed.
    Done,
}

impl StagedWriter {
    pub(super) fn new(
        inner: Servicer,
        disk: Arc<Disk>,
        ctx: OperationContext,
        path: &str,
        args: &OpWrite,
    ) -> Result<Self> {
        let user: Vec<(String, String)> = args
            .user_metadata()
            .map(|user| user.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
            .unwrap_or_default();
        let content_type = args.content_type().map(str::to_owned);
        let unsupported = |what: &str| Err(Error::new(ErrorKind::Unsupported, what));
        if !disk.keeps_metadata() && (content_type.is_some() || !user.is_empty()) {
            return unsupported("the file system keeps no metadata of blobs (no extended attributes)");
        }
        if let Some((name, _)) = user.iter().find(|(name, _)| disk::is_reserved(name)) {
            return unsupported(&format!(
                "user metadata can't be named {name}: the content type is kept there"
            ));
        }
        // OpenDAL lets these through to services that do not keep them.
        if args.content_disposition().or(args.content_encoding()).or(args.cache_control()).is_some() {
            return unsupported("blobs in a folder keep a content type and user metadata, no other headers");
        }
        Ok(Self {
            inner,
            disk,
            ctx,
            path: path.to_owned(),
            replace: if args.if_not_exists() { Replace::Absent } else { Replace::Any },
            concurrent: args.concurrent(),
            content_type,
            user,
            state: State::Fresh,
        })
    }

    /// Creates the staged file at the first byte, or at closing an empty blob.
    async fn open(&mut self) -> Result<&mut oio::Writer> {
        if matches!(self.state, State::Fresh) {
            let staged = self.disk.stage();
            let (disk, content_type, user) =
                (self.disk.clone(), self.content_type.clone(), self.user.clone());
            let staged = blocking(move || {
                disk.create(&staged, content_type.as_deref(), &user)?;
                Ok(staged)
            })
            .await?
            .map_err(io_error)?;
            let options = WriteOptions { concurrent: self.concurrent, ..WriteOptions::default() };
            let (args, _) = OpWrite::from_options(&self.inner.capability(), options)?;
            let writer = self.inner.write(&self.ctx, staged.name(), args)?;
            self.state = State::Open { writer, staged };
        }
        match &mut self.state {
            State::Open { writer, .. } => Ok(writer),
            State::Fresh | State::Done => Err(Error::new(ErrorKind::Unexpected, "the writer is closed")),
        }
    }
}

impl oio::Write for StagedWriter {
    async fn write(&mut self, bytes: Buffer) -> Result<()> {
        self.open().await?.write(bytes).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        // Syncs the file, with the metadata that was set at its creation.
        let metadata = self.open().await?.close().await?;
        let State::Open { staged, .. } = std::mem::replace(&mut self.state, State::Done) else {
            return Err(Error::new(ErrorKind::Unexpected, "the writer is closed"));
        };
        let (disk, path, replace) = (self.disk.clone(), self.path.clone(), self.replace);
        let published = blocking(move || disk.publish(staged, &path, replace)).await?;
        published.map_err(|error| match (error.kind(), self.replace) {
            (io::ErrorKind::AlreadyExists, Replace::Absent) => {
                Error::new(ErrorKind::ConditionNotMatch, "there is a blob already").set_source(error)
            }
            // Closing again can't help: the staged file is gone.
            _ => io_error(error).set_permanent(),
        })?;
        let mut metadata = metadata.into_builder();
        if let Some(content_type) = &self.content_type {
            metadata.content_type(content_type);
        }
        if !self.user.is_empty() {
            metadata.user_metadata(self.user.clone());
        }
        Ok(metadata.build())
    }

    async fn abort(&mut self) -> Result<()> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Open { writer, staged } => {
                drop(writer);
                blocking(move || drop(staged)).await
            }
            State::Fresh | State::Done => Ok(()),
        }
    }
}
