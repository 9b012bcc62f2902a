//! What a backend declares, and the refusal of the rest.

use super::{
    COMMIT_BYTES_MAX, Change, Check, Description, Expectation, Features, ITEMS_MAX, Instances, KEY_BYTES_MAX,
    TTL_MS_MAX, VALUE_BYTES_MAX, Write,
};
use crate::{Error, Result};

/// A description with the contract's limits, for a backend whose data is elsewhere.
pub fn description(features: Features) -> Description {
    Description {
        features,
        instances: Instances::Many,
        max_key_bytes: KEY_BYTES_MAX,
        max_value_bytes: VALUE_BYTES_MAX,
    }
}

impl Description {
    /// The same for a backend that keeps its data in its own memory, or owns the folder where it is.
    #[must_use]
    pub fn owning_its_data(mut self) -> Self {
        self.instances = Instances::One;
        self
    }

    /// The same with another longest key, in bytes.
    #[must_use]
    pub fn with_max_key_bytes(mut self, bytes: u32) -> Self {
        self.max_key_bytes = bytes;
        self
    }

    /// The same with another largest value, in bytes.
    #[must_use]
    pub fn with_max_value_bytes(mut self, bytes: u32) -> Self {
        self.max_value_bytes = bytes;
        self
    }

    pub(crate) fn check_key(&self, key: &str) -> Result<()> {
        if key.is_empty() {
            return Err(Error::invalid("an empty key"));
        }
        if key.len() > self.max_key_bytes as usize {
            return Err(Error::invalid(format!(
                "a key of {} bytes, more than {}",
                key.len(),
                self.max_key_bytes
            )));
        }
        Ok(())
    }
}

impl Expectation {
    /// Whether it holds for an entry of this version, or for none.
    pub fn holds(&self, version: Option<u64>) -> bool {
        match self {
            Self::Absent => version.is_none(),
            Self::Present => version.is_some(),
            Self::Version(expected) => version == Some(*expected),
        }
    }
}

/// Refuses a commit that needs what `description` does not declare, or that breaks the contract's limits.
///
/// # Errors
/// `unsupported`, naming the feature, or `invalid`.
pub fn refuse_undeclared(description: &Description, checks: &[Check], writes: &[Write]) -> Result<()> {
    let refuse = |feature, name: &str| {
        if description.features.contains(feature) {
            return Ok(());
        }
        Err(Error::unsupported(format!("this backend has no {name}")))
    };
    if checks.len() > ITEMS_MAX || writes.len() > ITEMS_MAX {
        return Err(Error::invalid(format!("more than {ITEMS_MAX} checks or writes in a commit")));
    }
    if !checks.is_empty() {
        refuse(Features::VERSIONS, "versions")?;
    }
    let target = writes.first().map_or_else(|| checks.first().map(|c| &c.key), |w| Some(&w.key));
    if writes.len() > 1 || checks.iter().any(|check| Some(&check.key) != target) {
        refuse(Features::TRANSACTIONS, "transactions")?;
    }
    let mut bytes = 0_usize;
    for check in checks {
        description.check_key(&check.key)?;
        bytes = bytes.saturating_add(check.key.len());
    }
    for write in writes {
        description.check_key(&write.key)?;
        bytes = bytes.saturating_add(write.key.len());
        match &write.change {
            Change::Put(put) => {
                if let Some(ttl_ms) = put.ttl_ms {
                    refuse(Features::TTL, "times to live")?;
                    check_ttl(ttl_ms)?;
                }
                if put.value.len() > description.max_value_bytes as usize {
                    let (bytes, max) = (put.value.len(), description.max_value_bytes);
                    return Err(Error::invalid(format!("a value of {bytes} bytes, more than {max}")));
                }
                bytes = bytes.saturating_add(put.value.len());
            }
            Change::Add(_) => refuse(Features::COUNTERS, "counters")?,
            Change::Delete => {}
        }
    }
    // One write is the common case and may be as large as the backend's values.
    if writes.len() > 1 && bytes > COMMIT_BYTES_MAX {
        return Err(Error::invalid(format!("a commit of {bytes} bytes, more than {COMMIT_BYTES_MAX}")));
    }
    refuse_written_twice(writes)
}

fn check_ttl(ttl_ms: u64) -> Result<()> {
    if (1..=TTL_MS_MAX).contains(&ttl_ms) {
        return Ok(());
    }
    Err(Error::invalid(format!("a time to live of {ttl_ms} ms; it must be from 1 ms to 100 years")))
}

fn refuse_written_twice(writes: &[Write]) -> Result<()> {
    if writes.len() < 2 {
        return Ok(());
    }
    let mut keys: Vec<&str> = writes.iter().map(|write| &*write.key).collect();
    keys.sort_unstable();
    let twice = keys.iter().zip(keys.iter().skip(1)).find(|(one, next)| one == next);
    match twice {
        None => Ok(()),
        Some((key, _)) => Err(Error::invalid(format!("a commit writes `{key}` twice"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::Put;

    fn put(key: &str, ttl_ms: Option<u64>) -> Write {
        Write { key: key.into(), change: Change::Put(Put { value: vec![1], ttl_ms }) }
    }

    fn check(key: &str) -> Check {
        Check { key: key.into(), expect: Expectation::Absent }
    }

    fn needed(checks: &[Check], writes: &[Write]) -> Features {
        let each = [Features::TTL, Features::VERSIONS, Features::TRANSACTIONS, Features::COUNTERS];
        let refused = |without: Features| {
            let description = description(Features::all() & !without);
            match refuse_undeclared(&description, checks, writes) {
                Ok(()) => false,
                Err(Error::Unsupported(_)) => true,
                Err(other) => panic!("{other}"),
            }
        };
        each.into_iter().filter(|feature| refused(*feature)).fold(Features::empty(), |all, one| all | one)
    }

    #[test]
    fn each_part_of_a_commit_needs_its_feature() {
        assert_eq!(needed(&[], &[put("a", None)]), Features::empty());
        assert_eq!(needed(&[], &[put("a", Some(1))]), Features::TTL);
        assert_eq!(needed(&[check("a")], &[put("a", None)]), Features::VERSIONS);
        assert_eq!(needed(&[check("b")], &[put("a", None)]), Features::VERSIONS | Features::TRANSACTIONS);
        assert_eq!(needed(&[check("a"), check("b")], &[]), Features::VERSIONS | Features::TRANSACTIONS);
        assert_eq!(needed(&[], &[put("a", None), put("b", None)]), Features::TRANSACTIONS);
        assert_eq!(needed(&[], &[Write { key: "a".into(), change: Change::Add(1) }]), Features::COUNTERS);
    }

    #[test]
    fn limits_are_held_whatever_is_declared() {
        let full = description(Features::all()).with_max_key_bytes(3).with_max_value_bytes(0);
        for writes in [vec![put("abcd", None)], vec![put("", None)], vec![put("a", None)]] {
            assert!(matches!(refuse_undeclared(&full, &[], &writes), Err(Error::Invalid(_))), "{writes:?}");
        }
        let full = description(Features::all());
        let twice = [put("a", None), put("b", None), put("a", None)];
        assert!(
            matches!(refuse_undeclared(&full, &[], &twice), Err(Error::Invalid(text)) if text.contains("`a`"))
        );
        for ttl_ms in [0, TTL_MS_MAX + 1] {
            assert!(matches!(
                refuse_undeclared(&full, &[], &[put("a", Some(ttl_ms))]),
                Err(Error::Invalid(_))
            ));
        }
        let large = |key: &str| {
            let value = vec![0; VALUE_BYTES_MAX as usize];
            Write { key: key.into(), change: Change::Put(Put { value, ttl_ms: None }) }
        };
        assert_eq!(refuse_undeclared(&full, &[], &[large("a")]), Ok(()));
        assert!(matches!(refuse_undeclared(&full, &[], &[large("a"), large("b")]), Err(Error::Invalid(_))));
    }
}
