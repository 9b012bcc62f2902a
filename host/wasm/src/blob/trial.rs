//! The self-test of a blob plugin: what the contract says of a few paths of its own.

use std::sync::Arc;

use bytes::Bytes;
use larder_core::{ErrorKind, Result};

use super::{
    convert::BlobDescription,
    request::{Abort, Begin, Copy, DeleteMany, Finish, List, Part, Put, Read, Stat},
};
use crate::{
    bindings::blob::{BlobExports, Features, WitCondition, WitPutOptions},
    instance::Access,
    job::{Caller, Job},
    swap::{Scratch, Tried, broke},
};

/// Everything that a test writes to.
const NAMES: [&str; 3] = ["a", "b", "m"];

/// Size of a blob that is no part.
const BLOB_BYTES: usize = 1_000;

const CONTENT_TYPE: &str = "application/x-larder-canary";

type Asking<'a, 'i> = &'a mut Caller<'i, BlobExports>;

struct Test<'a, 'i> {
    caller: Asking<'a, 'i>,
    scratch: &'a Scratch,
    about: &'a BlobDescription,
}

pub(super) async fn try_out(
    caller: Asking<'_, '_>,
    about: &BlobDescription,
    scratch: &Scratch,
) -> Result<Tried> {
    let mut test = Test { caller, scratch, about };
    if test.caller.call(&mut Stat(path(scratch, "a"))).await?.is_some() {
        return Err(broke("stat", "there is a blob that was never written"));
    }
    match test.put_and_read().await {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied) => {
            return Ok(Tried::ReadOnly);
        }
        done => done?,
    }
    test.conditions().await?;
    test.copy().await?;
    test.parts().await?;
    test.list().await?;
    test.delete().await?;
    Ok(Tried::Whole)
}

/// Deletes all of it.
pub(super) async fn clean_up(caller: Asking<'_, '_>, scratch: &Scratch) -> Result<()> {
    let paths = NAMES.iter().map(|name| path(scratch, name)).collect();
    match caller.call(&mut DeleteMany(paths)).await {
        Err(error) if !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied) => Err(error),
        _ => Ok(()),
    }
}

/// [`clean_up`], as a job of its own.
pub(crate) struct CleanUp(pub(super) Scratch);

impl Job<BlobExports> for CleanUp {
    type Output = ();
    const OPERATION: &'static str = "canary";
    const ACCESS: Access = Access::Writes;
    const CALLS_MAX: u32 = NAMES.len() as u32;

    fn fits(&self, _: &BlobDescription) -> Result<()> {
        Ok(())
    }

    async fn run(self, caller: &mut Caller<'_, BlobExports>) -> Result<()> {
        clean_up(caller, &self.0).await
    }
}

fn path(scratch: &Scratch, name: &str) -> Arc<str> {
    Arc::from(format!("{}{name}", scratch.prefix))
}

fn content(bytes: usize, seed: u8) -> Bytes {
    (0..bytes).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

impl Test<'_, '_> {
    fn options(&self) -> WitPutOptions {
        let content_type = self.about.has(Features::CONTENT_TYPE).then(|| CONTENT_TYPE.to_owned());
        WitPutOptions { content_type, user: Vec::new(), condition: None }
    }

    async fn put(&mut self, name: &str, data: Bytes, condition: Option<WitCondition>) -> Result<()> {
        let options = WitPutOptions { condition, ..self.options() };
        self.caller.call(&mut Put { path: path(self.scratch, name), data, options }).await.map(drop)
    }

    async fn read(&mut self, name: &str, offset: u64, length: u32) -> Result<Option<Bytes>> {
        self.caller.call(&mut Read { path: path(self.scratch, name), offset, length }).await
    }

    async fn holds(&mut self, test: &'static str, name: &str, expected: &Bytes) -> Result<()> {
        let found = self.caller.call(&mut Stat(path(self.scratch, name))).await?;
        let Some(found) = found else { return Err(broke(test, "a blob is not there after it was written")) };
        if found.content_length() != expected.len() as u64 {
            return Err(broke(test, "a blob has another size than was written"));
        }
        if self.about.has(Features::CONTENT_TYPE) && found.content_type() != Some(CONTENT_TYPE) {
            return Err(broke(test, "a blob has another content type than was written"));
        }
        let length = u32::try_from(expected.len()).unwrap_or(u32::MAX);
        if self.read(name, 0, length).await?.as_ref() != Some(expected) {
            return Err(broke(test, "a blob has another content than was written"));
        }
        Ok(())
    }

    async fn put_and_read(&mut self) -> Result<()> {
        let size = BLOB_BYTES.min(self.about.part_bytes_max);
        for seed in [1, 2] {
            self.put("a", content(size, seed), None).await?;
            self.holds("put", "a", &content(size, seed)).await?;
        }
        if self.about.has(Features::READ_RANGE) {
            let middle = self.read("a", 1, 3).await?;
            if middle != Some(content(size, 2).slice(1.min(size)..4.min(size))) {
                return Err(broke("read", "a range has another content than was written"));
            }
            if self.read("a", size as u64, 1).await?.is_none_or(|past| !past.is_empty()) {
                return Err(broke("read", "there is something past the end of a blob"));
            }
        }
        match self.read("b", 0, 1).await? {
            None => Ok(()),
            Some(_) => Err(broke("read", "a blob that was never written has content")),
        }
    }

    async fn conditions(&mut self) -> Result<()> {
        if !self.about.has(Features::IF_ABSENT) {
            return Ok(());
        }
        match self.put("a", content(1, 3), Some(WitCondition::Absent)).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(error),
            Ok(()) => Err(broke("if-absent", "a blob that is there was replaced")),
        }
    }

    async fn copy(&mut self) -> Result<()> {
        if !self.about.has(Features::COPY) {
            return Ok(());
        }
        let mut copy = Copy(path(self.scratch, "a"), path(self.scratch, "b"));
        self.caller.call(&mut copy).await?;
        let size = BLOB_BYTES.min(self.about.part_bytes_max);
        self.holds("copy", "b", &content(size, 2)).await
    }

    /// Two parts: one of the smallest size that is not the last, and a last one.
    async fn parts(&mut self) -> Result<()> {
        if !self.about.has(Features::MULTIPART) {
            return Ok(());
        }
        let first = self.about.part_bytes_min.max(BLOB_BYTES).min(self.about.part_bytes_max);
        let whole = content(first + BLOB_BYTES.min(self.about.part_bytes_max), 5);
        let options = self.options();
        let upload = self.caller.call(&mut Begin { path: path(self.scratch, "m"), options }).await?;
        match self.upload(&upload, first, &whole).await {
            Ok(()) => self.holds_in_parts(first, &whole).await,
            Err(error) => {
                if let Err(left) = self.caller.call(&mut Abort(upload)).await {
                    return Err(error.with("and then", left));
                }
                Err(error)
            }
        }
    }

    async fn upload(&mut self, upload: &Arc<str>, first: usize, whole: &Bytes) -> Result<()> {
        let mut parts = Vec::new();
        for (number, data) in [(0, whole.slice(..first)), (1, whole.slice(first..))] {
            let mut part = Part { upload: upload.clone(), number, data };
            parts.push(self.caller.call(&mut part).await?);
        }
        if self.caller.call(&mut Stat(path(self.scratch, "m"))).await?.is_some() {
            return Err(broke("multipart", "a blob is there before it is finished"));
        }
        let mut finish = Finish { upload: upload.clone(), parts, size_bytes: whole.len() as u64 };
        self.caller.call(&mut finish).await.map(drop)
    }

    async fn holds_in_parts(&mut self, first: usize, whole: &Bytes) -> Result<()> {
        if !self.about.has(Features::READ_RANGE) {
            return Ok(());
        }
        // Around the seam, which is where parts go wrong.
        let around = first.saturating_sub(10);
        let seam = self.read("m", around as u64, 20).await?;
        if seam != Some(whole.slice(around..(around + 20).min(whole.len()))) {
            return Err(broke("multipart", "a blob of parts has another content than was written"));
        }
        Ok(())
    }

    async fn list(&mut self) -> Result<()> {
        if !self.about.has(Features::LIST_RECURSIVE) {
            return Ok(());
        }
        let mut expected = vec!["a"];
        if self.about.has(Features::COPY) {
            expected.push("b");
        }
        if self.about.has(Features::MULTIPART) {
            expected.push("m");
        }
        let prefix: Arc<str> = Arc::from(self.scratch.prefix.as_str());
        let (mut cursor, mut last, mut seen) = (None, None, Vec::new());
        for _ in 0..=NAMES.len() {
            let mut list = List { prefix: prefix.clone(), cursor, last: last.take() };
            let (entries, next) = self.caller.call(&mut list).await?;
            seen.extend(entries.iter().map(|entry| entry.path().to_owned()));
            last = seen.last().cloned();
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let expected = expected.into_iter().map(|name| path(self.scratch, name));
        if seen.iter().map(String::as_str).eq(expected.collect::<Vec<_>>().iter().map(|path| &**path)) {
            return Ok(());
        }
        Err(broke("list", "a listing does not find what was written, in order"))
    }

    async fn delete(&mut self) -> Result<()> {
        for _ in 0..2 {
            // The second time there is nothing left, which is no error.
            let mut delete = DeleteMany(NAMES.iter().map(|name| path(self.scratch, name)).collect());
            for answer in self.caller.call(&mut delete).await? {
                answer?;
            }
        }
        match self.caller.call(&mut Stat(path(self.scratch, "a"))).await? {
            None => Ok(()),
            Some(_) => Err(broke("delete", "a blob is there after its delete")),
        }
    }
}
