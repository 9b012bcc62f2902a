//! Cleaning: gives back what overwritten, deleted and expired entries take on disk.
//!
//! Always the oldest segment: what of it is live is written again at the end of the log, then the file is removed.
//! Since nothing is older, what is not live can be dropped without a trace, tombstones too. The work is done in
//! slices, each along with a commit and within its one sync, so that no call takes long.
//!
//! Crash-safe at each step: entries that are there twice are the same entry, and the later place is replayed last;
//! the file goes only after what was moved is durable; and the removal is made durable before the next segment, which
//! may hold tombstones for what was in this one, can be touched.

use larder_sdk::{Result, error, warn};

use super::{
    Log,
    disk::Disk,
    index::Index,
    record::{self, Logged, RecordWriter},
    segment::{self, Segment},
};

/// How much of the segment a slice goes through, besides twice what the commit writes: with it cleaning outruns
/// writing.
const SLICE_BYTES: u64 = 64 << 10;

/// A slice ends where it has this much to move: bounds the memory that a commit takes.
const MOVED_BYTES_MAX: usize = 4 << 20;

/// Where the cleaner is.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    /// The next record of the oldest segment; none between two segments.
    at: Option<u64>,
    /// Damage was found or a removal is in doubt: nothing is removed any more until the log is opened again.
    stopped: bool,
}

/// What a slice moves.
pub(super) struct Moved {
    /// A record that begins with the entries.
    pub(super) record: RecordWriter,
    /// Their keys, with the places of their values in the record.
    pub(super) places: Vec<(String, usize)>,
    /// Where the cleaner is once the record is durable.
    pub(super) progress: Option<u64>,
}

impl<D: Disk> Log<D> {
    /// Goes through the next slice of the oldest segment, where it is time to.
    pub(super) fn collect_moved(&mut self, commit_bytes: u64, now: u64) -> Moved {
        let mut moved = Moved { record: RecordWriter::new(), places: Vec::new(), progress: self.cleaner.at };
        let Some((oldest, size)) = self.segments.front().copied().filter(|_| self.should_clean()) else {
            return moved;
        };
        // What has expired must not stay in the index without being in the log.
        self.index.sweep(now, usize::MAX);
        let mut at = self.cleaner.at.unwrap_or(segment::HEADER_BYTES as u64);
        let end = size.min(at + SLICE_BYTES + 2 * commit_bytes);
        while at < end && moved.record.len() < MOVED_BYTES_MAX {
            match read_record(&mut self.disk, &oldest, at) {
                Ok(Some(bytes)) => {
                    take_live(&self.index, &oldest, at, &bytes, now, &mut moved);
                    at += bytes.len() as u64;
                }
                Ok(None) => return self.stop(format!("{} is damaged at {at}", oldest.name())),
                Err(why) => return self.stop(format!("{}: {why}", oldest.name())),
            }
        }
        moved.progress = Some(at);
        moved
    }

    /// Takes note of a slice that is durable, and removes the segment where it was the last one.
    pub(super) fn drop_cleaned(&mut self, progress: Option<u64>) {
        self.cleaner.at = progress;
        let Some((oldest, _)) = self.segments.front().copied().filter(|(_, size)| progress == Some(*size))
        else {
            return;
        };
        let removed = self.remove_segment(&oldest);
        // From here on the file may be gone or not: both are right, but the next one has to stay.
        self.segments.pop_front();
        self.cleaner.at = None;
        if let Err(why) = removed {
            warn!("cleaning stops until the log is opened again: {}: {why}", oldest.name());
            self.cleaner.stopped = true;
        }
    }

    fn remove_segment(&mut self, oldest: &Segment) -> Result<()> {
        if let Some((active, _)) = self.segments.back() {
            // With `durability: os`, what was moved is not durable yet. Older segments were synced when they ended.
            self.disk.sync(&active.name())?;
        }
        self.disk.remove(&oldest.name())?;
        self.disk.sync_names()
    }

    fn should_clean(&self) -> bool {
        if self.cleaner.stopped || self.segments.len() < 2 {
            return false;
        }
        let (live, total) = (self.index.live_bytes(), self.total_bytes());
        self.cleaner.at.is_some() || total > 2 * live + self.options.segment_bytes_max
    }

    fn stop(&mut self, why: String) -> Moved {
        error!("cleaning stops, every file is kept: {why}");
        self.cleaner = Cleaner { at: None, stopped: true };
        Moved { record: RecordWriter::new(), places: Vec::new(), progress: None }
    }
}

/// The record at `at`; none where there is no whole one.
fn read_record(disk: &mut impl Disk, segment: &Segment, at: u64) -> Result<Option<Vec<u8>>> {
    let name = segment.name();
    let header = disk.read(&name, at, record::HEADER_BYTES)?;
    let Some(length) = record::body_length(&header) else { return Ok(None) };
    let bytes = disk.read(&name, at, record::HEADER_BYTES + length)?;
    Ok(record::is_whole(segment, at, &bytes).then_some(bytes))
}

/// Adds to `moved` what of a record is live.
fn take_live(index: &Index, segment: &Segment, at: u64, bytes: &[u8], now: u64, moved: &mut Moved) {
    let body = bytes.get(record::HEADER_BYTES..).unwrap_or_default();
    let body_at = at + record::HEADER_BYTES as u64;
    let mut next = 0;
    while let Some((write, value_at)) = record::next_write(body, &mut next) {
        let Logged::Put { key, .. } = write else { continue };
        let place = (segment.id, body_at + value_at as u64);
        let slot = index.get(key).filter(|slot| (slot.segment, slot.value_at) == place);
        if slot.is_some_and(|slot| slot.is_live(now)) {
            let value_at = moved.record.push(&write);
            moved.places.push((key.to_owned(), value_at));
        }
    }
}
