//! The switch of a blob store: a service of OpenDAL that hands each operation to the operator of the moment.
//!
//! A reader, writer, lister or deleter stays with the operator that began it, for as long as it is used.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use opendal::{
    Capability, OperationContext, Operator, Result,
    raw::{
        OpCompose, OpCopy, OpCreateDir, OpList, OpPresign, OpRead, OpRename, OpRestore, OpStat, OpWrite,
        RpCreateDir, RpPresign, RpRename, RpRestore, RpStat, Service, ServiceInfo, Servicer, oio,
    },
};

/// Hands each operation to the operator of the moment. Cheap to clone; the clones are one switch.
#[derive(Clone)]
pub(in crate::testing) struct BlobSwitch {
    current: Arc<RwLock<Operator>>,
}

impl BlobSwitch {
    pub(in crate::testing) fn new(operator: Operator) -> Self {
        Self { current: Arc::new(RwLock::new(operator)) }
    }

    pub(in crate::testing) fn operator(&self) -> Operator {
        Operator::from_parts(OperationContext::default(), Arc::new(self.clone()))
    }

    pub(in crate::testing) fn current(&self) -> Operator {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts an operator made of the one that is there in its place, and answers what was there.
    pub(in crate::testing) fn swap(&self, make: impl FnOnce(Operator) -> Operator) -> Operator {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let next = make(current.clone());
        std::mem::replace(&mut *current, next)
    }

    /// The service of the moment with its operator's client, on the executor that the host's guards bound.
    fn parts(&self, outer: &OperationContext) -> (Servicer, OperationContext) {
        let current = self.current();
        (current.service().clone(), current.context().clone().with_executor(outer.executor().clone()))
    }
}

#[deny(clippy::missing_trait_methods, reason = "a layer forgets no operation")]
impl Service for BlobSwitch {
    type Reader = oio::Reader;
    type Writer = oio::Writer;
    type Lister = oio::Lister;
    type Deleter = oio::Deleter;
    type Copier = oio::Copier;
    type Composer = oio::Composer;

    fn info(&self) -> ServiceInfo {
        self.current().service().info()
    }

    fn capability(&self) -> Capability {
        self.current().service().capability()
    }

    async fn create_dir(
        &self,
        outer: &OperationContext,
        path: &str,
        args: OpCreateDir,
    ) -> Result<RpCreateDir> {
        let (service, ctx) = self.parts(outer);
        service.create_dir(&ctx, path, args).await
    }

    async fn stat(&self, outer: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        let (service, ctx) = self.parts(outer);
        service.stat(&ctx, path, args).await
    }

    fn read(&self, outer: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        let (service, ctx) = self.parts(outer);
        service.read(&ctx, path, args)
    }

    fn write(&self, outer: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        let (service, ctx) = self.parts(outer);
        service.write(&ctx, path, args)
    }

    fn delete(&self, outer: &OperationContext) -> Result<Self::Deleter> {
        let (service, ctx) = self.parts(outer);
        service.delete(&ctx)
    }

    fn list(&self, outer: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        let (service, ctx) = self.parts(outer);
        service.list(&ctx, path, args)
    }

    fn copy(&self, outer: &OperationContext, from: &str, to: &str, args: OpCopy) -> Result<Self::Copier> {
        let (service, ctx) = self.parts(outer);
        service.copy(&ctx, from, to, args)
    }

    fn compose(&self, outer: &OperationContext, to: &str, args: OpCompose) -> Result<Self::Composer> {
        let (service, ctx) = self.parts(outer);
        service.compose(&ctx, to, args)
    }

    async fn rename(
        &self,
        outer: &OperationContext,
        from: &str,
        to: &str,
        args: OpRename,
    ) -> Result<RpRename> {
        let (service, ctx) = self.parts(outer);
        service.rename(&ctx, from, to, args).await
    }

    async fn restore(&self, outer: &OperationContext, path: &str, args: OpRestore) -> Result<RpRestore> {
        let (service, ctx) = self.parts(outer);
        service.restore(&ctx, path, args).await
    }

    async fn presign(&self, outer: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        let (service, ctx) = self.parts(outer);
        service.presign(&ctx, path, args).await
    }
}

impl fmt::Debug for BlobSwitch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobSwitch({:?})", self.current())
    }
}
