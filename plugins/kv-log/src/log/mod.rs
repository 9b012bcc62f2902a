//! The log: segments of records on a disk, and an index of them in memory.
//!
//! Writing appends one record per commit to the last segment, the active one, and syncs it; only then does the index
//! change and the commit is answered. Replaying the segments in order gives the index again. So a commit is there
//! whole or not at all, and the log after a crash is the log before it, perhaps without a commit that nobody was
//! told of.
//!
//! [`clean`] makes room, [`open`] replays; this file reads and commits.

mod clean;
pub(crate) mod disk;
mod index;
mod open;
mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use larder_sdk::kv::{Change, Check, Entry, Outcome, Page, PageBuilder, Put, Scan, Write, counter};
use larder_sdk::{Error, Result};

use clean::{Cleaner, Moved};
use disk::Disk;
use index::{Index, Slot};
use record::Logged;
use segment::Segment;

/// How many expired entries a commit forgets besides its own work.
const SWEEP_PER_COMMIT: usize = 16;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// The end of the process and of the machine: synced before it is answered.
    Full,
    /// The end of the process only: the system writes it when it likes to.
    Os,
}

/// How the log is kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    pub(crate) durability: Durability,
    /// A segment ends before the record that would take it past this.
    pub(crate) segment_bytes_max: u64,
    /// What the index may take in memory; a new key beyond it is refused.
    pub(crate) index_bytes_max: u64,
}

/// A log on a disk.
#[derive(Debug)]
pub(crate) struct Log<D> {
    disk: D,
    options: Options,
    index: Index,
    /// In the order of their ids, with their sizes; the last one is active.
    segments: VecDeque<(Segment, u64)>,
    /// What the next write gets; above every version ever given.
    version_next: u64,
    cleaner: Cleaner,
    /// Why nothing can be written any more.
    failed: Option<String>,
}

/// A write whose result is known.
struct Step {
    key: String,
    outcome: Outcome,
    /// None for a deletion.
    put: Option<Value>,
}

struct Value {
    bytes: Vec<u8>,
    sum: u32,
    version: u64,
    expires_at: Option<u64>,
}

impl<D: Disk> Log<D> {
    /// Reads an entry.
    pub(crate) fn get(&mut self, key: &str, now: u64) -> Result<Option<Entry>> {
        let Some(slot) = self.index.get(key).filter(|slot| slot.is_live(now)) else { return Ok(None) };
        let value = read_value(&mut self.disk, key, slot)?;
        Ok(Some(entry(slot, value, now)))
    }

    /// Reads a page.
    pub(crate) fn scan(&mut self, scan: &Scan, now: u64) -> Result<Page> {
        let mut page = PageBuilder::new(scan);
        if scan.is_empty() {
            return Ok(page.ending());
        }
        for (key, slot) in self.index.range(&scan.start, scan.end.as_deref()) {
            if !slot.is_live(now) {
                continue;
            }
            let value_bytes = if scan.keys_only { 0 } else { slot.value_bytes };
            if !page.has_room(key, value_bytes) {
                return Ok(page.ending_before(key));
            }
            let value = if scan.keys_only { Vec::new() } else { read_value(&mut self.disk, key, slot)? };
            page.push(key, entry(slot, value, now));
        }
        Ok(page.ending())
    }

    /// Applies all checks and writes, or nothing; durable when it returns, as far as the options say so.
    pub(crate) fn commit(&mut self, checks: &[Check], writes: Vec<Write>, now: u64) -> Result<Vec<Outcome>> {
        self.health()?;
        for check in checks {
            let live = self.index.get(&check.key).filter(|slot| slot.is_live(now));
            if !check.expect.holds(live.map(|slot| slot.version)) {
                return Err(Error::conflict(&*check.key));
            }
        }
        let mut version = self.version_next;
        let mut steps = Vec::with_capacity(writes.len());
        for write in writes {
            steps.push(self.plan(write, version, now)?);
            version += 1;
        }
        self.check_memory(&steps)?;
        self.append(steps, version, now)
    }

    /// Whether the log can be written to.
    pub(crate) fn health(&self) -> Result<()> {
        self.failed.as_ref().map_or(Ok(()), |why| {
            Err(Error::unavailable(format!("the log takes no more writes until it is opened again: {why}")))
        })
    }

    /// How many live entries there are, and what they and all segments take on disk.
    pub(crate) fn summary(&self) -> String {
        let total = self.total_bytes();
        format!("{} segments of {total} bytes, {} of them live", self.segments.len(), self.index.live_bytes())
    }

    fn total_bytes(&self) -> u64 {
        self.segments.iter().map(|(_, bytes)| bytes).sum()
    }

    fn plan(&mut self, Write { key, change }: Write, version: u64, now: u64) -> Result<Step> {
        let current = self.index.get(&key).filter(|slot| slot.is_live(now));
        let (outcome, put) = match change {
            Change::Put(Put { value, ttl_ms }) => {
                let expires_at = ttl_ms.map(|ttl| now.saturating_add(ttl));
                (Outcome::Written(version), Some((value, expires_at)))
            }
            Change::Delete => (Outcome::Deleted(current.is_some()), None),
            Change::Add(delta) => {
                let stored = match current {
                    Some(slot) => Some(read_value(&mut self.disk, &key, slot)?),
                    None => None,
                };
                let sum = counter::add(stored.as_deref(), delta, &key)?;
                let expires_at = current.and_then(|slot| slot.expires_at);
                (Outcome::Added(sum), Some((counter::encode(sum), expires_at)))
            }
        };
        let put =
            put.map(|(bytes, expires_at)| Value { sum: crc32c::crc32c(&bytes), bytes, version, expires_at });
        Ok(Step { key, outcome, put })
    }

    /// Refuses new keys where the index is full, so that memory does not run out in the middle of a write.
    fn check_memory(&self, steps: &[Step]) -> Result<()> {
        let grows = |step: &Step| step.put.is_some() && self.index.get(&step.key).is_none();
        if self.index.memory_bytes() >= self.options.index_bytes_max && steps.iter().any(grows) {
            let max = self.options.index_bytes_max;
            return Err(Error::unavailable(format!(
                "the index has reached its {max} bytes (setting `index`)"
            )));
        }
        Ok(())
    }

    /// Writes the record of a commit, with what the cleaner moves in it, and lets the index follow.
    ///
    /// One record and not two, since of two that were never synced the second may be whole without the first.
    fn append(&mut self, steps: Vec<Step>, version_next: u64, now: u64) -> Result<Vec<Outcome>> {
        // What was never there needs no tombstone.
        if steps.iter().all(|step| step.put.is_none() && self.index.get(&step.key).is_none()) {
            return Ok(steps.into_iter().map(|step| step.outcome).collect());
        }
        let commit_bytes = steps.iter().map(Step::bytes).sum();
        let Moved { mut record, places: moved, progress } = self.collect_moved(commit_bytes, now);
        let mut places = Vec::with_capacity(steps.len());
        for step in &steps {
            places.push(match &step.put {
                Some(value) => record.push(&value.logged(&step.key)),
                None => record.push(&Logged::Delete { key: &step.key, version: version_next }),
            });
        }
        let (active, start) = self.writable_segment(record.len() as u64)?;
        self.write_durably(&active, start, &record.finish(&active, start))?;

        for (key, place) in &moved {
            self.index.moved(key, active.id, start + *place as u64);
        }
        self.version_next = version_next + 1;
        let mut outcomes = Vec::with_capacity(steps.len());
        for (Step { key, outcome, put }, place) in steps.into_iter().zip(places) {
            match put {
                Some(value) => {
                    let slot = value.slot(active.id, start + place as u64);
                    self.index.put(key, slot, &value.bytes);
                }
                None => self.index.remove(&key),
            }
            outcomes.push(outcome);
        }
        self.index.sweep(now, SWEEP_PER_COMMIT);
        self.drop_cleaned(progress);
        Ok(outcomes)
    }

    /// The active segment and its size, after making a new one where `bytes` more would be too many.
    fn writable_segment(&mut self, bytes: u64) -> Result<(Segment, u64)> {
        let active = self.segments.back().copied();
        let (segment, size) = active.ok_or_else(|| Error::other("the log has no segment"))?;
        let unsynced = self.options.durability == Durability::Os;
        let is_full = size > segment::HEADER_BYTES as u64 && size + bytes > self.options.segment_bytes_max;
        if !is_full && segment.unsynced == unsynced {
            return Ok((segment, size));
        }
        // Whatever the durability: only the last segment may have a torn end.
        if let Err(error) = self.disk.sync(&segment.name()) {
            self.failed = Some(error.to_string());
            return Err(Error::unavailable(format!("the segment can't be synced: {error}")));
        }
        let next = Segment::create(&mut self.disk, segment.id + 1, self.version_next, unsynced)?;
        self.segments.push_back((next, segment::HEADER_BYTES as u64));
        Ok((next, segment::HEADER_BYTES as u64))
    }

    fn write_durably(&mut self, segment: &Segment, offset: u64, bytes: &[u8]) -> Result<()> {
        let name = segment.name();
        if let Err(error) = self.disk.write(&name, offset, bytes) {
            return Err(match self.disk.truncate(&name, offset) {
                // Nothing of it is left.
                Ok(()) => error,
                Err(again) => {
                    self.failed = Some(again.to_string());
                    Error::indeterminate(format!("{error}; and its traces can't be removed: {again}"))
                }
            });
        }
        if self.options.durability == Durability::Full
            && let Err(error) = self.disk.sync(&name)
        {
            // The system may have dropped what it could not write: a later sync that succeeds proves nothing.
            self.failed = Some(error.to_string());
            return Err(Error::indeterminate(format!("the commit can't be synced: {error}")));
        }
        if let Some((_, size)) = self.segments.back_mut() {
            *size = offset + bytes.len() as u64;
        }
        Ok(())
    }
}

impl Step {
    fn bytes(&self) -> u64 {
        record::write_bytes(&self.key, self.put.as_ref().map_or(0, |value| value.bytes.len()))
    }
}

impl Value {
    fn logged<'a>(&'a self, key: &'a str) -> Logged<'a> {
        let Self { bytes, sum, version, expires_at } = self;
        Logged::Put { key, value: bytes, value_sum: *sum, version: *version, expires_at: *expires_at }
    }

    fn slot(&self, segment: u64, value_at: u64) -> Slot {
        Slot {
            segment,
            value_at,
            value_bytes: self.bytes.len(),
            value_sum: self.sum,
            version: self.version,
            expires_at: self.expires_at,
            resident: None,
        }
    }
}

/// Reads a value, checked.
fn read_value(disk: &mut impl Disk, key: &str, slot: &Slot) -> Result<Vec<u8>> {
    if let Some(value) = &slot.resident {
        return Ok(value.to_vec());
    }
    let name = Segment::name_of(slot.segment);
    let value = disk.read(&name, slot.value_at, slot.value_bytes)?;
    if value.len() != slot.value_bytes || crc32c::crc32c(&value) != slot.value_sum {
        let at = slot.value_at;
        return Err(Error::corrupt(format!(
            "the value of `{key}` at {at} in {name} does not match its checksum"
        )));
    }
    Ok(value)
}

fn entry(slot: &Slot, value: Vec<u8>, now: u64) -> Entry {
    Entry { value, version: slot.version, expires_in_ms: slot.expires_at.map(|at| at.saturating_sub(now)) }
}
