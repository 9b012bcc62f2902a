//! The handle of a key-value store: typed reads and writes over [`KvStore`].
//!
//! Values are JSON by default; the methods that end in `_bytes` take and give bytes as they are.
//! Everything that writes is a commit. A handle is cheap to clone, and all clones see the same store.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use larder::{Config, Host};
//!
//! let host = Host::open(Config::default().plan()?).await?;
//! let users = host.default_kv()?.namespace("users")?;
//! users.set("42", &["Ada", "Grace"]).await?;
//! let names: Option<Vec<String>> = users.get("42").await?;
//! assert_eq!(names.unwrap(), ["Ada", "Grace"]);
//! assert_eq!(users.increment("visits", 2).await?, 2);
//! host.close().await
//! # }).unwrap();
//! ```

mod commit;
mod json;
mod namespace;
mod options;
mod scan;
mod view;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use larder_core::{
    Change, Commit, Description, Entry, Error, ErrorKind, Key, KvStore, Outcome, Result, Timestamp, Version,
    limits::GET_MANY_MAX,
};
use serde::{Serialize, de::DeserializeOwned};

use self::namespace::Namespace;
pub use self::{
    commit::CommitBuilder,
    options::SetOptions,
    scan::{ScanOptions, ScanStream},
};
use crate::stack::{Counters, Metrics};

/// A value that was read as JSON, with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versioned<T> {
    /// The value.
    pub value: T,
    /// The version of this write, for [`Kv::compare_and_set`].
    pub version: Version,
    /// When it expires.
    pub expires_at: Option<Timestamp>,
}

/// A handle of a key-value store, or of a namespace in it.
#[derive(Clone)]
pub struct Kv {
    name: Arc<str>,
    store: Arc<dyn KvStore>,
    counters: Arc<Counters>,
    namespace: Namespace,
}

impl Kv {
    pub(crate) fn new(name: Arc<str>, store: Arc<dyn KvStore>, counters: Arc<Counters>) -> Self {
        Self { name, store, counters, namespace: Namespace::default() }
    }

    /// The store's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A part of this store with keys of its own: they carry the prefix `name:`, which the caller never
    /// sees, neither in keys nor in errors. Namespaces nest.
    ///
    /// # Errors
    /// `invalid` where the name is empty, contains a `:`, or leaves no room for keys.
    pub fn namespace(&self, name: &str) -> Result<Self> {
        Ok(Self { namespace: self.namespace.inside(name)?, ..self.clone() })
    }

    /// Reads a value as JSON; a missing or expired one is none.
    ///
    /// # Errors
    /// `invalid` where the key is no key or the stored value is not JSON of this type; else as the
    /// store answers. Cancel safe.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        Ok(self.get_versioned(key).await?.map(|versioned| versioned.value))
    }

    /// Reads a value as JSON with its version and expiry.
    ///
    /// # Errors
    /// As [`Kv::get`]. Cancel safe.
    pub async fn get_versioned<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Versioned<T>>> {
        let Some(entry) = self.get_entry(key).await? else { return Ok(None) };
        let value = json::decode(&entry.value, key).map_err(|error| error.with("store", &self.name))?;
        Ok(Some(Versioned { value, version: entry.version, expires_at: entry.expires_at }))
    }

    /// Reads a value as it is stored.
    ///
    /// # Errors
    /// `invalid` where the key is no key; else as the store answers. Cancel safe.
    pub async fn get_bytes(&self, key: &str) -> Result<Option<Bytes>> {
        Ok(self.get_entry(key).await?.map(|entry| entry.value))
    }

    /// Reads an entry: the bytes, the version, the expiry.
    ///
    /// # Errors
    /// `invalid` where the key is no key; else as the store answers. Cancel safe.
    pub async fn get_entry(&self, key: &str) -> Result<Option<Entry>> {
        let key = self.key(key)?;
        self.store.get(&key).await.map_err(|error| self.hide(error))
    }

    /// Reads many values as JSON, answered by position; a key may occur twice. Any number of keys:
    /// they are asked for in portions of 1,000, which are not one snapshot.
    ///
    /// # Errors
    /// As [`Kv::get`]. Cancel safe.
    pub async fn get_many<T: DeserializeOwned>(&self, keys: &[&str]) -> Result<Vec<Option<T>>> {
        let entries = self.get_entries(keys).await?;
        let decode = |(entry, key): (Option<Entry>, &&str)| {
            entry.map(|entry| json::decode(&entry.value, key)).transpose()
        };
        entries.into_iter().zip(keys).map(decode).collect()
    }

    /// Reads many entries, answered by position, in portions of 1,000.
    ///
    /// # Errors
    /// As [`Kv::get_entry`]. Cancel safe.
    pub async fn get_entries(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let keys: Vec<Key> = keys.iter().map(|key| self.key(key)).collect::<Result<_>>()?;
        let mut entries = Vec::with_capacity(keys.len());
        for portion in keys.chunks(GET_MANY_MAX) {
            entries.extend(self.store.get_many(portion).await.map_err(|error| self.hide(error))?);
        }
        Ok(entries)
    }

    /// Whether there is an entry.
    ///
    /// # Errors
    /// As [`Kv::get_entry`]. Cancel safe.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.get_entry(key).await?.is_some())
    }

    /// Stores a value as JSON; it stays until it is deleted, whatever expiry the entry had before.
    ///
    /// # Errors
    /// `invalid` where the value can't be JSON, or key or value are over the limits; else as the store
    /// answers. After dropping the future nobody knows whether the write happened.
    pub async fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<Version> {
        self.set_with(key, value, SetOptions::default()).await
    }

    /// Stores a value as JSON, with a time to live or under a condition.
    ///
    /// # Errors
    /// `conflict` where the condition does not hold, `unsupported` where the store can't do what is
    /// asked; else as [`Kv::set`].
    pub async fn set_with<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> Result<Version> {
        self.set_bytes_with(key, json::encode(value, key)?, options).await
    }

    /// Stores bytes as they are.
    ///
    /// # Errors
    /// As [`Kv::set`].
    pub async fn set_bytes(&self, key: &str, value: impl Into<Bytes>) -> Result<Version> {
        self.set_bytes_with(key, value, SetOptions::default()).await
    }

    /// Stores bytes as they are, with a time to live or under a condition.
    ///
    /// # Errors
    /// As [`Kv::set_with`].
    pub async fn set_bytes_with(
        &self,
        key: &str,
        value: impl Into<Bytes>,
        options: SetOptions,
    ) -> Result<Version> {
        let key = self.key(key)?;
        let mut commit = Commit::new();
        if let Some(expect) = options.condition {
            commit = commit.check(key.clone(), expect);
        }
        let change = Change::Put { value: value.into(), ttl: options.ttl };
        match self.write_one(commit.write(key, change)).await? {
            Outcome::Written(version) => Ok(version),
            other => Err(self.broken("set", other)),
        }
    }

    /// Stores a value as JSON if the entry is as it was seen: of version `expected`, or absent.
    ///
    /// # Errors
    /// `conflict` where it is not; nothing was written then: read again and decide. Else as [`Kv::set`].
    pub async fn compare_and_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        expected: Option<Version>,
        value: &T,
    ) -> Result<Version> {
        let options = match expected {
            Some(version) => SetOptions::default().if_version(version),
            None => SetOptions::default().if_absent(),
        };
        self.set_with(key, value, options).await
    }

    /// Removes an entry and says whether there was one.
    ///
    /// # Errors
    /// `invalid` where the key is no key; else as the store answers.
    pub async fn delete(&self, key: &str) -> Result<bool> {
        match self.write_one(Commit::new().delete(self.key(key)?)).await? {
            Outcome::Deleted(existed) => Ok(existed),
            other => Err(self.broken("delete", other)),
        }
    }

    /// Adds to a counter and answers the sum; an absent one counts as 0. Counters are ASCII decimal, so
    /// that they can be read as JSON numbers.
    ///
    /// # Errors
    /// `invalid` where the value is no counter or the sum overflows; `unsupported` where the store has
    /// no counters; else as the store answers.
    pub async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        match self.write_one(Commit::new().add(self.key(key)?, delta)).await? {
            Outcome::Added(sum) => Ok(sum),
            other => Err(self.broken("increment", other)),
        }
    }

    /// Begins a commit of many checks and writes that happen together or not at all.
    pub fn commit(&self) -> CommitBuilder<'_> {
        CommitBuilder::new(self)
    }

    /// Walks through keys in their order. Pages are fetched as the stream is read.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use futures::TryStreamExt;
    /// use larder::{Config, Host, ScanOptions};
    ///
    /// # let host = Host::open(Config::default().plan()?).await?;
    /// let kv = host.default_kv()?;
    /// for key in ["a:1", "a:2", "b:1"] {
    ///     kv.set(key, "x").await?;
    /// }
    /// let found: Vec<_> = kv.scan(ScanOptions::prefix("a:").keys_only()).try_collect().await?;
    /// assert_eq!(found.len(), 2);
    /// # host.close().await
    /// # }).unwrap();
    /// ```
    pub fn scan(&self, options: ScanOptions) -> ScanStream {
        scan::stream(self.clone(), options)
    }

    /// Whether the store can be reached and used.
    ///
    /// # Errors
    /// As the store answers. Cancel safe.
    pub async fn health(&self) -> Result<()> {
        self.store.health().await
    }

    /// What the store can do, and its limits.
    pub fn describe(&self) -> Description {
        self.store.describe()
    }

    /// What the store was asked since it was opened, through all its handles.
    pub fn metrics(&self) -> Metrics {
        self.counters.read()
    }

    /// The whole stack, to be composed further. Keys are seen there with the prefixes of namespaces.
    pub fn store(&self) -> Arc<dyn KvStore> {
        Arc::clone(&self.store)
    }

    /// What this handle sees, as a store: the keys of its namespace, without the prefix. For what takes a store and shall see
    /// no more of it.
    pub fn view(&self) -> Arc<dyn KvStore> {
        Arc::new(view::View(self.clone()))
    }

    fn key(&self, key: &str) -> Result<Key> {
        self.namespace.key(key, || self.store.describe().key_bytes_max)
    }

    /// Takes the namespace out of an error.
    fn hide(&self, error: Error) -> Error {
        self.namespace.hide(error)
    }

    async fn write(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        self.store.commit(commit).await.map_err(|error| self.hide(error))
    }

    async fn write_one(&self, commit: Commit) -> Result<Outcome> {
        match self.write(&commit).await?.as_slice() {
            [outcome] => Ok(*outcome),
            outcomes => Err(self.broken("commit", outcomes.len())),
        }
    }

    /// The store answered something that the contract has no room for.
    fn broken(&self, operation: &'static str, answer: impl fmt::Debug) -> Error {
        Error::new(ErrorKind::Plugin, format!("the store answered {answer:?}, which answers no such write"))
            .operation(operation)
            .effect(larder_core::Effect::Unknown)
            .with("store", &self.name)
    }
}

/// The composition of the store.
impl fmt::Display for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.store.fmt(f)
    }
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kv({}{}: {})", self.name, self.namespace, self.store)
    }
}

#[cfg(test)]
mod tests;
