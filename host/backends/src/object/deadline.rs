//! Bounds the time of each attempt, under the retries: OpenDAL's timeout layer with an error that says what it is.
//!
//! OpenDAL's own tells a timeout as an unexpected error whose text alone says so, and larder takes kinds from
//! codes. What is bounded is the same: each call of an operation, and each step of a reader, writer or lister.

use std::{fmt, future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

use larder_core::Effect;
use opendal::{
    Buffer, BytesRange, Capability, Error, ErrorKind, Execute, Executor, Metadata, OperationContext, Result,
    raw::{
        BoxedStaticFuture, Layer, OpCompose, OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead,
        OpRename, OpRestore, OpStat, OpWrite, RpCreateDir, RpPresign, RpRead, RpRename, RpRestore, RpStat,
        Service, ServiceInfo, Servicer, oio,
    },
};

/// The layer: every attempt ends within this time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline(pub(super) Duration);

impl Deadline {
    async fn within<T>(self, effect: Effect, attempt: impl Future<Output = Result<T>>) -> Result<T> {
        let mut attempt = pin!(attempt);
        // Most pieces of a read are there already; those need no timer.
        if let Poll::Ready(answer) = futures::poll!(&mut attempt) {
            return answer;
        }
        tokio::time::timeout(self.0, attempt).await.unwrap_or_else(|_| {
            let told = larder_core::Error::new(
                larder_core::ErrorKind::Timeout,
                format!("no answer of the blob store within {:?}", self.0),
            )
            .effect(effect);
            Err(Error::new(ErrorKind::Unexpected, "timeout").set_temporary().set_source(told))
        })
    }

    fn over<T>(self, inner: T) -> Bounded<T> {
        Bounded { inner, deadline: self }
    }
}

impl Layer for Deadline {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(DeadlineService { inner, deadline: *self })
    }

    fn apply_context(&self, _: Servicer, inner: OperationContext) -> OperationContext {
        // Parts that are on their way at once run on the executor and take their time limit from it.
        let executor = BoundedExecutor { inner: inner.executor().clone().into_inner(), part_max: self.0 };
        inner.with_executor(Executor::with(executor))
    }
}

struct BoundedExecutor {
    inner: Arc<dyn Execute>,
    part_max: Duration,
}

impl Execute for BoundedExecutor {
    fn execute(&self, task: BoxedStaticFuture<()>) {
        self.inner.execute(task);
    }

    fn timeout(&self) -> Option<BoxedStaticFuture<()>> {
        Some(Box::pin(tokio::time::sleep(self.part_max)))
    }
}

struct DeadlineService {
    inner: Servicer,
    deadline: Deadline,
}

impl fmt::Debug for DeadlineService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl Service for DeadlineService {
    type Reader = Bounded<oio::Reader>;
    type Writer = Bounded<oio::Writer>;
    type Lister = Bounded<oio::Lister>;
    type Deleter = Bounded<oio::Deleter>;
    type Copier = Bounded<oio::Copier>;
    type Composer = Bounded<oio::Composer>;

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        self.inner.capability()
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        self.deadline.within(Effect::Unknown, self.inner.create_dir(ctx, path, args)).await
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        self.deadline.within(Effect::None, self.inner.stat(ctx, path, args)).await
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        self.inner.read(ctx, path, args).map(|reader| self.deadline.over(reader))
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        self.inner.write(ctx, path, args).map(|writer| self.deadline.over(writer))
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        self.inner.delete(ctx).map(|deleter| self.deadline.over(deleter))
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        self.inner.list(ctx, path, args).map(|lister| self.deadline.over(lister))
    }

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        self.inner.copy(ctx, from, to, args).map(|copier| self.deadline.over(copier))
    }

    fn compose(&self, ctx: &OperationContext, to: &str, args: OpCompose) -> Result<Self::Composer> {
        self.inner.compose(ctx, to, args).map(|composer| self.deadline.over(composer))
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        self.deadline.within(Effect::Unknown, self.inner.rename(ctx, from, to, args)).await
    }

    async fn restore(&self, ctx: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        self.deadline.within(Effect::Unknown, self.inner.restore(ctx, path, args)).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        self.deadline.within(Effect::None, self.inner.presign(ctx, path, args)).await
    }
}

/// A body whose steps end.
struct Bounded<T> {
    inner: T,
    deadline: Deadline,
}

impl oio::ReadStream for Bounded<Box<dyn oio::ReadStreamDyn>> {
    async fn read(&mut self) -> Result<Buffer> {
        self.deadline.within(Effect::None, oio::ReadStream::read(&mut self.inner)).await
    }
}

impl oio::Read for Bounded<oio::Reader> {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        let opened = self.deadline.within(Effect::None, oio::Read::open(&self.inner, range)).await;
        let (reply, stream) = opened?;
        Ok((reply, Box::new(self.deadline.over(stream))))
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        self.deadline.within(Effect::None, oio::Read::read(&self.inner, range)).await
    }
}

impl oio::Write for Bounded<oio::Writer> {
    async fn write(&mut self, piece: Buffer) -> Result<()> {
        self.deadline.within(Effect::None, oio::Write::write(&mut self.inner, piece)).await
    }

    async fn copy_from(&mut self, path: &str, args: OpRead, range: BytesRange) -> Result<()> {
        self.deadline.within(Effect::None, oio::Write::copy_from(&mut self.inner, path, args, range)).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        self.deadline.within(Effect::Unknown, oio::Write::close(&mut self.inner)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.deadline.within(Effect::None, oio::Write::abort(&mut self.inner)).await
    }
}

impl oio::List for Bounded<oio::Lister> {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        self.deadline.within(Effect::None, oio::List::next(&mut self.inner)).await
    }
}

impl oio::Delete for Bounded<oio::Deleter> {
    async fn delete<'a>(&'a mut self, path: &'a str, args: OpDelete) -> Result<()> {
        self.deadline.within(Effect::Unknown, oio::Delete::delete(&mut self.inner, path, args)).await
    }

    async fn close(&mut self) -> Result<()> {
        self.deadline.within(Effect::Unknown, oio::Delete::close(&mut self.inner)).await
    }
}

impl oio::Copy for Bounded<oio::Copier> {
    async fn next(&mut self) -> Result<Option<usize>> {
        self.deadline.within(Effect::Unknown, oio::Copy::next(&mut self.inner)).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        self.deadline.within(Effect::Unknown, oio::Copy::close(&mut self.inner)).await
    }

    async fn abort(&mut self) -> Result<()> {
        self.deadline.within(Effect::None, oio::Copy::abort(&mut self.inner)).await
    }
}

impl oio::Compose for Bounded<oio::Composer> {
    async fn compose(&mut self, path: &str, args: OpRead) -> Result<()> {
        self.deadline.within(Effect::None, oio::Compose::compose(&mut self.inner, path, args)).await
    }

    async fn close(&mut self) -> Result<Metadata> {
        self.deadline.within(Effect::Unknown, oio::Compose::close(&mut self.inner)).await
    }
}
