//! Entries in memcached: times to live to the millisecond, versions and counters, as far as a cache keeps anything.
//!
//! A value is kept in an envelope (`envelope`) with a version of its own and the moment of its expiry. The version is
//! random: memcached's own CAS numbers begin again when it restarts, and a caller that compares an old one could meet it
//! there once more. The number of the server only guards the step from a read to the write that depends on it, on one
//! connection (`client`). And since no two writes have the same version, a write whose answer was lost can be looked for.
//!
//! There are no scans and no transactions: memcached has neither. `FAILURES.md` says what is promised when something breaks.

mod address;
mod client;
mod envelope;
mod key;
#[cfg(test)]
mod tests;

use std::time::Duration;

use larder_sdk::kv::{
    self, Change, Check, Description, Entry, Features, KvBackend, Outcome, Put, Write, counter,
};
use larder_sdk::net::Timeouts;
use larder_sdk::{Error, Result, Settings, clock, random};

use address::Address;
use client::{Client, Condition, Stored, Sure, Wrote};
use envelope::{Envelope, Head};
use key::Keys;

/// Before each key, unless the settings say otherwise.
const PREFIX: &str = "larder:";

/// How often a write that depends on what is there begins anew because somebody else wrote in between.
const TRIES: u32 = 100;

/// Keys asked for at once: their requests together fit the buffers of a connection, so that the server never waits for us to
/// read while we wait for it to.
const BATCH: usize = 64;

/// The plugin.
#[derive(Debug)]
pub struct KvMemcached {
    client: Client,
    keys: Keys,
    value_bytes_max: u32,
}

impl KvBackend for KvMemcached {
    fn configure(mut settings: Settings) -> Result<Self> {
        let address: Address =
            settings.parse("address")?.ok_or_else(|| Error::invalid("the setting `address` is missing"))?;
        let keys = Keys::new(settings.take("prefix").as_deref().unwrap_or(PREFIX))?;
        let mut timeouts = Timeouts::default();
        if let Some(ms) = settings.parse::<u32>("timeout_ms")? {
            if ms == 0 {
                return Err(Error::invalid("the setting `timeout_ms`: expected 1 or more"));
            }
            timeouts.wait = Duration::from_millis(ms.into());
            timeouts.connect = timeouts.connect.min(timeouts.wait);
        }
        settings.finish()?;
        let mut client = Client::new(address, timeouts);
        let item_bytes_max = client.look()?;
        Ok(Self { client, keys, value_bytes_max: envelope::value_bytes_max(item_bytes_max) })
    }

    fn describe(&self) -> Description {
        kv::description(Features::TTL | Features::VERSIONS | Features::COUNTERS)
            .with_max_key_bytes(self.keys.key_bytes_max())
            .with_max_value_bytes(self.value_bytes_max)
    }

    fn health(&mut self) -> Result<()> {
        self.client.look().map(drop)
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let found = self.client.get(&self.keys.encode(key))?;
        let now_ms = clock::now_ms();
        Ok(live(found, now_ms)?.map(|envelope| entry(envelope, now_ms)))
    }

    fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for batch in keys.chunks(BATCH) {
            let names: Vec<String> = batch.iter().map(|key| self.keys.encode(key)).collect();
            let found = self.client.get_many(&names)?;
            let now_ms = clock::now_ms();
            for found in found {
                entries.push(live(found, now_ms)?.map(|envelope| entry(envelope, now_ms)));
            }
        }
        Ok(entries)
    }

    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        // One key at most, as declared.
        let Some(key) = writes.first().map(|w| &w.key).or_else(|| checks.first().map(|c| &c.key)) else {
            return Ok(Vec::new());
        };
        let name = self.keys.encode(key);
        let write = writes.first().map(|write| &write.change);
        if let (true, Some(Change::Put(put))) = (checks.is_empty(), write) {
            return self.put(&name, put, Condition::None).and_then(|wrote| match wrote {
                Tried::Done(outcome) => Ok(vec![outcome]),
                Tried::Again => Err(Error::indeterminate("memcached refused a write that has no condition")),
            });
        }
        for _ in 0..TRIES {
            if let Tried::Done(outcome) = self.attempt(key, &name, &checks, write)? {
                return Ok(outcome.into_iter().collect());
            }
        }
        Err(Error::unavailable(format!("`{key}` changed {TRIES} times while it was to be written")))
    }
}

/// What became of an attempt.
enum Tried<T> {
    Done(T),
    /// Somebody wrote in between; nothing was written.
    Again,
}

impl KvMemcached {
    /// Reads, checks, and writes if nothing changed since.
    fn attempt(
        &mut self,
        key: &str,
        name: &str,
        checks: &[Check],
        write: Option<&Change>,
    ) -> Result<Tried<Option<Outcome>>> {
        let stored = self.client.get(name)?;
        // What has expired but is still there is replaced under its number, and is nothing to everybody else.
        let there = stored.as_ref().map(|stored| stored.number);
        let condition = there.map_or(Condition::Absent, Condition::Number);
        // A value that can't be read can be replaced or removed, if nobody asks what it is.
        let found = match (live(stored, clock::now_ms()), checks, write) {
            (Err(_), [], Some(Change::Delete)) => Some(Envelope::unreadable()),
            (found, ..) => found?,
        };
        let version = found.as_ref().map(|envelope| envelope.head.version);
        if checks.iter().any(|check| !check.expect.holds(version)) {
            return Err(Error::conflict(key));
        }
        let tried = match write {
            None => return Ok(Tried::Done(None)),
            Some(Change::Put(put)) => self.put(name, put, condition)?,
            Some(Change::Add(delta)) => {
                let stored = found.as_ref().map(|envelope| &*envelope.value);
                let sum = counter::add(stored, *delta, key)?;
                let expires_at = found.as_ref().and_then(|envelope| envelope.head.expires_at_ms);
                let head = Head { version: new_version(), expires_at_ms: expires_at };
                match self.store(name, head, &counter::encode(sum), condition)? {
                    Wrote::Yes => Tried::Done(Outcome::Added(sum)),
                    Wrote::No => Tried::Again,
                }
            }
            Some(Change::Delete) => match (found.is_some(), there) {
                (_, None) => Tried::Done(Outcome::Deleted(false)),
                (existed, Some(number)) => match self.client.delete(name, number)? {
                    Wrote::Yes => Tried::Done(Outcome::Deleted(existed)),
                    Wrote::No => Tried::Again,
                },
            },
        };
        Ok(match tried {
            Tried::Done(outcome) => Tried::Done(Some(outcome)),
            Tried::Again => Tried::Again,
        })
    }

    fn put(&mut self, name: &str, put: &Put, condition: Condition) -> Result<Tried<Outcome>> {
        let expires_at = put.ttl_ms.map(|ttl| clock::now_ms().saturating_add(ttl));
        let head = Head { version: new_version(), expires_at_ms: expires_at };
        Ok(match self.store(name, head, &put.value, condition)? {
            Wrote::Yes => Tried::Done(Outcome::Written(head.version)),
            Wrote::No => Tried::Again,
        })
    }

    /// Writes, and where the answer is lost, looks whether it is there.
    fn store(&mut self, name: &str, head: Head, value: &[u8], condition: Condition) -> Result<Wrote> {
        let bytes = envelope::seal(head, value);
        let seconds = head.expires_at_ms.and_then(|at| envelope::kept_for(at, clock::now_ms()));
        match self.client.set(name, &bytes, seconds, condition)? {
            Sure::Yes(wrote) => Ok(wrote),
            Sure::Lost(why) => {
                let found = self.client.get(name).ok().flatten();
                match found.and_then(|stored| Envelope::open(stored.bytes).ok()) {
                    Some(envelope) if envelope.head == head => Ok(Wrote::Yes),
                    // Nothing or another's: ours may have been there in between, or come still.
                    _ => Err(Error::indeterminate(why)),
                }
            }
        }
    }
}

/// No other write's, in all likelihood, and never 0.
fn new_version() -> u64 {
    let mut bytes = [0; 8];
    random::fill(&mut bytes);
    u64::from_le_bytes(bytes).max(1)
}

/// What is stored, unless it has expired.
fn live(stored: Option<Stored>, now_ms: u64) -> Result<Option<Envelope>> {
    let Some(stored) = stored else { return Ok(None) };
    let envelope = Envelope::open(stored.bytes)?;
    Ok(Some(envelope).filter(|envelope| envelope.head.expires_at_ms.is_none_or(|at| at > now_ms)))
}

fn entry(envelope: Envelope, now_ms: u64) -> Entry {
    Entry {
        version: envelope.head.version,
        expires_in_ms: envelope.head.expires_at_ms.map(|at| at.saturating_sub(now_ms)),
        value: envelope.value,
    }
}

larder_sdk::wants!("tcp setting:address the memcached server");
larder_sdk::export_kv_backend!(KvMemcached);
