//! A layer that encrypts values on their way into any store, and decrypts and authenticates them on their way out.
//!
//! Keys stay readable, so that ranges and prefixes work, and are authenticated with their values: a value that was
//! changed, or moved to another key, is `corrupt` and never returned. `README.md` says what this does not protect from.
//!
//! Writes are under the current key, reads under the one that the value names. Nothing is encrypted anew on reading: that
//! would be a write, with a new version, and whoever holds the version of before as a lease or for a condition would lose it.
//!
//! A store can't add to a number that it can't read. An addition is therefore done here, as a put that holds only if
//! the entry is still of the version that was read; where the next store has no versions, there are no counters.

mod cipher;
mod ring;
#[cfg(test)]
mod tests;

use larder_sdk::kv::{
    Change, Check, Description, Entry, Expectation, Features, KvLayer, NextKv, Outcome, Page, Put, Scan,
    Write, counter,
};
use larder_sdk::{Error, Result, Settings, export_kv_layer};

use ring::KeyRing;

/// How often an addition is tried again when somebody else wrote in between. Each time somebody else got further.
const TRIES_MAX: u32 = 10_000;

/// The plugin.
#[derive(Debug)]
pub struct KvEncrypt {
    keys: KeyRing,
}

impl KvLayer for KvEncrypt {
    fn configure(mut settings: Settings) -> Result<Self> {
        let keys = KeyRing::configure(&mut settings)?;
        settings.finish()?;
        Ok(Self { keys })
    }

    fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
        let mut description = next.describe()?;
        let has_versions = description.features.contains(Features::VERSIONS);
        description.features.set(Features::COUNTERS, has_versions);
        description.max_value_bytes =
            description.max_value_bytes.saturating_sub(self.keys.overhead_bytes() as u32);
        Ok(description)
    }

    fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
        next.get(key)?.map(|entry| self.open(key, entry)).transpose()
    }

    fn get_many(&mut self, next: &dyn NextKv, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        let found = next.get_many(keys)?;
        if found.len() != keys.len() {
            return Err(Error::other("the next store did not answer by position"));
        }
        let open =
            |(entry, key): (Option<Entry>, &String)| entry.map(|entry| self.open(key, entry)).transpose();
        found.into_iter().zip(keys).map(open).collect()
    }

    fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
        let mut page = next.scan(scan)?;
        if !scan.keys_only {
            for found in &mut page.entries {
                found.entry.value = self.keys.open(&found.key, &found.entry.value)?;
            }
        }
        Ok(page)
    }

    fn commit(&mut self, next: &dyn NextKv, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        let mut sealed = Vec::with_capacity(writes.len());
        let mut additions = Vec::new();
        for (at, Write { key, change }) in writes.into_iter().enumerate() {
            let change = match change {
                Change::Put(Put { value, ttl_ms }) => {
                    Change::Put(Put { value: self.keys.seal(&key, &value)?, ttl_ms })
                }
                Change::Delete => Change::Delete,
                Change::Add(delta) => {
                    additions.push(Addition { at, key: key.clone(), delta });
                    // Replaced by `add_up` before it is sent.
                    Change::Delete
                }
            };
            sealed.push(Write { key, change });
        }
        if additions.is_empty() {
            return next.commit(&checks, &sealed);
        }
        self.commit_additions(next, &checks, sealed, &additions)
    }
}

/// An addition in a commit.
struct Addition {
    /// Its place among the writes.
    at: usize,
    key: String,
    delta: i64,
}

impl KvEncrypt {
    fn open(&self, key: &str, entry: Entry) -> Result<Entry> {
        Ok(Entry { value: self.keys.open(key, &entry.value)?, ..entry })
    }

    /// Commits with the sums in the place of the additions, as long as nobody else writes the counters meanwhile.
    fn commit_additions(
        &self,
        next: &dyn NextKv,
        checks: &[Check],
        mut writes: Vec<Write>,
        additions: &[Addition],
    ) -> Result<Vec<Outcome>> {
        if !next.describe()?.features.contains(Features::VERSIONS) {
            return Err(Error::unsupported(
                "counters under encryption need versions, which the next store lacks",
            ));
        }
        for _ in 0..TRIES_MAX {
            let mut held = checks.to_vec();
            let mut sums = Vec::with_capacity(additions.len());
            for addition in additions {
                let (sum, put, expect) = self.add_up(next, checks, addition)?;
                if let Some(write) = writes.get_mut(addition.at) {
                    write.change = Change::Put(put);
                }
                held.push(Check { key: addition.key.clone(), expect });
                sums.push(sum);
            }
            match next.commit(&held, &writes) {
                Ok(mut outcomes) => {
                    for (addition, sum) in additions.iter().zip(sums) {
                        if let Some(outcome) = outcomes.get_mut(addition.at) {
                            *outcome = Outcome::Added(sum);
                        }
                    }
                    return Ok(outcomes);
                }
                // Somebody else wrote the counter. Whether the caller's own checks on it still hold, `add_up` sees.
                Err(Error::Conflict(key)) if additions.iter().any(|addition| addition.key == key) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("a counter was written by others {TRIES_MAX} times in a row")))
    }

    /// The sum, the put that stores it, and what must still be so for the put to be right.
    fn add_up(
        &self,
        next: &dyn NextKv,
        checks: &[Check],
        addition: &Addition,
    ) -> Result<(i64, Put, Expectation)> {
        let key = &*addition.key;
        let current = self.read_counter(next, key)?;
        let version = current.as_ref().map(|entry| entry.version);
        if checks.iter().any(|check| check.key == key && !check.expect.holds(version)) {
            return Err(Error::conflict(key));
        }
        let sum = counter::add(current.as_ref().map(|entry| &*entry.value), addition.delta, key)?;
        let ttl_ms = current.and_then(|entry| entry.expires_in_ms);
        let put = Put { value: self.keys.seal(key, &counter::encode(sum))?, ttl_ms };
        Ok((sum, put, version.map_or(Expectation::Absent, Expectation::Version)))
    }

    fn read_counter(&self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
        next.get(key)?.map(|entry| self.open(key, entry)).transpose()
    }
}

export_kv_layer!(KvEncrypt);
