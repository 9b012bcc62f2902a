//! What a backend can do, and the refusal of what it can't.

use std::fmt;

use crate::{
    Commit, Error, Key, Result, Scan,
    limits::{COMMIT_BYTES_MAX, COMMIT_ITEMS_MAX, GET_MANY_MAX, KEY_BYTES_MAX, TTL_MS_MAX, VALUE_BYTES_MAX},
};

bitflags::bitflags! {
    /// The optional powers of a key-value backend. What is missing is refused with `unsupported`.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub struct Capabilities: u8 {
        /// Ordered scans.
        const SCAN = 1;
        /// A time to live per write.
        const TTL = 1 << 1;
        /// Versions, and with them checks in commits.
        const VERSIONS = 1 << 2;
        /// Commits of several writes, or of checks on other keys than the one written.
        const TRANSACTIONS = 1 << 3;
        /// Atomic addition.
        const COUNTERS = 1 << 4;
    }
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        for (i, (name, _)) in self.iter_names().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            f.write_str(&name.to_ascii_lowercase())?;
        }
        Ok(())
    }
}

/// What a backend declares of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description {
    /// What it can do.
    pub capabilities: Capabilities,
    /// Longest key in bytes.
    pub key_bytes_max: usize,
    /// Largest value in bytes.
    pub value_bytes_max: usize,
}

impl Description {
    /// Every capability, and the limits of the contract.
    pub fn full() -> Self {
        Self {
            capabilities: Capabilities::all(),
            key_bytes_max: KEY_BYTES_MAX,
            value_bytes_max: VALUE_BYTES_MAX,
        }
    }

    /// Refuses what `capabilities` lacks.
    ///
    /// # Errors
    /// `unsupported`, naming what is missing.
    pub fn require(&self, needed: Capabilities) -> Result<()> {
        let missing = needed - self.capabilities;
        if missing.is_empty() {
            return Ok(());
        }
        Err(Error::unsupported(format!("the backend has no {missing} (it has: {})", self.capabilities)))
    }

    /// Checks a key against the backend's own limit.
    ///
    /// # Errors
    /// `invalid` where the key is too long for this backend.
    pub fn check_key(&self, key: &Key) -> Result<()> {
        if key.len() > self.key_bytes_max {
            return Err(Error::invalid(format!(
                "the key has {} bytes, more than this backend's {}",
                key.len(),
                self.key_bytes_max
            )));
        }
        Ok(())
    }

    /// Checks the keys of a `get_many`.
    ///
    /// # Errors
    /// `invalid` where there are too many keys, or one is too long.
    pub fn check_keys(&self, keys: &[Key]) -> Result<()> {
        if keys.len() > GET_MANY_MAX {
            return Err(Error::invalid(format!("{} keys at once, more than {GET_MANY_MAX}", keys.len())));
        }
        keys.iter().try_for_each(|key| self.check_key(key))
    }

    /// Checks a scan.
    ///
    /// # Errors
    /// `unsupported` where the backend can't scan, `invalid` where the limit is 0.
    pub fn check_scan(&self, scan: &Scan) -> Result<()> {
        self.require(Capabilities::SCAN)?;
        if scan.limit == 0 {
            return Err(Error::invalid("a scan of at most 0 entries"));
        }
        Ok(())
    }

    /// Checks a commit: capabilities, limits, times to live, and that no key is written twice.
    ///
    /// # Errors
    /// `unsupported` or `invalid`, naming the key where there is one.
    pub fn check_commit(&self, commit: &Commit) -> Result<()> {
        self.require(commit.required())?;
        if commit.checks.len() > COMMIT_ITEMS_MAX || commit.writes.len() > COMMIT_ITEMS_MAX {
            return Err(Error::invalid(format!(
                "a commit of {} checks and {} writes, more than {COMMIT_ITEMS_MAX} of either",
                commit.checks.len(),
                commit.writes.len()
            )));
        }
        let mut bytes = 0_usize;
        for check in &commit.checks {
            self.check_key(&check.key)?;
            bytes += check.key.len();
        }
        for write in &commit.writes {
            self.check_key(&write.key)?;
            bytes += write.key.len();
            if let crate::Change::Put { value, ttl } = &write.change {
                bytes += value.len();
                if value.len() > self.value_bytes_max {
                    return Err(Error::invalid(format!(
                        "the value has {} bytes, more than {}; larger things are blobs",
                        value.len(),
                        self.value_bytes_max
                    ))
                    .with("key", &write.key));
                }
                if let Some(ttl) = ttl {
                    let ms = crate::entry::millis_ceil(*ttl);
                    if ms == 0 || ms > TTL_MS_MAX {
                        return Err(Error::invalid(format!(
                            "a time to live of {ttl:?}; it must be from 1 ms to 100 years"
                        ))
                        .with("key", &write.key));
                    }
                }
            }
        }
        // One write is the common case and may be as large as the backend's values.
        if commit.writes.len() > 1 && bytes > COMMIT_BYTES_MAX {
            return Err(Error::invalid(format!("a commit of {bytes} bytes, more than {COMMIT_BYTES_MAX}")));
        }
        commit.check_distinct_writes()
    }
}
