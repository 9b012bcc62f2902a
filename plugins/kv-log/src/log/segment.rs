//! Segments: the files that the log consists of, and the header that each begins with.
//!
//! ```text
//! magic:8 format:u32 flags:u32 id:u64 salt:u64 version_floor:u64 sum:u32      little-endian
//! ```
//!
//! A segment comes into being whole: written under another name, synced, renamed, the folder synced. So a header
//! that does not check is damage and never the trace of a crash.

use larder_sdk::{Error, Result, random};

use super::disk::Disk;

/// What the file of a segment that is not yet one is called.
pub(crate) const UNFINISHED: &str = "segment.new";

/// Changes when the layout of segments or records does.
pub(crate) const FORMAT: u32 = 1;

/// Size of the header.
pub(crate) const HEADER_BYTES: usize = 44;

const MAGIC: &[u8; 8] = b"larderKL";

/// Its records are not synced one by one: after a crash of the machine anything may be missing from its end on.
const FLAG_UNSYNCED: u32 = 1;

/// A segment's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Segments are replayed in the order of their ids, which have no gaps.
    pub(crate) id: u64,
    /// Goes into each record's checksum, so that bytes that only look like a record of this segment are none.
    pub(crate) salt: u64,
    /// Every version given before this segment was made is below.
    pub(crate) version_floor: u64,
    /// Whether records were left to the system to write.
    pub(crate) unsynced: bool,
}

impl Segment {
    /// The name of the file of a segment.
    pub(crate) fn name_of(id: u64) -> String {
        format!("{id:016x}.log")
    }

    /// The id of a segment by the name of its file; none for other files.
    pub(crate) fn id_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".log")?;
        let id = u64::from_str_radix(digits, 16).ok()?;
        (Self::name_of(id) == name).then_some(id)
    }

    pub(crate) fn name(&self) -> String {
        Self::name_of(self.id)
    }

    /// Makes the file, durably.
    pub(crate) fn create(disk: &mut impl Disk, id: u64, version_floor: u64, unsynced: bool) -> Result<Self> {
        let mut salt = [0; 8];
        random::fill(&mut salt);
        let segment = Self { id, salt: u64::from_le_bytes(salt), version_floor, unsynced };
        // What is left of an earlier try may be longer.
        disk.remove(UNFINISHED)?;
        disk.write(UNFINISHED, 0, &segment.encode())?;
        disk.sync(UNFINISHED)?;
        disk.rename(UNFINISHED, &segment.name())?;
        disk.sync_names()?;
        Ok(segment)
    }

    /// Reads the header of the file of segment `id`.
    pub(crate) fn open(disk: &mut impl Disk, id: u64) -> Result<Self> {
        let name = Self::name_of(id);
        let bytes = disk.read(&name, 0, HEADER_BYTES)?;
        let damaged = || Error::corrupt(format!("{name}: the header is damaged"));
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(damaged)?;
        let format = u32::from_le_bytes(*rest.first_chunk().ok_or_else(damaged)?);
        if format > FORMAT {
            let text = format!("{name} has format {format}; this build of kv-log reads up to {FORMAT}");
            return Err(Error::unsupported(text));
        }
        let segment = Self::decode(&bytes).ok_or_else(damaged)?;
        if segment.id != id {
            return Err(Error::corrupt(format!("{name} is the file of another segment, {}", segment.name())));
        }
        Ok(segment)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend((if self.unsynced { FLAG_UNSYNCED } else { 0 }).to_le_bytes());
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.salt.to_le_bytes());
        bytes.extend(self.version_floor.to_le_bytes());
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let (summed, sum) = header.split_last_chunk::<4>()?;
        if crc32c::crc32c(summed) != u32::from_le_bytes(*sum) {
            return None;
        }
        let flags = u32::from_le_bytes(*summed.get(12..)?.first_chunk()?);
        let word = |at: usize| Some(u64::from_le_bytes(*summed.get(at..)?.first_chunk()?));
        let unsynced = flags & FLAG_UNSYNCED != 0;
        Some(Self { id: word(16)?, salt: word(24)?, version_floor: word(32)?, unsynced })
    }
}
