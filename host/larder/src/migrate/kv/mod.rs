//! Copying a key-value store: page after page in the order of the keys, the next one read while one is written.
//! Memory is that of two pages, whatever the size of the store.

mod verify;
mod write;

use std::sync::Arc;

use larder_core::{
    Capabilities, Clock, Commit, Entry, Error, ErrorKind, Expectation, Key, KeyRange, KvStore, Page, Result,
    Scan, limits::COMMIT_ITEMS_MAX,
};
use tokio::time::Instant;

use self::write::Target;
use super::{
    Existing, Phase, Report, Task, Totals, Verify,
    checkpoint::{self, CHECKPOINT, Checkpoint},
};
use crate::config::StoreKind;

/// Entries of a page: with the checkpoint, as many writes as a commit may have.
const PAGE_ENTRIES: u32 = COMMIT_ITEMS_MAX as u32 - 1;

pub(super) async fn run(
    task: &Task<'_>,
    source: &Arc<dyn KvStore>,
    target: &Arc<dyn KvStore>,
) -> Result<Report> {
    let began = Instant::now();
    let marker = Key::new(CHECKPOINT)?;
    source.describe().require(Capabilities::SCAN).map_err(|error| {
        error.with("source", &task.source).with("needed", "entries are copied in the order of their keys")
    })?;
    if source.get(&marker).await?.is_some() {
        return Err(checkpoint::reserved().with("source", &task.source));
    }
    let (checkpoint, resumed) = begin(task, target, &marker).await?;
    if task.options.verify == Verify::Ranges {
        target.describe().require(Capabilities::SCAN).map_err(|error| {
            error.with("target", &task.target).with("needed", "`--verify` reads the target in ranges")
        })?;
    }
    if task.options.totals == Totals::Count {
        task.tally.begin(Phase::Counting, 0, 0);
        count(task, source).await?;
    }
    let mut report = task.report(StoreKind::Kv);
    report.resumed = resumed;
    if !task.is_dry() && !resumed {
        // Before the first entry: a run that dies in its first batch, where that is no single commit, goes on too.
        // Of two runs that begin at the same time one is told so, where the target can.
        let mut first = Commit::new().put(marker.clone(), checkpoint.encode()?);
        if target.describe().capabilities.contains(Capabilities::VERSIONS) {
            first = first.check(marker.clone(), Expectation::Absent);
        }
        let begun = Target::new(task, target, marker.clone()).commit(first).await;
        begun.map_err(|error| match error.kind() {
            ErrorKind::Conflict => {
                error.with("begun", "by another run, or by this one, whose answer was lost: run it again")
            }
            _ => error,
        })?;
    }
    let mut copy = Copy { task, target: Target::new(task, target, marker.clone()), checkpoint };
    task.tally.begin(Phase::Copying, copy.checkpoint.copied + copy.checkpoint.present, copy.checkpoint.bytes);
    copy.all(source, &mut report).await?;
    let lasting = copy.checkpoint.lasting();
    let done = &copy.checkpoint;
    (report.copied, report.bytes) = (done.copied, done.bytes);
    (report.expiring, report.expired, report.present) = (done.expiring, done.expired, done.present);
    if !task.is_dry() {
        if task.options.verify == Verify::Ranges {
            task.tally.begin(Phase::Verifying, 0, 0);
            report.verification = Some(verify::run(task, source, target, lasting).await?);
        }
        // Only now: a run that dies while it compares goes on there.
        copy.target.commit(Commit::new().delete(marker)).await?;
    }
    report.time = began.elapsed();
    Ok(report)
}

/// Compares two stores alone, as the end of a run does.
#[cfg(test)]
pub(super) async fn compare(
    task: &Task<'_>,
    source: &Arc<dyn KvStore>,
    target: &Arc<dyn KvStore>,
) -> Result<super::Verification> {
    verify::run(task, source, target, super::digest::Digest::default()).await
}

/// Where to go on, and whether that is not the beginning.
async fn begin(task: &Task<'_>, target: &Arc<dyn KvStore>, marker: &Key) -> Result<(Checkpoint, bool)> {
    let existing = task.options.existing;
    if let Some(found) = target.get(marker).await? {
        return Ok((Checkpoint::resume(&found.value, &task.source, existing)?, true));
    }
    let first = match target.describe().require(Capabilities::SCAN) {
        Ok(()) => target.scan(&Scan::new(KeyRange::all()).limit(1).keys_only()).await?.entries,
        Err(error) if existing == Existing::Refuse => {
            return Err(error
                .with("target", &task.target)
                .with("needed", "to see that it is empty; `--merge` and `--overwrite` need not know"));
        }
        Err(_) => Vec::new(),
    };
    if let (Existing::Refuse, Some((key, _))) = (existing, first.first()) {
        return Err(checkpoint::not_empty(key).with("target", &task.target));
    }
    Ok((Checkpoint::new(&task.source, first.is_empty()), false))
}

async fn count(task: &Task<'_>, source: &Arc<dyn KvStore>) -> Result<()> {
    let (mut entries, mut range) = (0, KeyRange::all());
    loop {
        let page = source.scan(&Scan::new(range.clone()).keys_only()).await?;
        entries += page.entries.len() as u64;
        task.tally.total(entries, None);
        match page.next {
            Some(next) => range = range.resume(&next),
            None => return Ok(()),
        }
    }
}

struct Copy<'a, 't> {
    task: &'a Task<'t>,
    target: Target<'a, 't>,
    checkpoint: Checkpoint,
}

impl Copy<'_, '_> {
    async fn all(&mut self, source: &Arc<dyn KvStore>, report: &mut Report) -> Result<()> {
        let Some(next) = &self.checkpoint.next else { return Ok(()) };
        let limit = self.task.pace.entries_at_once(PAGE_ENTRIES);
        let fetch = async |from: KeyRange| source.scan(&Scan::new(from).limit(limit)).await;
        let range = KeyRange::from_key(next);
        let mut page = fetch(range.clone()).await?;
        loop {
            let Page { entries, next } = page;
            let following = async {
                match &next {
                    Some(next) => fetch(range.resume(next)).await.map(Some),
                    None => Ok(None),
                }
            };
            let written = self.page(entries, next.as_ref(), report);
            let (written, following) = futures::join!(written, following);
            // What was written is done, whatever became of the next page.
            written?;
            match following? {
                Some(following) => page = following,
                None => return Ok(()),
            }
        }
    }

    /// Brings a page to the target, and with it the checkpoint that says so.
    async fn page(
        &mut self,
        entries: Vec<(Key, Entry)>,
        next: Option<&Key>,
        report: &mut Report,
    ) -> Result<()> {
        let bytes: u64 = entries.iter().map(|(key, entry)| size(key, entry)).sum();
        self.task.pace.take(entries.len() as u64, bytes).await;
        let mut after = self.checkpoint.clone();
        let mut lasting = after.lasting();
        let now = self.task.options.clock.now();
        let mut batch = Vec::with_capacity(entries.len());
        for (key, entry) in entries {
            if &*key == CHECKPOINT {
                return Err(checkpoint::reserved().with("source", &self.task.source));
            }
            match entry.expires_at {
                None => lasting.entry(&key, &entry),
                Some(at) if at <= now => {
                    after.expired += 1;
                    continue;
                }
                Some(_) => {}
            }
            match self.target.refusal(&key, &entry) {
                None => batch.push((key, entry)),
                Some(error) if self.task.is_dry() => report.refuse(&key, error.message().to_owned()),
                Some(error) => return Err(error.with("target", &self.task.target)),
            }
        }
        after.set_lasting(lasting);
        after.next = next.map(ToString::to_string);
        self.target.write(&batch, &mut after).await?;
        self.task.tally.add(batch.len() as u64, bytes);
        tracing::debug!(copied = after.copied, next = ?after.next, "a batch is in the target");
        self.checkpoint = after;
        Ok(())
    }
}

/// What an entry weighs, in bytes of key and value.
fn size(key: &Key, entry: &Entry) -> u64 {
    (key.len() + entry.value.len()) as u64
}

/// Whether two entries are the same but for their versions, which are each store's own.
fn is_equal(one: &Entry, other: &Entry, task: &Task<'_>) -> bool {
    one.value == other.value && expiry_fits(one, other, task)
}

fn expiry_fits(one: &Entry, other: &Entry, task: &Task<'_>) -> bool {
    match (one.expires_at, other.expires_at) {
        (None, None) => true,
        (Some(one), Some(other)) => one.since(other).max(other.since(one)) <= task.options.expiry_tolerance,
        _ => false,
    }
}

/// Whether an entry is about to expire, or has by another clock: then it may be in one store and not in the other.
fn is_ending(entry: &Entry, clock: &dyn Clock, task: &Task<'_>) -> bool {
    entry.expires_at.is_some_and(|at| at.since(clock.now()) <= task.options.expiry_tolerance)
}

/// An error about an entry that the target has otherwise.
fn differs(key: &Key) -> Error {
    Error::conflict(
        "the target has another value under this key; `--overwrite` would replace it",
        &key.escape_debug().to_string(),
    )
}
