//! Several checks and writes in one commit.

use std::time::Duration;

use bytes::Bytes;
use larder_core::{Change, Commit, Error, Expectation, Outcome, Result, Version};
use serde::Serialize;

use super::{Kv, json};

/// Checks and writes that happen together or not at all, also across keys.
///
/// What is wrong with a key or a value is answered by [`CommitBuilder::run`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// # let host = larder::Host::open(larder::Config::default().plan()?).await?;
/// # let kv = host.default_kv()?;
/// kv.commit()
///     .if_absent("seen:https://example.org/")
///     .set("seen:https://example.org/", &true)
///     .increment("pages", 1)
///     .run()
///     .await?;
/// assert_eq!(kv.get::<u32>("pages").await?, Some(1));
/// # host.close().await
/// # }).unwrap();
/// ```
#[must_use = "nothing happens before `run`"]
#[derive(Debug)]
pub struct CommitBuilder<'kv> {
    kv: &'kv Kv,
    commit: Commit,
    refused: Option<Error>,
}

impl<'kv> CommitBuilder<'kv> {
    pub(super) fn new(kv: &'kv Kv) -> Self {
        Self { kv, commit: Commit::new(), refused: None }
    }

    /// Only if there is no entry under `key`.
    pub fn if_absent(self, key: &str) -> Self {
        self.check(key, Expectation::Absent)
    }

    /// Only if there is an entry under `key`.
    pub fn if_present(self, key: &str) -> Self {
        self.check(key, Expectation::Present)
    }

    /// Only if the entry under `key` is of this version.
    pub fn if_version(self, key: &str, version: Version) -> Self {
        self.check(key, Expectation::Version(version))
    }

    /// Stores a value as JSON.
    pub fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Self {
        self.encode(key, value, None)
    }

    /// Stores a value as JSON that expires.
    pub fn set_with_ttl<T: Serialize + ?Sized>(self, key: &str, value: &T, ttl: Duration) -> Self {
        self.encode(key, value, Some(ttl))
    }

    /// Stores bytes as they are.
    pub fn set_bytes(self, key: &str, value: impl Into<Bytes>) -> Self {
        self.write(key, Change::Put { value: value.into(), ttl: None })
    }

    /// Stores bytes as they are, and they expire.
    pub fn set_bytes_with_ttl(self, key: &str, value: impl Into<Bytes>, ttl: Duration) -> Self {
        self.write(key, Change::Put { value: value.into(), ttl: Some(ttl) })
    }

    /// Removes an entry; removing what is not there succeeds.
    pub fn delete(self, key: &str) -> Self {
        self.write(key, Change::Delete)
    }

    /// Adds to a counter.
    pub fn increment(self, key: &str, delta: i64) -> Self {
        self.write(key, Change::Add(delta))
    }

    /// How many writes it has so far.
    pub fn len(&self) -> usize {
        self.commit.writes.len()
    }

    /// Whether it has no writes so far.
    pub fn is_empty(&self) -> bool {
        self.commit.writes.is_empty()
    }

    /// Commits, and answers what each write did, by position of the writes.
    ///
    /// # Errors
    /// `conflict` where a check does not hold, naming the key; `invalid` where a key or a value is none,
    /// or a limit is passed; `unsupported` where the store can't; else as the store answers. After
    /// dropping the future nobody knows whether it happened; it happens whole or not at all.
    pub async fn run(self) -> Result<Vec<Outcome>> {
        match self.refused {
            Some(error) => Err(error.operation("commit").with("store", &self.kv.name)),
            None => self.kv.write(&self.commit).await,
        }
    }

    fn check(mut self, key: &str, expect: Expectation) -> Self {
        match self.kv.key(key) {
            Ok(key) => self.commit = self.commit.check(key, expect),
            Err(error) => self.refuse(error),
        }
        self
    }

    fn encode<T: Serialize + ?Sized>(mut self, key: &str, value: &T, ttl: Option<Duration>) -> Self {
        match json::encode(value, key) {
            Ok(value) => self.write(key, Change::Put { value, ttl }),
            Err(error) => {
                self.refuse(error);
                self
            }
        }
    }

    fn write(mut self, key: &str, change: Change) -> Self {
        match self.kv.key(key) {
            Ok(key) => self.commit = self.commit.write(key, change),
            Err(error) => self.refuse(error),
        }
        self
    }

    /// The first refusal counts.
    fn refuse(&mut self, error: Error) {
        self.refused.get_or_insert(error);
    }
}
