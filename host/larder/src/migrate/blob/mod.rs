//! Copying blobs: listed as a stream, a few at a time, each as a stream of pieces. Memory is bounded by the parts in
//! flight, whatever the number and the sizes.
//!
//! A put is atomic, so a blob that is there is whole. That is how a run goes on after a kill: what is in the target is
//! skipped, judged by size and metadata where the target was empty at first (the checkpoint says so: then nobody else
//! put it there), else by its bytes. Listings need no order.

mod verify;

use futures::{StreamExt, TryStreamExt};
use larder_core::{Error, ErrorKind, Result, limits::BLOB_PATH_BYTES_MAX};
use opendal::Capability;
use tokio::time::Instant;

use super::{
    Existing, Phase, Report, Task, Totals, Verify,
    checkpoint::{self, CHECKPOINT, Checkpoint},
    digest::Digest,
};
use crate::{
    blobs::{Blobs, Depth, Listed, Metadata, WriteOptions},
    config::StoreKind,
};

/// Most blobs on their way at once: hides the waits of a distant store, and keeps memory to as many parts.
const BLOBS_AT_ONCE: usize = 4;
/// The usual part in bytes, where the target does not ask for larger ones.
const PART_BYTES: u64 = 1 << 20;
/// Largest part in bytes: what the handle lets through.
const PART_BYTES_MAX: u64 = 64 << 20;
/// Most parts of a blob: the limit of S3 and of those who do as it does.
const PARTS_MAX: u64 = 10_000;
/// How often a blob is begun again that is replaced while it is read.
const TRIES: u32 = 4;

/// What services call a blob that was stored without a content type.
const UNTYPED: [&str; 2] = ["application/octet-stream", "binary/octet-stream"];

pub(super) async fn run(task: &Task<'_>, source: &Blobs, target: &Blobs) -> Result<Report> {
    let began = Instant::now();
    if source.exists(CHECKPOINT).await? {
        return Err(checkpoint::reserved().with("source", &task.source));
    }
    let (checkpoint, resumed) = begin(task, target).await?;
    if task.options.totals == Totals::Count {
        task.tally.begin(Phase::Counting, 0, 0);
        count(task, source).await?;
    }
    let mut report = task.report(StoreKind::Blob);
    report.resumed = resumed;
    if !task.is_dry() && !resumed {
        target.put(CHECKPOINT, checkpoint.encode()?).await?;
    }
    task.tally.begin(Phase::Copying, 0, 0);
    let copy = Copy { task, source, target, can: target.operator().info().capability(), checkpoint, resumed };
    let seen = copy.all(&mut report).await?;
    if !task.is_dry() {
        if task.options.verify == Verify::Ranges {
            task.tally.begin(Phase::Verifying, 0, 0);
            report.verification = Some(verify::run(task, source, target, seen).await?);
        }
        target.delete(CHECKPOINT).await?;
    }
    report.time = began.elapsed();
    Ok(report)
}

/// What the target knows of this migration, and whether it has begun before.
async fn begin(task: &Task<'_>, target: &Blobs) -> Result<(Checkpoint, bool)> {
    let existing = task.options.existing;
    if let Some(found) = target.get(CHECKPOINT).await? {
        return Ok((Checkpoint::resume(&found, &task.source, existing)?, true));
    }
    let first = target.list("", Depth::All).await?.try_next().await?;
    match (existing, &first) {
        (Existing::Refuse, Some(first)) => {
            Err(checkpoint::not_empty(&first.path).with("target", &task.target))
        }
        _ => Ok((Checkpoint::new(&task.source, first.is_none()), false)),
    }
}

async fn count(task: &Task<'_>, source: &Blobs) -> Result<()> {
    let (mut blobs, mut bytes) = (0, 0);
    let mut listed = source.list("", Depth::All).await?;
    while let Some(item) = listed.try_next().await? {
        blobs += 1;
        bytes += item.metadata.map_or(0, |metadata| metadata.size_bytes);
        task.tally.total(blobs, Some(bytes));
    }
    Ok(())
}

struct Copy<'a, 't> {
    task: &'a Task<'t>,
    source: &'a Blobs,
    target: &'a Blobs,
    can: Capability,
    checkpoint: Checkpoint,
    resumed: bool,
}

/// What became of a blob.
enum Outcome {
    Copied(Metadata),
    Present(Metadata),
    Refused(Error),
    /// It was deleted after it had been listed.
    Gone,
}

impl Copy<'_, '_> {
    /// Copies all, and answers what it saw of the source.
    async fn all(&self, report: &mut Report) -> Result<Digest> {
        let listed = self.source.list("", Depth::All).await?;
        let mut outcomes = listed
            .map(|item| async {
                let Listed { path, .. } = item?;
                let outcome = self.one(&path).await?;
                Ok::<_, Error>((path, outcome))
            })
            .buffer_unordered(BLOBS_AT_ONCE);
        let mut seen = Digest::default();
        while let Some((path, outcome)) = outcomes.try_next().await? {
            match outcome {
                Outcome::Copied(metadata) => {
                    report.copied += 1;
                    report.bytes += metadata.size_bytes;
                    sight(&mut seen, &path, &metadata);
                }
                Outcome::Present(metadata) => {
                    report.present += 1;
                    sight(&mut seen, &path, &metadata);
                }
                Outcome::Refused(error) => report.refuse(&path, error.message().to_owned()),
                Outcome::Gone => {}
            }
        }
        Ok(seen)
    }

    async fn one(&self, path: &str) -> Result<Outcome> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.attempt(path).await {
                // Replaced while it was read: nothing of it is visible, begin anew.
                Err(error) if error.context("changed").is_some() && tries < TRIES => {}
                done => return done,
            }
        }
    }

    async fn attempt(&self, path: &str) -> Result<Outcome> {
        let Some(ours) = self.source.stat(path).await? else { return Ok(Outcome::Gone) };
        if let Some(error) = self.refusal(path, &ours) {
            return if self.task.is_dry() { Ok(Outcome::Refused(error)) } else { Err(error) };
        }
        if self.is_present(path, &ours).await? {
            self.task.tally.add(1, ours.size_bytes);
            return Ok(Outcome::Present(ours));
        }
        self.task.pace.take(1, 0).await;
        if self.task.is_dry() {
            self.task.tally.add(1, ours.size_bytes);
            return Ok(Outcome::Copied(ours));
        }
        let Some(mut reader) = self.source.read(path, ..).await? else { return Ok(Outcome::Gone) };
        let mut writer = self.target.writer(path, self.options(&ours)).await?;
        let mut size = 0;
        let copied = async {
            while let Some(piece) = reader.try_next().await.map_err(changed)? {
                let bytes = piece.len() as u64;
                self.task.pace.take(0, bytes).await;
                writer.write(piece).await?;
                size += bytes;
                self.task.tally.add(0, bytes);
            }
            if size != ours.size_bytes {
                let message = format!("the blob had {} bytes and then {size}", ours.size_bytes);
                return Err(Error::new(ErrorKind::Conflict, message)
                    .with("path", path.escape_debug())
                    .with("changed", "while it was read"));
            }
            Ok(())
        };
        if let Err(error) = copied.await {
            self.task.tally.undo(size);
            if let Err(left) = writer.abort().await {
                tracing::warn!("an unfinished blob could not be aborted: {}", left.chain());
            }
            return Err(error);
        }
        writer.finish().await?;
        self.task.tally.add(1, 0);
        tracing::debug!(path, "a blob is in the target");
        Ok(Outcome::Copied(ours))
    }

    /// Whether the target has the blob as it should be.
    ///
    /// # Errors
    /// `conflict` in a merge where it has another.
    async fn is_present(&self, path: &str, ours: &Metadata) -> Result<bool> {
        let existing = self.task.options.existing;
        let begun_by_us = self.resumed && self.checkpoint.began_empty;
        let look = self.resumed || existing == Existing::Merge;
        let Some(theirs) = (if look { self.target.stat(path).await? } else { None }) else {
            return Ok(false);
        };
        let alike = difference(ours, &theirs).is_none();
        let equal = alike && (begun_by_us || verify::differing_range(self, path, ours).await?.is_none());
        match (equal, existing) {
            (true, _) => Ok(true),
            (false, Existing::Merge) if !begun_by_us => {
                let message = "the target has another blob at this path; `--overwrite` would replace it";
                Err(Error::conflict(message, &path.escape_debug().to_string()))
            }
            (false, _) => Ok(false),
        }
    }

    /// Why the target can't keep this blob, if it can't.
    fn refusal(&self, path: &str, ours: &Metadata) -> Option<Error> {
        let typed = ours.content_type.as_deref().is_some_and(|t| !UNTYPED.contains(&t));
        let message = if path == CHECKPOINT {
            return Some(checkpoint::reserved());
        } else if typed && !self.can.write_with_content_type {
            "the blob has a content type, and the target keeps none"
        } else if !ours.user.is_empty() && !self.can.write_with_user_metadata {
            "the blob has user metadata, and the target keeps none"
        } else if path.len() > BLOB_PATH_BYTES_MAX {
            "the path is longer than the target takes"
        } else if self.can.write_total_max_size.is_some_and(|max| ours.size_bytes > max as u64) {
            "the blob is larger than the target takes"
        } else {
            return None;
        };
        Some(Error::unsupported(message).with("path", path.escape_debug()).with("target", &self.task.target))
    }

    fn options(&self, ours: &Metadata) -> WriteOptions {
        let least = self.can.write_multi_min_size.map_or(0, |min| min as u64);
        let part = ours.size_bytes.div_ceil(PARTS_MAX).max(least).clamp(PART_BYTES, PART_BYTES_MAX);
        let mut options = WriteOptions::new().part_bytes(usize::try_from(part).unwrap_or(usize::MAX));
        if let Some(content_type) = ours.content_type.as_ref().filter(|_| self.can.write_with_content_type) {
            options = options.content_type(content_type);
        }
        for (name, value) in &ours.user {
            options = options.user(name, value);
        }
        let merges = self.task.options.existing == Existing::Merge && !self.checkpoint.began_empty;
        if merges && self.can.write_with_if_not_exists { options.if_absent() } else { options }
    }
}

/// What differs between the metadata of two blobs, if anything. Etag and time are each store's own.
fn difference(ours: &Metadata, theirs: &Metadata) -> Option<String> {
    let kind = |metadata: &Metadata| {
        metadata.content_type.clone().filter(|content_type| !UNTYPED.contains(&content_type.as_str()))
    };
    if ours.size_bytes != theirs.size_bytes {
        Some(format!("{} bytes, in the target {}", ours.size_bytes, theirs.size_bytes))
    } else if kind(ours) != kind(theirs) {
        Some(format!("content type {:?}, in the target {:?}", ours.content_type, theirs.content_type))
    } else if ours.user != theirs.user {
        let names: Vec<&String> = ours
            .user
            .iter()
            .filter(|(name, value)| theirs.user.get(*name) != Some(value))
            .map(|(name, _)| name)
            .chain(theirs.user.keys().filter(|name| !ours.user.contains_key(*name)))
            .collect();
        Some(format!("user metadata {names:?}"))
    } else {
        None
    }
}

/// Adds what tells one state of a blob from the next.
fn sight(seen: &mut Digest, path: &str, metadata: &Metadata) {
    let etag = metadata.etag.as_deref().unwrap_or_default();
    let modified = metadata.modified.map_or(0, |at| at.0).to_le_bytes();
    seen.member(&[path.as_bytes(), &metadata.size_bytes.to_le_bytes(), etag.as_bytes(), &modified]);
}

/// Marks an error of reading that says that the blob was replaced meanwhile.
fn changed(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Conflict => error.with("changed", "while it was read"),
        _ => error,
    }
}
