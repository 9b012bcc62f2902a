//! Stores with one defect each, over OpenDAL's memory service: the suite must notice every one of them, and by the
//! feature that is broken. A suite that lets one through is no promise.

use std::{fmt, sync::Arc};

use larder_core::{BoxFuture, Result as LarderResult};
use opendal::{
    Buffer, BytesRange, Capability, Error, ErrorKind, Metadata, MetadataBuilder, OperationContext, Operator,
    Result,
    options::WriteOptions,
    raw::{
        Layer, OpCopy, OpCreateDir, OpDelete, OpList, OpPresign, OpRead, OpRename, OpStat, OpWrite,
        RpCreateDir, RpPresign, RpRead, RpRename, RpStat, Service, ServiceInfo, Servicer, oio,
    },
    services::Memory,
};

use super::{Options, Subject, run};

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defect {
    /// Nothing: OpenDAL's memory service with what it drops refused.
    None,
    /// Metadata that is not declared is dropped, as OpenDAL's memory service does it.
    DropsMetadata,
    DropsContentType,
    IgnoresIfAbsent,
    IsVisibleEarly,
    LosesWhatIsLarge,
    IsTorn,
    ShiftsRanges,
    KeepsWhatIsDeleted,
    FailsToDeleteNothing,
    ListsBackwards,
    ListsOnePage,
    CopiesNothing,
    MixesPaths,
}

#[derive(Debug)]
struct Mutation(Defect);

impl Layer for Mutation {
    fn apply_service(&self, inner: Servicer) -> Servicer {
        Arc::new(Mutant { inner, defect: self.0 })
    }
}

struct Mutant {
    inner: Servicer,
    defect: Defect,
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutant({:?})", self.defect)
    }
}

impl Service for Mutant {
    type Reader = MutantReader;
    type Writer = MutantWriter;
    type Lister = MutantLister;
    type Deleter = MutantDeleter;
    type Copier = oio::OneShotCopier;
    type Composer = ();

    fn info(&self) -> ServiceInfo {
        self.inner.info()
    }

    fn capability(&self) -> Capability {
        Capability { copy: self.defect == Defect::CopiesNothing, ..self.inner.capability() }
    }

    async fn create_dir(&self, ctx: &OperationContext, path: &str, args: OpCreateDir) -> Result<RpCreateDir> {
        self.inner.create_dir(ctx, path, args).await
    }

    async fn stat(&self, ctx: &OperationContext, path: &str, args: OpStat) -> Result<RpStat> {
        self.inner.stat(ctx, &self.path(path), args).await
    }

    fn read(&self, ctx: &OperationContext, path: &str, args: OpRead) -> Result<Self::Reader> {
        let inner = self.inner.read(ctx, &self.path(path), args)?;
        Ok(MutantReader { inner, shift: u64::from(self.defect == Defect::ShiftsRanges) })
    }

    fn write(&self, ctx: &OperationContext, path: &str, args: OpWrite) -> Result<Self::Writer> {
        if self.defect != Defect::DropsMetadata && args.user_metadata().is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "no user metadata"));
        }
        if args.if_match().is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "no if-match"));
        }
        let drops = self.defect == Defect::DropsContentType;
        let options = WriteOptions {
            content_type: args.content_type().filter(|_| !drops).map(str::to_owned),
            if_not_exists: args.if_not_exists() && self.defect != Defect::IgnoresIfAbsent,
            ..WriteOptions::default()
        };
        let path = self.path(path);
        let (inner, ctx) = (self.inner.clone(), ctx.clone());
        Ok(MutantWriter { inner, ctx, path, options, defect: self.defect, content: Vec::new() })
    }

    fn delete(&self, ctx: &OperationContext) -> Result<Self::Deleter> {
        let (inner, ctx) = (self.inner.clone(), ctx.clone());
        Ok(MutantDeleter { inner, ctx, defect: self.defect })
    }

    fn list(&self, ctx: &OperationContext, path: &str, args: OpList) -> Result<Self::Lister> {
        Ok(MutantLister { inner: self.inner.list(ctx, path, args)?, defect: self.defect, entries: None })
    }

    fn copy(&self, ctx: &OperationContext, from: &str, to: &str, _: OpCopy) -> Result<Self::Copier> {
        if self.defect != Defect::CopiesNothing {
            return Err(Error::new(ErrorKind::Unsupported, "no copies"));
        }
        let (inner, ctx) = (self.inner.clone(), ctx.clone());
        let (from, to) = (from.to_owned(), to.to_owned());
        Ok(oio::OneShotCopier::new(async move {
            inner.stat(&ctx, &from, OpStat::new()).await?;
            let mut writer = inner.write(&ctx, &to, OpWrite::new())?;
            oio::Write::close(&mut writer).await
        }))
    }

    async fn rename(&self, ctx: &OperationContext, from: &str, to: &str, args: OpRename) -> Result<RpRename> {
        self.inner.rename(ctx, from, to, args).await
    }

    async fn presign(&self, ctx: &OperationContext, path: &str, args: OpPresign) -> Result<RpPresign> {
        self.inner.presign(ctx, path, args).await
    }
}

impl Mutant {
    fn path(&self, path: &str) -> String {
        if self.defect == Defect::MixesPaths { path.replace("a/../", "") } else { path.to_owned() }
    }
}

struct MutantReader {
    inner: oio::Reader,
    shift: u64,
}

impl MutantReader {
    fn range(&self, range: BytesRange) -> BytesRange {
        // The whole stays the whole: a defect that hides from all but ranges.
        let shift = if range.offset() == 0 { 0 } else { self.shift };
        BytesRange::new(range.offset() - shift, range.size())
    }
}

impl oio::Read for MutantReader {
    async fn open(&self, range: BytesRange) -> Result<(RpRead, Box<dyn oio::ReadStreamDyn>)> {
        oio::Read::open(&self.inner, self.range(range)).await
    }

    async fn read(&self, range: BytesRange) -> Result<(RpRead, Buffer)> {
        oio::Read::read(&self.inner, self.range(range)).await
    }
}

struct MutantWriter {
    inner: Servicer,
    ctx: OperationContext,
    path: String,
    options: WriteOptions,
    defect: Defect,
    content: Vec<u8>,
}

impl MutantWriter {
    async fn store(&self, content: &[u8]) -> Result<Metadata> {
        let (args, _) = OpWrite::from_options(&self.inner.capability(), self.options.clone())?;
        let mut writer = self.inner.write(&self.ctx, &self.path, args)?;
        oio::Write::write(&mut writer, Buffer::from(content.to_vec())).await?;
        oio::Write::close(&mut writer).await
    }
}

impl oio::Write for MutantWriter {
    async fn write(&mut self, bytes: Buffer) -> Result<()> {
        self.content.extend(bytes.to_vec());
        if self.defect == Defect::IsVisibleEarly && !self.options.if_not_exists {
            self.store(&self.content).await?;
        }
        Ok(())
    }

    async fn close(&mut self) -> Result<Metadata> {
        let length = self.content.len();
        match self.defect {
            Defect::LosesWhatIsLarge => {
                self.store(&self.content[..length.min(1 << 20)]).await?;
                Ok(MetadataBuilder::file(length as u64).build())
            }
            Defect::IsTorn if !self.options.if_not_exists => {
                self.store(&self.content[..length / 2]).await?;
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                self.store(&self.content).await
            }
            _ => self.store(&self.content).await,
        }
    }

    async fn abort(&mut self) -> Result<()> {
        Ok(())
    }
}

struct MutantDeleter {
    inner: Servicer,
    ctx: OperationContext,
    defect: Defect,
}

impl oio::Delete for MutantDeleter {
    async fn delete<'a>(&'a mut self, path: &'a str, args: OpDelete) -> Result<()> {
        match self.defect {
            Defect::KeepsWhatIsDeleted => return Ok(()),
            Defect::FailsToDeleteNothing => drop(self.inner.stat(&self.ctx, path, OpStat::new()).await?),
            _ => {}
        }
        let mut deleter = self.inner.delete(&self.ctx)?;
        oio::Delete::delete(&mut deleter, path, args).await?;
        oio::Delete::close(&mut deleter).await
    }

    async fn close(&mut self) -> Result<()> {
        Ok(())
    }
}

struct MutantLister {
    inner: oio::Lister,
    defect: Defect,
    entries: Option<std::vec::IntoIter<oio::Entry>>,
}

impl oio::List for MutantLister {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        if self.entries.is_none() {
            let mut entries = Vec::new();
            while let Some(entry) = oio::List::next(&mut self.inner).await? {
                entries.push(entry);
            }
            match self.defect {
                Defect::ListsBackwards => entries.reverse(),
                Defect::ListsOnePage => entries.truncate(1_000),
                _ => {}
            }
            self.entries = Some(entries.into_iter());
        }
        Ok(self.entries.as_mut().and_then(Iterator::next))
    }
}

struct Broken(Defect);

impl Subject for Broken {
    fn name(&self) -> String {
        format!("{:?}", self.0)
    }

    fn fresh(&self) -> BoxFuture<'_, LarderResult<Operator>> {
        let operator = Operator::new(Memory::default()).expect("no settings").layer(Mutation(self.0));
        Box::pin(async { Ok(operator) })
    }
}

async fn failed(defect: Defect) -> Vec<&'static str> {
    let report = run(&Broken(defect), &Options::default()).await;
    let mut features: Vec<_> = report.failed().map(|(case, _)| case.feature).collect();
    features.dedup();
    features
}

#[tokio::test]
async fn a_store_without_defects_holds() {
    assert_eq!(failed(Defect::None).await, Vec::<&str>::new());
}

#[tokio::test]
async fn every_defect_is_noticed_by_its_feature() {
    for (defect, feature) in [
        (Defect::DropsMetadata, "user-metadata"),
        (Defect::DropsContentType, "content-type"),
        (Defect::IgnoresIfAbsent, "if-absent"),
        (Defect::IsVisibleEarly, "atomic"),
        (Defect::LosesWhatIsLarge, "put-get"),
        (Defect::IsTorn, "atomic"),
        (Defect::ShiftsRanges, "range"),
        (Defect::KeepsWhatIsDeleted, "delete"),
        (Defect::FailsToDeleteNothing, "delete"),
        (Defect::ListsBackwards, "list-recursive"),
        (Defect::ListsOnePage, "list-recursive"),
        (Defect::CopiesNothing, "copy"),
        (Defect::MixesPaths, "paths"),
    ] {
        let features = failed(defect).await;
        assert!(features.contains(&feature), "{defect:?} was noticed by {features:?} alone");
    }
}
