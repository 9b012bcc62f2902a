//! How a store is moved.

use std::{fmt, num::NonZeroU64, sync::Arc, time::Duration};

use larder_core::{Clock, SystemClock};

/// Farthest that the expiry of a copied entry may be from that of its source: a commit takes its time, and the two
/// stores' clocks are not one.
const EXPIRY_TOLERANCE: Duration = Duration::from_secs(5);

/// What is done with a target that holds something already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// Nothing is copied.
    #[default]
    Refuse,
    /// What only the source has is added. A key that both have with other content ends the run with `conflict`.
    Merge,
    /// What the source has replaces what the target has under the same key; the rest of the target stays.
    Overwrite,
}

/// Whether anything is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// The source is copied.
    #[default]
    Copy,
    /// All is read and checked as if it were copied; nothing is written.
    Dry,
}

/// Whether source and target are compared after the copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Each write was acknowledged; that is all.
    #[default]
    No,
    /// Both are read once more and compared range by range, by count and digest. What differs is named.
    Ranges,
}

/// Whether the source is counted first, so that progress can tell the time left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Totals {
    /// Nobody looks.
    #[default]
    Unknown,
    /// One more walk through the keys, or the listing.
    Count,
}

/// How a store is moved. By default: all of it, into an empty target, as fast as it goes, unverified.
#[derive(Clone)]
pub struct Options {
    /// What is done with a target that holds something already.
    pub existing: Existing,
    /// Whether anything is written.
    pub mode: Mode,
    /// Whether source and target are compared after the copy.
    pub verify: Verify,
    /// Whether the source is counted first.
    pub totals: Totals,
    /// Most entries or blobs per second.
    pub entries_per_second: Option<NonZeroU64>,
    /// Most bytes of keys and values, or of blobs, per second.
    pub bytes_per_second: Option<NonZeroU64>,
    /// Farthest that expiries may be apart to count as equal.
    pub expiry_tolerance: Duration,
    /// The clock by which the source's expiries are turned into times to live.
    pub clock: Arc<dyn Clock>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            existing: Existing::default(),
            mode: Mode::default(),
            verify: Verify::default(),
            totals: Totals::default(),
            entries_per_second: None,
            bytes_per_second: None,
            expiry_tolerance: EXPIRY_TOLERANCE,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("existing", &self.existing)
            .field("mode", &self.mode)
            .field("verify", &self.verify)
            .field("entries_per_second", &self.entries_per_second)
            .field("bytes_per_second", &self.bytes_per_second)
            .finish_non_exhaustive()
    }
}
