//! A key-value backend in its own memory.
//!
//! A plugin has one thread and is never entered twice, so that every method has `&mut self` and nothing is locked.

use std::{collections::BTreeMap, ops::Bound};

use larder_sdk::kv::{
    self, Change, Check, Description, Entry, Features, KvBackend, Outcome, Page, PageBuilder, Put, Scan, Write,
    counter,
};
use larder_sdk::{Error, Result, Settings};

/// The plugin: entries in the order of their keys.
#[derive(Debug, Default)]
struct Shelf {
    entries: BTreeMap<String, Stored>,
    version_last: u64,
}

#[derive(Debug)]
struct Stored {
    value: Vec<u8>,
    version: u64,
}

/// A change whose result is known, and that can't fail any more.
enum Step {
    Put(String, Vec<u8>),
    Add(String, i64),
    Delete(String),
}

impl KvBackend for Shelf {
    fn configure(settings: Settings) -> Result<Self> {
        // Take what you know: `let mut settings`, `settings.parse("limit")?`. The rest is refused by name.
        settings.finish()?;
        Ok(Self::default())
    }

    fn describe(&self) -> Description {
        let features = Features::SCAN | Features::VERSIONS | Features::TRANSACTIONS | Features::COUNTERS;
        kv::description(features).owning_its_data()
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.entries.get(key).map(|stored| stored.entry(&stored.value)))
    }

    fn scan(&mut self, scan: &Scan) -> Result<Page> {
        let mut page = PageBuilder::new(scan);
        if scan.is_empty() {
            return Ok(page.ending());
        }
        let end = scan.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        for (key, stored) in self.entries.range::<str, _>((Bound::Included(&*scan.start), end)) {
            let value: &[u8] = if scan.keys_only { &[] } else { &stored.value };
            if !page.has_room(key, value.len()) {
                return Ok(page.ending_before(key));
            }
            page.push(key, stored.entry(value));
        }
        Ok(page.ending())
    }

    /// Everything that can fail comes first, so that a commit happens whole or not at all.
    fn commit(&mut self, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        for check in checks {
            if !check.expect.holds(self.entries.get(&check.key).map(|stored| stored.version)) {
                return Err(Error::conflict(check.key));
            }
        }
        let steps: Vec<Step> = writes.into_iter().map(|write| self.plan(write)).collect::<Result<_>>()?;
        Ok(steps.into_iter().map(|step| self.apply(step)).collect())
    }
}

impl Shelf {
    fn plan(&self, Write { key, change }: Write) -> Result<Step> {
        Ok(match change {
            Change::Put(Put { value, .. }) => Step::Put(key, value),
            Change::Delete => Step::Delete(key),
            Change::Add(delta) => {
                let stored = self.entries.get(&key).map(|stored| &*stored.value);
                let sum = counter::add(stored, delta, &key)?;
                Step::Add(key, sum)
            }
        })
    }

    fn apply(&mut self, step: Step) -> Outcome {
        match step {
            Step::Put(key, value) => Outcome::Written(self.put(key, value)),
            Step::Add(key, sum) => {
                self.put(key, counter::encode(sum));
                Outcome::Added(sum)
            }
            Step::Delete(key) => Outcome::Deleted(self.entries.remove(&key).is_some()),
        }
    }

    /// Answers the new version: one that no entry has had.
    fn put(&mut self, key: String, value: Vec<u8>) -> u64 {
        self.version_last += 1;
        self.entries.insert(key, Stored { value, version: self.version_last });
        self.version_last
    }
}

impl Stored {
    fn entry(&self, value: &[u8]) -> Entry {
        Entry { value: value.to_vec(), version: self.version, expires_in_ms: None }
    }
}

larder_sdk::export_kv_backend!(Shelf);

#[cfg(test)]
mod tests {
    use larder_sdk::kv::Expectation;

    use super::*;

    fn put(key: &str, value: &str) -> Write {
        Write { key: key.into(), change: Change::Put(Put { value: value.into(), ttl_ms: None }) }
    }

    #[test]
    fn what_was_put_is_read_until_it_is_deleted() {
        let mut shelf = Shelf::default();
        assert_eq!(shelf.commit(vec![], vec![put("a", "1")]), Ok(vec![Outcome::Written(1)]));
        assert_eq!(shelf.get("a").unwrap().unwrap().value, b"1");
        let delete = Write { key: "a".into(), change: Change::Delete };
        assert_eq!(shelf.commit(vec![], vec![delete]), Ok(vec![Outcome::Deleted(true)]));
        assert_eq!(shelf.get("a"), Ok(None));
    }

    #[test]
    fn a_commit_that_fails_writes_nothing() {
        let mut shelf = Shelf::default();
        shelf.commit(vec![], vec![put("n", "no number")]).unwrap();
        let add = Write { key: "n".into(), change: Change::Add(1) };
        assert!(matches!(shelf.commit(vec![], vec![put("a", "1"), add]), Err(Error::Invalid(_))));
        let check = Check { key: "n".into(), expect: Expectation::Absent };
        assert_eq!(shelf.commit(vec![check], vec![put("a", "1")]), Err(Error::conflict("n")));
        assert_eq!(shelf.get("a"), Ok(None));
    }

    #[test]
    fn a_scan_goes_on_where_its_page_ended() {
        let mut shelf = Shelf::default();
        shelf.commit(vec![], vec![put("a", "1"), put("b", "2"), put("c", "3")]).unwrap();
        let mut scan = Scan { start: "a".into(), end: Some("c".into()), limit: 1, keys_only: true };
        let page = shelf.scan(&scan).unwrap();
        assert_eq!((page.entries.len(), page.next.as_deref()), (1, Some("b")));
        scan.start = page.next.unwrap();
        let page = shelf.scan(&scan).unwrap();
        assert_eq!((&*page.entries[0].key, page.next), ("b", None));
    }
}
