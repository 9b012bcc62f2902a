//! Writing a batch to the target, and the checkpoint with it.
//!
//! Where the target has transactions, both are one commit. Where it has none, or refuses this commit as `unsupported`
//! (keys of several slots of a cluster), the entries are committed one by one and the checkpoint after all of them.
//! Either way a batch can be written again, and is: after an error that leaves open whether it happened.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use larder_core::{
    Capabilities, Change, Commit, Description, Entry, Error, ErrorKind, Expectation, Key, KvStore, Outcome,
    Result,
    limits::{COMMIT_BYTES_MAX, GET_MANY_MAX},
};

use super::{differs, is_equal, size};
use crate::migrate::{Existing, Task, checkpoint::Checkpoint};

/// How often a batch is written again where the target is away or its answer was lost, beyond what the store's own
/// retries do: with the waits, for about a minute.
const REPETITIONS: u32 = 6;
/// The first wait; doubled before each further repetition.
const WAIT: Duration = Duration::from_secs(1);
/// Most single commits on their way at once, where a batch can't be one commit.
const SINGLES_AT_ONCE: usize = 64;
/// Room for the checkpoint in a commit of entries, in bytes: two keys with every character escaped, and numbers.
const CHECKPOINT_BYTES: u64 = 32 << 10;

pub(super) struct Target<'a, 't> {
    task: &'a Task<'t>,
    store: &'a Arc<dyn KvStore>,
    marker: Key,
    description: Description,
    /// Whether batches are commits; turned off for good by a target that refuses one.
    batches: bool,
}

impl<'a, 't> Target<'a, 't> {
    pub(super) fn new(task: &'a Task<'t>, store: &'a Arc<dyn KvStore>, marker: Key) -> Self {
        let description = store.describe();
        let batches = description.capabilities.contains(Capabilities::TRANSACTIONS);
        Self { task, store, marker, description, batches }
    }

    /// Why the target can't keep this entry, if it can't.
    pub(super) fn refusal(&self, key: &Key, entry: &Entry) -> Option<Error> {
        let missing =
            entry.expires_at.is_some() && !self.description.capabilities.contains(Capabilities::TTL);
        let error = if missing {
            Error::unsupported("the entry expires, and the target keeps no times to live (ttl)")
        } else if key.len() > self.description.key_bytes_max {
            let (len, max) = (key.len(), self.description.key_bytes_max);
            Error::unsupported(format!("the key has {len} bytes, and the target takes up to {max}"))
        } else if entry.value.len() > self.description.value_bytes_max {
            let (len, max) = (entry.value.len(), self.description.value_bytes_max);
            let remedy = "raise its `value_max`";
            Error::unsupported(format!(
                "the value has {len} bytes, and the target takes up to {max}; {remedy}"
            ))
        } else {
            return None;
        };
        Some(error.with("key", key.escape_debug()))
    }

    /// Writes a batch and the checkpoint after it, which learns what the batch came to.
    pub(super) async fn write(&mut self, batch: &[(Key, Entry)], after: &mut Checkpoint) -> Result<()> {
        let mut tries = 0;
        loop {
            let mut done = after.clone();
            let error = match self.write_once(batch, &mut done).await {
                Ok(()) => {
                    *after = done;
                    return Ok(());
                }
                Err(error) => error,
            };
            // In a merge, `absent` no longer holds for what a commit with a lost answer wrote: look again.
            let again = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
                || (error.kind() == ErrorKind::Conflict && error.context("difference").is_none());
            if !again || tries == REPETITIONS {
                return Err(error);
            }
            tracing::warn!("a batch is written again: {}", error.chain());
            tokio::time::sleep(WAIT.saturating_mul(1 << tries)).await;
            tries += 1;
        }
    }

    async fn write_once(&mut self, batch: &[(Key, Entry)], after: &mut Checkpoint) -> Result<()> {
        let missing = match self.task.options.existing {
            Existing::Merge => self.missing(batch).await?,
            Existing::Refuse | Existing::Overwrite => batch.iter().collect(),
        };
        let bytes: u64 = missing.iter().map(|(key, entry)| size(key, entry)).sum();
        after.present += (batch.len() - missing.len()) as u64;
        after.copied += missing.len() as u64;
        after.expiring += missing.iter().filter(|(_, entry)| entry.expires_at.is_some()).count() as u64;
        after.bytes += bytes;
        if self.task.is_dry() {
            return Ok(());
        }
        let checkpoint = after.encode()?;
        if self.batches && bytes + CHECKPOINT_BYTES <= COMMIT_BYTES_MAX as u64 {
            let commit = missing.iter().fold(Commit::new(), |commit, entry| self.put(commit, entry));
            match self.once(&commit.put(self.marker.clone(), checkpoint.clone())).await {
                // Nothing was written: so it says, by the contract.
                Err(error) if error.kind() == ErrorKind::Unsupported => self.batches = false,
                done => return done.map(drop),
            }
        }
        let this = &*self;
        let singles = stream::iter(missing).map(|entry| {
            let commit = this.put(Commit::new(), entry);
            async move { this.once(&commit).await.map_err(|error| error.with("key", entry.0.escape_debug())) }
        });
        singles.buffer_unordered(SINGLES_AT_ONCE).try_for_each(|_| async { Ok(()) }).await?;
        self.once(&Commit::new().put(self.marker.clone(), checkpoint)).await.map(drop)
    }

    /// Adds an entry to a commit, with what is left of its life.
    fn put(&self, commit: Commit, (key, entry): &(Key, Entry)) -> Commit {
        let now = self.task.options.clock.now();
        let left = |at: larder_core::Timestamp| at.since(now).max(Duration::from_millis(1));
        let change = Change::Put { value: entry.value.clone(), ttl: entry.expires_at.map(left) };
        let merges = self.task.options.existing == Existing::Merge;
        let commit = match merges && self.description.capabilities.contains(Capabilities::VERSIONS) {
            true => commit.check(key.clone(), Expectation::Absent),
            false => commit,
        };
        commit.write(key.clone(), change)
    }

    /// Those of a batch that the target does not have.
    ///
    /// # Errors
    /// `conflict` where it has one of the keys with something else.
    async fn missing<'b>(&self, batch: &'b [(Key, Entry)]) -> Result<Vec<&'b (Key, Entry)>> {
        let mut missing = Vec::new();
        for part in batch.chunks(GET_MANY_MAX) {
            let keys: Vec<Key> = part.iter().map(|(key, _)| key.clone()).collect();
            for (entry, found) in part.iter().zip(self.store.get_many(&keys).await?) {
                match found {
                    None => missing.push(entry),
                    Some(found) if is_equal(&found, &entry.1, self.task) => {}
                    Some(_) => return Err(differs(&entry.0).with("difference", "value or expiry")),
                }
            }
        }
        Ok(missing)
    }

    /// Commits; again where it may help, which only a commit that can be repeated may ask for.
    pub(super) async fn commit(&self, commit: Commit) -> Result<()> {
        let mut tries = 0;
        loop {
            match self.once(&commit).await {
                Ok(_) => return Ok(()),
                Err(error)
                    if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
                        && tries < REPETITIONS => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(WAIT.saturating_mul(1 << tries)).await;
            tries += 1;
        }
    }

    async fn once(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        self.store.commit(commit).await
    }
}
