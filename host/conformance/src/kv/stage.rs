//! Where a case plays: an empty store, its clock, and the store's operations in the words of the
//! cases. Whatever is promised of *every* answer (its length, its kind, its order) is asserted here,
//! so that no case can forget it.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use larder_core::{
    Commit, Description, Entry, Error, ErrorKind, Expectation, Key, KeyRange, KvStore, ManualClock, Outcome,
    Page, Scan, Version, Want,
    limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};

use super::{
    Options, Subject,
    case::{Failure, Verdict, brief, ensure},
};

/// More pages than this for a scan of a case means that the scan does not end.
const PAGES_MAX: usize = 20_000;

/// An empty store and what belongs to it.
pub(super) struct Stage {
    pub(super) store: Arc<dyn KvStore>,
    pub(super) description: Description,
    pub(super) options: Options,
    clock: Arc<ManualClock>,
}

/// Entries of a scan without what a case does not look at.
pub(super) type Listed = Vec<(String, Bytes)>;

pub(super) fn key(text: &str) -> Verdict<Key> {
    Ok(Key::new(text)?)
}

impl Stage {
    pub(super) async fn new(subject: &dyn Subject, options: &Options) -> Verdict<Self> {
        let store = subject
            .fresh()
            .await
            .map_err(|error| Failure(format!("no empty store to test: {}", error.chain())))?;
        Ok(Self { description: store.describe(), store, options: options.clone(), clock: subject.clock() })
    }

    pub(super) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(super) async fn get(&self, name: &str) -> Verdict<Option<Entry>> {
        Ok(self.store.get(&key(name)?).await?)
    }

    pub(super) async fn value(&self, name: &str) -> Verdict<Option<Bytes>> {
        Ok(self.get(name).await?.map(|entry| entry.value))
    }

    /// The version of an entry that must be there.
    pub(super) async fn version(&self, name: &str) -> Verdict<Version> {
        match self.get(name).await? {
            Some(entry) => Ok(entry.version),
            None => Err(Failure(format!("there is no entry under {}", brief(&name)))),
        }
    }

    /// The value under a key must be this.
    pub(super) async fn holds(&self, name: &str, expected: impl AsRef<[u8]>) -> Verdict {
        let got = self.value(name).await?;
        let expected = expected.as_ref();
        ensure!(
            got.as_deref() == Some(expected),
            "under {}: got {}, expected {}",
            brief(&name),
            brief(&got),
            brief(&Bytes::copy_from_slice(expected))
        );
        Ok(())
    }

    /// There must be no entry, whichever way one asks: `get`, `get_many`, and `scan` where there is one.
    pub(super) async fn is_gone(&self, name: &str) -> Verdict {
        let single = self.get(name).await?;
        ensure!(single.is_none(), "get({}) must find nothing, got {}", brief(&name), brief(&single));
        let many = self.get_many(&[name]).await?;
        ensure!(many == [None], "get_many([{}]) must find nothing, got {}", brief(&name), brief(&many));
        if self.description.capabilities.contains(larder_core::Capabilities::SCAN) {
            let listed = self.list(KeyRange::from_key(name)).await?;
            ensure!(
                listed.iter().all(|(key, _)| key != name),
                "a scan must not find {}, got it among {} entries",
                brief(&name),
                listed.len()
            );
        }
        Ok(())
    }

    pub(super) async fn get_many(&self, names: &[&str]) -> Verdict<Vec<Option<Bytes>>> {
        let keys: Vec<Key> = names.iter().map(|name| key(name)).collect::<Verdict<_>>()?;
        let answers = self.store.get_many(&keys).await?;
        ensure!(
            answers.len() == keys.len(),
            "get_many of {} keys answered {} entries",
            keys.len(),
            answers.len()
        );
        Ok(answers.into_iter().map(|entry| entry.map(|entry| entry.value)).collect())
    }

    /// A commit that must succeed, with as many outcomes as writes.
    pub(super) async fn commit(&self, commit: &Commit) -> Verdict<Vec<Outcome>> {
        let outcomes = self.store.commit(commit).await?;
        ensure!(
            outcomes.len() == commit.writes.len(),
            "a commit of {} writes answered {} outcomes",
            commit.writes.len(),
            outcomes.len()
        );
        Ok(outcomes)
    }

    async fn commit_one(&self, commit: Commit) -> Verdict<Outcome> {
        let outcomes = self.commit(&commit).await?;
        outcomes.first().copied().ok_or_else(|| Failure("a commit of one write had no outcome".into()))
    }

    pub(super) async fn put(&self, name: &str, value: impl Into<Bytes>) -> Verdict<Version> {
        written(self.commit_one(Commit::new().put(key(name)?, value)).await?)
    }

    pub(super) async fn put_for(
        &self,
        name: &str,
        value: impl Into<Bytes>,
        ttl: Duration,
    ) -> Verdict<Version> {
        written(self.commit_one(Commit::new().put_with_ttl(key(name)?, value, ttl)).await?)
    }

    /// Whether there was something to delete.
    pub(super) async fn delete(&self, name: &str) -> Verdict<bool> {
        match self.commit_one(Commit::new().delete(key(name)?)).await? {
            Outcome::Deleted(existed) => Ok(existed),
            other => Err(Failure(format!("a delete answered {other:?}"))),
        }
    }

    pub(super) async fn add(&self, name: &str, delta: i64) -> Verdict<i64> {
        match self.commit_one(Commit::new().add(key(name)?, delta)).await? {
            Outcome::Added(value) => Ok(value),
            other => Err(Failure(format!("an add answered {other:?}"))),
        }
    }

    /// Puts many entries, in as few commits as the store allows.
    pub(super) async fn fill(&self, entries: Vec<(String, Bytes)>) -> Verdict {
        /// Well below every limit of the contract.
        const WRITES_PER_COMMIT: usize = 250;
        const BYTES_PER_COMMIT: usize = 4 << 20;
        let batches = self.description.capabilities.contains(larder_core::Capabilities::TRANSACTIONS);
        let (mut commit, mut bytes) = (Commit::new(), 0);
        for (name, value) in entries {
            bytes += name.len() + value.len();
            commit = commit.put(key(&name)?, value);
            if !batches || commit.writes.len() == WRITES_PER_COMMIT || bytes > BYTES_PER_COMMIT {
                self.commit(&std::mem::take(&mut commit)).await?;
                bytes = 0;
            }
        }
        if !commit.writes.is_empty() {
            self.commit(&commit).await?;
        }
        Ok(())
    }

    /// A commit that must fail with this kind and change none of the keys that it names.
    pub(super) async fn refused(&self, commit: &Commit, kind: ErrorKind) -> Verdict<Error> {
        let mut keys: Vec<Key> = commit.writes.iter().map(|write| write.key.clone()).collect();
        keys.extend(commit.checks.iter().map(|check| check.key.clone()));
        keys.retain(|key| key.len() <= self.description.key_bytes_max);
        keys.truncate(larder_core::limits::GET_MANY_MAX);
        let before = self.store.get_many(&keys).await?;
        let error = match self.store.commit(commit).await {
            Err(error) => error,
            Ok(outcomes) => {
                return Err(Failure(format!(
                    "a commit that must be {kind} went through: {}",
                    brief(&outcomes)
                )));
            }
        };
        let after = self.store.get_many(&keys).await?;
        for ((key, before), after) in keys.iter().zip(before).zip(after) {
            ensure!(
                before == after,
                "a commit that was {kind} changed {}: before {}, after {}",
                brief(key),
                brief(&before),
                brief(&after)
            );
        }
        refusal(error, kind)
    }

    /// A commit whose check must fail, naming `name`.
    pub(super) async fn conflicts(&self, commit: &Commit, name: &str) -> Verdict {
        let error = self.refused(commit, ErrorKind::Conflict).await?;
        ensure!(error.context("key") == Some(name), "a conflict must name its key {}: {error}", brief(&name));
        Ok(())
    }

    /// Whether a check on one key holds, seen from a commit that writes nothing.
    pub(super) async fn check(&self, name: &str, expect: Expectation) -> Verdict<bool> {
        match self.store.commit(&Commit::new().check(key(name)?, expect)).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// One page, with all that every page promises.
    pub(super) async fn page(&self, scan: &Scan) -> Verdict<Page> {
        let page = self.store.scan(scan).await?;
        let limit = scan.limit.min(PAGE_ENTRIES_MAX) as usize;
        let count = page.entries.len();
        ensure!(count <= limit, "a page of at most {limit} entries has {count}");
        for ((a, _), (b, _)) in page.entries.iter().zip(page.entries.iter().skip(1)) {
            ensure!(a < b, "a page must ascend: {} before {}", brief(a), brief(b));
        }
        let mut bytes = 0;
        for (key, entry) in &page.entries {
            ensure!(scan.range.contains(key), "{} is not in the range {}", brief(key), brief(&scan.range));
            let empty = scan.want == Want::Entries || entry.value.is_empty();
            ensure!(empty, "a scan of keys only returned a value under {}", brief(key));
            bytes += key.len() + entry.value.len();
        }
        ensure!(count <= 1 || bytes <= PAGE_BYTES_MAX, "a page of {count} entries has {bytes} bytes");
        if let Some(next) = &page.next {
            let past = page.entries.last().is_none_or(|(last, _)| last < next);
            ensure!(past, "the next page begins at {}, before the end of this one", brief(next));
            let within = scan.range.contains(next);
            ensure!(within, "the next page begins at {}, not in the range", brief(next));
            let moves = count > 0 || **next > *scan.range.start;
            ensure!(moves, "an empty page goes on where it began, at {}", brief(next));
        }
        Ok(page)
    }

    /// Everything in a range, page by page.
    pub(super) async fn entries(&self, scan: Scan) -> Verdict<Vec<(Key, Entry)>> {
        let (mut scan, mut all) = (scan, Vec::new());
        for _ in 0..PAGES_MAX {
            let page = self.page(&scan).await?;
            all.extend(page.entries);
            match page.next {
                Some(next) => scan.range = scan.range.resume(&next),
                None => return Ok(all),
            }
        }
        Err(Failure(format!("a scan of {} did not end after {PAGES_MAX} pages", brief(&scan.range))))
    }

    /// Keys and values of a range.
    pub(super) async fn list(&self, range: KeyRange) -> Verdict<Listed> {
        let entries = self.entries(Scan::new(range)).await?;
        Ok(entries.into_iter().map(|(key, entry)| (key.to_string(), entry.value)).collect())
    }

    /// Keys of a range.
    pub(super) async fn names(&self, range: KeyRange) -> Verdict<Vec<String>> {
        Ok(self.list(range).await?.into_iter().map(|(name, _)| name).collect())
    }
}

/// An error must be of this kind, and sure that nothing was written.
pub(super) fn refusal(error: Error, kind: ErrorKind) -> Verdict<Error> {
    ensure!(error.kind() == kind, "expected an error of kind {kind}, got: {}", error.chain());
    ensure!(!error.is_effect_unknown(), "a refusal must know that nothing was written: {}", error.chain());
    Ok(error)
}

pub(super) fn written(outcome: Outcome) -> Verdict<Version> {
    match outcome {
        Outcome::Written(version) => Ok(version),
        other => Err(Failure(format!("a put answered {other:?}"))),
    }
}
