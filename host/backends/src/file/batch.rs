//! One transaction for many commits: each is checked and planned against what the ones before it
//! left, then applied; what fails its checks changes nothing and hurts nobody else.

use bytes::Bytes;
use larder_core::{
    Change, Check, Commit, Error, ErrorKind, Expectation, Key, Outcome, Result, Timestamp, Version, Write,
    counter,
};
use redb::{AccessGuard, Database, Durability, ReadableTable, Table, WriteTransaction};

use super::{
    envelope,
    error::{Fault, Remedy},
    read::Entries,
    tables::{self, ENTRIES, EXPIRIES},
    versions::Versions,
};

type Rows<'t> = Table<'t, &'static [u8], &'static [u8]>;

/// A write transaction that can't lose its durability setting.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate).map_err(|cause| {
        Error::new(ErrorKind::Unavailable, "the database refused to be durable").caused_by(cause)
    })?;
    Ok(transaction)
}

/// Commits, durably. After a failure here, whatever it was, redb takes no further transaction until the
/// database is opened again; whether this one happened is open until then.
pub(super) fn finish(transaction: WriteTransaction) -> Result<(), Fault> {
    transaction.commit().map_err(|error| Fault { remedy: Remedy::Reopen, ..Fault::from(error) })
}

/// What of a batch can be looked up afterwards to learn whether its transaction happened: the last
/// change that it made.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    key: Key,
    version: Option<Version>,
}

impl Trace {
    /// Whether the transaction that left this trace happened.
    pub(super) fn is_in(&self, entries: &Entries) -> Result<bool, Fault> {
        let found = match entries.get(self.key.as_bytes())? {
            None => None,
            Some(bytes) => Some(envelope::decode(self.key.as_bytes(), bytes.value())?.version),
        };
        Ok(found == self.version)
    }
}

/// The tables of a write transaction, while commits are applied to them.
pub(super) struct Batch<'t> {
    entries: Rows<'t>,
    expiries: Rows<'t>,
    versions: &'t mut Versions,
    now: Timestamp,
    trace: Option<Trace>,
    /// Reused from write to write.
    scratch: Vec<u8>,
}

/// A write whose result is known and that only the database itself can still fail.
enum Step<'c> {
    Put { key: &'c Key, value: Bytes, expires_at: Option<Timestamp>, added: Option<i64> },
    Delete { key: &'c Key, existed: bool },
}

impl<'t> Batch<'t> {
    pub(super) fn open(
        transaction: &'t WriteTransaction,
        versions: &'t mut Versions,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        Ok(Self {
            entries: transaction.open_table(ENTRIES)?,
            expiries: transaction.open_table(EXPIRIES)?,
            versions,
            now,
            trace: None,
            scratch: Vec::new(),
        })
    }

    /// Applies one commit. The inner result is the caller's.
    ///
    /// # Errors
    /// A fault of the database; the transaction can't be used any more.
    pub(super) fn commit(&mut self, commit: &Commit) -> Result<Result<Vec<Outcome>>, Fault> {
        if let Err(error) = self.check(&commit.checks)? {
            return Ok(Err(error));
        }
        let mut steps = Vec::with_capacity(commit.writes.len());
        for write in &commit.writes {
            match self.plan(write)? {
                Ok(step) => steps.push(step),
                Err(error) => return Ok(Err(error)),
            }
        }
        let mut outcomes = Vec::with_capacity(steps.len());
        for step in steps {
            outcomes.push(self.apply(step)?);
        }
        Ok(Ok(outcomes))
    }

    /// The last change of the batch; none where nothing was changed.
    pub(super) fn into_trace(self) -> Option<Trace> {
        self.trace
    }

    fn check(&self, checks: &[Check]) -> Result<Result<()>, Fault> {
        for Check { key, expect } in checks {
            let found = match self.live(key, |stored| stored.version)? {
                Ok(found) => found,
                Err(error) => return Ok(Err(error)),
            };
            let (holds, message) = match expect {
                Expectation::Absent => (found.is_none(), "there is an entry"),
                Expectation::Present => (found.is_some(), "there is no entry"),
                Expectation::Version(version) => (found == Some(*version), "the version is another"),
            };
            if !holds {
                return Ok(Err(Error::conflict(message, key)));
            }
        }
        Ok(Ok(()))
    }

    fn plan<'c>(&self, write: &'c Write) -> Result<Result<Step<'c>>, Fault> {
        let key = &write.key;
        Ok(match &write.change {
            Change::Put { value, ttl } => Ok(Step::Put {
                key,
                value: value.clone(),
                expires_at: ttl.map(|ttl| self.now.after(ttl)),
                added: None,
            }),
            // Deleting is also how a damaged entry goes away.
            Change::Delete => {
                let existed = self.live(key, |_| ())?.map_or(true, |found| found.is_some());
                Ok(Step::Delete { key, existed })
            }
            Change::Add(delta) => {
                let sum = |stored: Option<envelope::Stored<'_>>| {
                    let expires_at = stored.and_then(|stored| stored.expires_at);
                    counter::add(stored.map(|stored| stored.value), *delta, key).map(|sum| (sum, expires_at))
                };
                let planned = match self.live(key, |stored| sum(Some(stored)))? {
                    Ok(found) => found.unwrap_or_else(|| sum(None)),
                    Err(error) => Err(error),
                };
                planned.map(|(sum, expires_at)| Step::Put {
                    key,
                    value: counter::encode(sum),
                    expires_at,
                    added: Some(sum),
                })
            }
        })
    }

    /// What `look` makes of the entry, unless there is none or it has expired. The inner error is
    /// about this entry alone.
    fn live<T>(
        &self,
        key: &Key,
        look: impl FnOnce(envelope::Stored<'_>) -> T,
    ) -> Result<Result<Option<T>>, Fault> {
        let Some(bytes) = self.entries.get(key.as_bytes())? else { return Ok(Ok(None)) };
        let stored = envelope::decode(key.as_bytes(), bytes.value());
        Ok(stored.map(|stored| stored.is_live(self.now).then(|| look(stored))))
    }

    fn apply(&mut self, step: Step<'_>) -> Result<Outcome, Fault> {
        match step {
            Step::Put { key, value, expires_at, added } => {
                let version = self.versions.next();
                envelope::encode(key, &value, version, expires_at, &mut self.scratch);
                let old = self.entries.insert(key.as_bytes(), self.scratch.as_slice())?;
                let old = expiry_of(old);
                if old != expires_at {
                    self.unindex(key, old)?;
                    if let Some(at) = expires_at {
                        tables::expiry_row(at, key.as_bytes(), &mut self.scratch);
                        self.expiries.insert(self.scratch.as_slice(), &[][..])?;
                    }
                }
                self.trace = Some(Trace { key: key.clone(), version: Some(version) });
                Ok(added.map_or(Outcome::Written(version), Outcome::Added))
            }
            Step::Delete { key, existed } => {
                let old = self.entries.remove(key.as_bytes())?;
                if old.is_some() {
                    self.trace = Some(Trace { key: key.clone(), version: None });
                }
                let old = expiry_of(old);
                self.unindex(key, old)?;
                Ok(Outcome::Deleted(existed))
            }
        }
    }

    fn unindex(&mut self, key: &Key, expires_at: Option<Timestamp>) -> Result<(), Fault> {
        if let Some(at) = expires_at {
            tables::expiry_row(at, key.as_bytes(), &mut self.scratch);
            self.expiries.remove(self.scratch.as_slice())?;
        }
        Ok(())
    }
}

fn expiry_of(old: Option<AccessGuard<'_, &'static [u8]>>) -> Option<Timestamp> {
    old.and_then(|bytes| envelope::expiry_unverified(bytes.value()))
}
