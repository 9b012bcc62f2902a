//! A blob store behind a tool, as a layer of OpenDAL.
//!
//! What passes the tool is what [`Blobs`](crate::Blobs) asks for: stat, ranges that are read, parts that are written, the
//! end of a write, deletions, listings, copies. What only OpenDAL's own handle reaches (folders, renames, compositions,
//! signed requests) goes through untouched.

use std::{fmt, sync::Arc};

use larder_backends::object;
use larder_core::{Error, ErrorKind};
use opendal::{
    Buffer, BytesRange, Capability, Metadata, OperationContext, Result,
    raw::{
        Layer, OpCompose, OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead, OpRename, OpRestore,
        OpStat, OpWrite, RpCreateDir, RpPresign, RpRead, RpRename, RpRestore, RpStat, Service, ServiceInfo,
        Servicer, oio,
    },
};

use super::{
    answer::Answer,
    call::{Call, Operation},
    passage::{Watch, through},
};

/// The layer: each call passes the tool before the service.
#[derive(Debug)]
pub(super) struct WatchedBlobs(pub(super) Arc<dyn Watch>);

impl Layer for WatchedBlobs {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(WatchedService { inner, watch: Arc::clone(&self.0) })
    }
}

/// A tool's error as a service would tell it: what changed nothing and passes may be tried again by OpenDAL's layers.
fn told(error: Error) -> opendal::Error {
    use opendal::ErrorKind as Kind;
    let kind = match error.kind() {
        ErrorKind::Unsupported => Kind::Unsupported,
        ErrorKind::Conflict => Kind::ConditionNotMatch,
        ErrorKind::Denied => Kind::PermissionDenied,
        ErrorKind::Config => Kind::ConfigInvalid,
        _ => Kind::Unexpected,
    };
    let passes = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
    let again = passes && !error.is_effect_unknown();
    let told = opendal::Error::new(kind, error.message().to_owned()).set_source(error);
    if again { told.set_temporary() } else { told.set_permanent() }
}

fn answer<T>(answer: &Result<T>, done: impl FnOnce(&T) -> String) -> Answer {
    match answer {
        Ok(answer) => Answer::Done(done(answer)),
        Err(error) if error.kind() == opendal::ErrorKind::NotFound => Answer::Done("none".to_owned()),
        // An error that is told can't be cloned; its kind and effect are what is kept.
        Err(error) => Answer::failed(&object::error(copy_of(error))),
    }
}

/// OpenDAL's error without its backtrace, for the mapping, which takes it.
fn copy_of(error: &opendal::Error) -> opendal::Error {
    let copy = opendal::Error::new(error.kind(), "");
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(larder) = inner.downcast_ref::<Error>() {
            let effect = match larder.is_effect_unknown() {
                true => larder_core::Effect::Unknown,
                false => larder_core::Effect::None,
            };
            return copy.set_source(Error::new(larder.kind(), "").effect(effect));
        }
        cause = inner.source();
    }
    copy
}

struct WatchedService {
    inner: Servicer,
    watch: Arc<dyn Watch>,
}

impl fmt::Debug for WatchedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({:?})", self.watch.name(), self.inner)
    }
}

impl WatchedService {
    fn over<T>(&self, inner: T, path: &str) -> Watched<T> {
        Watched { inner, watch: Arc::clone(&self.watch), path: path.to_owned(), is_begun: false }
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl Service for WatchedService {
    type Reader = Watched<oio::Reader>;
    type Writer = Watched<oio::Writer>;
    type Lister = Watched<oio::Lister>;
    type Deleter = Watched<oio::Deleter>;
    type Copier = WatchedCopier;
    type Composer = oio::Composer;

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        self.inner.create_dir(ctx, path, args).await
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        let call = Call::blob(Operation::Stat, path, "");
        let ask = self.inner.stat(ctx, path, args);
        let shown = |found: &RpStat| format!("{} B", found.clone().into_metadata().content_length());
        through(&*self.watch, &call, ask, told, |told| answer(told, shown)).await
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        self.inner.read(ctx, path, args).map(|reader| self.over(reader, path))
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        self.inner.write(ctx, path, args).map(|writer| self.over(writer, path))
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        self.inner.delete(ctx).map(|deleter| self.over(deleter, ""))
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        self.inner.list(ctx, path, args).map(|lister| self.over(lister, path))
    }

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        let inner = self.inner.copy(ctx, from, to, args)?;
        Ok(WatchedCopier {
            inner,
            watch: Arc::clone(&self.watch),
            call: Call::copy(from, to),
            is_begun: false,
        })
    }

    fn compose(&self, ctx: &OperationContext, to: &str, args: OpCompose) -> Result<Self::Composer> {
        self.inner.compose(ctx, to, args)
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        self.inner.rename(ctx, from, to, args).await
    }

    async fn restore(&self, ctx: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        self.inner.restore(ctx, path, args).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        self.inner.presign(ctx, path, args).await
    }
}

/// A reader, writer, lister or deleter behind a tool.
pub(super) struct Watched<T> {
    inner: T,
    watch: Arc<dyn Watch>,
    path: String,
    is_begun: bool,
}

fn range(range: BytesRange) -> String {
    let (start, size) = (range.offset(), range.size());
    match size {
        None if start == 0 => String::new(),
        None => format!("{start}.."),
        Some(size) => format!("{start}..{}", start + size),
    }
}

impl oio::Read for Watched<oio::Reader> {
    async fn open(&self, bytes: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        let call = Call::blob(Operation::Read, &self.path, &range(bytes));
        let ask = oio::Read::open(&self.inner, bytes);
        through(&*self.watch, &call, ask, told, |told| answer(told, |_| "a stream".to_owned())).await
    }

    async fn read(&self, bytes: BytesRange) -> Result<(RpRead, Buffer)> {
        let call = Call::blob(Operation::Read, &self.path, &range(bytes));
        let ask = oio::Read::read(&self.inner, bytes);
        through(&*self.watch, &call, ask, told, |told| answer(told, |(_, read)| format!("{} B", read.len())))
            .await
    }
}

impl oio::Write for Watched<oio::Writer> {
    async fn write(&mut self, part: Buffer) -> Result<()> {
        let call = Call::blob(Operation::Write, &self.path, &format!("{} B", part.len()));
        let ask = oio::Write::write(&mut self.inner, part);
        through(&*self.watch, &call, ask, told, |told| answer(told, |()| "ok".to_owned())).await
    }

    async fn copy_from(&mut self, path: &str, args: OpRead, range: BytesRange) -> Result<()> {
        oio::Write::copy_from(&mut self.inner, path, args, range).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        let call = Call::blob(Operation::Finish, &self.path, "");
        let ask = oio::Write::close(&mut self.inner);
        through(&*self.watch, &call, ask, told, |told| answer(told, |_| "ok".to_owned())).await
    }

    async fn abort(&mut self) -> Result<()> {
        let call = Call::blob(Operation::Abort, &self.path, "");
        let ask = oio::Write::abort(&mut self.inner);
        through(&*self.watch, &call, ask, told, |told| answer(told, |()| "ok".to_owned())).await
    }
}

/// A listing passes the tool once, at its first entry.
impl oio::List for Watched<oio::Lister> {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        let ask = oio::List::next(&mut self.inner);
        if std::mem::replace(&mut self.is_begun, true) {
            return ask.await;
        }
        let call = Call::blob(Operation::List, &self.path, "");
        let shown = |found: &Option<oio::Entry>| match found {
            Some(first) => format!("from {}", first.path()),
            None => "none".to_owned(),
        };
        let answered = through(&*self.watch, &call, ask, told, |told| answer(told, shown)).await;
        // What failed may be asked for again, and passes the tool again.
        self.is_begun = answered.is_ok();
        answered
    }
}

/// A service may gather deletions; one whose answer is to be lost is carried out at once, so that it has happened.
impl oio::Delete for Watched<oio::Deleter> {
    async fn delete<'a>(&'a mut self, path: &'a str, args: OpDelete) -> Result<()> {
        let call = Call::blob(Operation::Delete, path, "");
        let inner = &mut self.inner;
        let ask = async {
            oio::Delete::delete(inner, path, args).await?;
            oio::Delete::close(inner).await
        };
        through(&*self.watch, &call, ask, told, |told| answer(told, |()| "ok".to_owned())).await
    }

    async fn close(&mut self) -> Result<()> {
        oio::Delete::close(&mut self.inner).await
    }
}

/// A copy passes the tool once, before its first step.
pub(super) struct WatchedCopier {
    inner: oio::Copier,
    watch: Arc<dyn Watch>,
    call: Call,
    is_begun: bool,
}

impl oio::Copy for WatchedCopier {
    async fn next(&mut self) -> Result<Option<usize>> {
        if self.is_begun {
            return oio::Copy::next(&mut self.inner).await;
        }
        let inner = &mut self.inner;
        // The whole of it, so that it has happened where its answer is to be lost.
        let ask = async {
            while oio::Copy::next(inner).await?.is_some() {}
            Ok(None)
        };
        let shown = |_: &Option<usize>| "ok".to_owned();
        let answered = through(&*self.watch, &self.call, ask, told, |told| answer(told, shown)).await;
        self.is_begun = answered.is_ok();
        answered
    }

    async fn close(&mut self) -> Result<Metadata> {
        oio::Copy::close(&mut self.inner).await
    }

    async fn abort(&mut self) -> Result<()> {
        oio::Copy::abort(&mut self.inner).await
    }
}
