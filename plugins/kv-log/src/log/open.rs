//! Opening: replays the segments into an index, and tells the torn end of a crash from damage.
//!
//! Only the last segment can end in a record that is not whole, since it is synced before the next one is made, and
//! only the last record of it, since each is synced before the next one is written. Such an end is cut off: nobody was
//! told that it was written. A record that is not whole and is followed by one that is can't come from a crash: it is
//! damage, and the log refuses to open rather than to bring back what the lost record had replaced. A segment that
//! was written with `durability: os` promises less: there everything from the first doubt on is cut off.

use std::collections::VecDeque;

use larder_sdk::{Error, Result, warn};

use super::{
    Durability, Log, Options,
    clean::Cleaner,
    disk::Disk,
    index::{Index, Slot},
    record::{self, Logged},
    segment::{self, Segment},
};

/// How much is read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// Of what the index may take, the share that small values may.
const RESIDENT_SHARE: u64 = 4;

/// Where what was cut off is kept, for inspection; the next one replaces it.
const TORN: &str = "torn-end.bin";

/// No more than this of it is kept.
const TORN_BYTES_MAX: usize = 16 << 20;

/// Versions that may have been given and were cut off are not given again: this many are left out.
const VERSIONS_LEFT_OUT: u64 = 1 << 32;

impl<D: Disk> Log<D> {
    /// Opens the log on a disk, or makes one.
    pub(crate) fn open(mut disk: D, options: Options, now: u64) -> Result<Self> {
        let mut ids: Vec<u64> = disk.names()?.iter().filter_map(|name| Segment::id_of(name)).collect();
        ids.sort_unstable();
        if let Some((before, after)) = ids.iter().zip(ids.iter().skip(1)).find(|(a, b)| **a + 1 != **b) {
            let (before, after) = (Segment::name_of(*before), Segment::name_of(*after));
            return Err(Error::corrupt(format!("segments are missing between {before} and {after}")));
        }
        let mut log = Self {
            disk,
            options,
            index: Index::new(options.index_bytes_max / RESIDENT_SHARE),
            segments: VecDeque::new(),
            version_next: 1,
            cleaner: Cleaner::default(),
            failed: None,
        };
        let last = ids.last().copied();
        for id in ids {
            log.replay(id, Some(id) == last, now)?;
        }
        if log.segments.is_empty() {
            let unsynced = options.durability == Durability::Os;
            let first = Segment::create(&mut log.disk, 1, log.version_next, unsynced)?;
            log.segments.push_back((first, segment::HEADER_BYTES as u64));
        }
        log.index.sweep(now, usize::MAX);
        Ok(log)
    }

    fn replay(&mut self, id: u64, is_last: bool, now: u64) -> Result<()> {
        let segment = Segment::open(&mut self.disk, id)?;
        self.version_next = self.version_next.max(segment.version_floor);
        let size = self.disk.size(&segment.name())?;
        let mut window = Window { start: 0, bytes: Vec::new() };
        let mut at = segment::HEADER_BYTES as u64;
        while let Some(bytes) = window.record(&mut self.disk, &segment, at, size)? {
            if !self.replay_record(&segment, at, bytes) {
                let name = segment.name();
                return Err(Error::corrupt(format!(
                    "{name}: the record at {at} is whole and makes no sense"
                )));
            }
            at += bytes.len() as u64;
            self.index.sweep(now, usize::MAX);
        }
        if at < size {
            self.cut_torn_end(&segment, at, size, is_last, &mut window)?;
        } else if is_last {
            // Written by a process that died before it synced: from now on it is read, so it must stay.
            self.disk.sync(&segment.name())?;
        }
        self.segments.push_back((segment, at));
        Ok(())
    }

    fn replay_record(&mut self, segment: &Segment, at: u64, bytes: &[u8]) -> bool {
        let body = bytes.get(record::HEADER_BYTES..).unwrap_or_default();
        let body_at = at + record::HEADER_BYTES as u64;
        let mut next = 0;
        while next < body.len() {
            let Some((write, value_at)) = record::next_write(body, &mut next) else { return false };
            let (Logged::Put { version, .. } | Logged::Delete { version, .. }) = &write;
            self.version_next = self.version_next.max(version.saturating_add(1));
            match write {
                Logged::Put { key, value, value_sum, version, expires_at } => {
                    let slot = Slot {
                        segment: segment.id,
                        value_at: body_at + value_at as u64,
                        value_bytes: value.len(),
                        value_sum,
                        version,
                        expires_at,
                        resident: None,
                    };
                    self.index.put(key.to_owned(), slot, value);
                }
                Logged::Delete { key, .. } => self.index.remove(key),
            }
        }
        true
    }

    fn cut_torn_end(
        &mut self,
        segment: &Segment,
        at: u64,
        size: u64,
        is_last: bool,
        window: &mut Window,
    ) -> Result<()> {
        let name = segment.name();
        if !is_last {
            return Err(Error::corrupt(format!(
                "{name}: the record at {at} is damaged; the file was left as it is"
            )));
        }
        if !segment.unsynced
            && let Some(next) = window.find_record(&mut self.disk, segment, at + 1, size)?
        {
            let text = format!(
                "{name}: the record at {at} is damaged, but not the one at {next}; the file was left as it is"
            );
            return Err(Error::corrupt(text));
        }
        warn!("{name}: {} bytes at its end are no whole record and are cut off", size - at);
        let torn = self.disk.read(&name, at, TORN_BYTES_MAX)?;
        self.disk.remove(TORN)?;
        self.disk.write(TORN, 0, &torn)?;
        self.disk.truncate(&name, at)?;
        self.disk.sync(&name)?;
        self.version_next = self.version_next.saturating_add(VERSIONS_LEFT_OUT);
        Ok(())
    }
}

/// A part of a file in memory, that follows the reader.
struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The record at `at` in a file of `size` bytes; none where there is no whole one.
    fn record(
        &mut self,
        disk: &mut impl Disk,
        segment: &Segment,
        at: u64,
        size: u64,
    ) -> Result<Option<&[u8]>> {
        let header = self.get(disk, segment, at, record::HEADER_BYTES)?;
        let Some(length) = record::body_length(header).map(|body| body + record::HEADER_BYTES) else {
            return Ok(None);
        };
        if size - at < length as u64 {
            return Ok(None);
        }
        let bytes = self.get(disk, segment, at, length)?;
        Ok(record::is_whole(segment, at, bytes).then_some(bytes))
    }

    /// The offset of the first whole record from `from` on.
    fn find_record(
        &mut self,
        disk: &mut impl Disk,
        segment: &Segment,
        from: u64,
        size: u64,
    ) -> Result<Option<u64>> {
        let mut at = from;
        while at < size {
            let bytes = self.get(disk, segment, at, WINDOW_BYTES)?;
            if bytes.len() < record::MARK.len() {
                return Ok(None);
            }
            match bytes.windows(record::MARK.len()).position(|found| found == record::MARK) {
                Some(skipped) => {
                    at += skipped as u64;
                    if self.record(disk, segment, at, size)?.is_some() {
                        return Ok(Some(at));
                    }
                    at += 1;
                }
                // A mark may begin in the last bytes of the window.
                None => at += (bytes.len() - record::MARK.len() + 1) as u64,
            }
        }
        Ok(None)
    }

    /// `length` bytes at `at`, less only where the file ends.
    fn get(&mut self, disk: &mut impl Disk, segment: &Segment, at: u64, length: usize) -> Result<&[u8]> {
        let inside = |start: u64| at.checked_sub(start).and_then(|skipped| usize::try_from(skipped).ok());
        let has =
            inside(self.start).is_some_and(|skipped| self.bytes.len() >= skipped.saturating_add(length));
        if !has {
            self.bytes = disk.read(&segment.name(), at, length.max(WINDOW_BYTES))?;
            self.start = at;
        }
        let from = inside(self.start).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(from..).unwrap_or_default();
        Ok(bytes.get(..length).unwrap_or(bytes))
    }
}
