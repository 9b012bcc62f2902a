//! How a swap is done, and what it did.

use std::time::Duration;

/// How long a new generation is on probation.
const PROBATION: Duration = Duration::from_secs(30);

/// How a plugin is swapped. Everything is on unless it is switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SwapOptions {
    /// The SHA-256 that the new component must have, in hexadecimal, in place of the one that the plugin is pinned to.
    pub sha256: Option<String>,
    /// Whether the new component goes through a self-test before it serves.
    pub canary: bool,
    /// The reads that both generations are asked before the switch; none compares nothing. Only where the generations share
    /// their data, elsewhere than in an instance.
    pub shadow: Option<ShadowOptions>,
    /// How long the old generation is kept warm, to serve again where the new one does worse; none drops it at once.
    pub probation: Option<Duration>,
    /// Who asked for the swap, for the audit.
    pub by: String,
}

impl Default for SwapOptions {
    fn default() -> Self {
        Self {
            sha256: None,
            canary: true,
            shadow: Some(ShadowOptions::default()),
            probation: Some(PROBATION),
            by: "program".to_owned(),
        }
    }
}

impl SwapOptions {
    /// Accepts this component in place of the pinned one.
    #[must_use]
    pub fn with_sha256(mut self, sha256: impl Into<String>) -> Self {
        self.sha256 = Some(sha256.into());
        self
    }

    /// Sets how long the new generation is on probation.
    #[must_use]
    pub fn with_probation(mut self, probation: Option<Duration>) -> Self {
        self.probation = probation;
        self
    }

    /// Sets which reads are compared.
    #[must_use]
    pub fn with_shadow(mut self, shadow: Option<ShadowOptions>) -> Self {
        self.shadow = shadow;
        self
    }

    /// Says who asked for the swap.
    #[must_use]
    pub fn asked_by(mut self, by: impl Into<String>) -> Self {
        self.by = by.into();
        self
    }
}

/// Which reads are compared before the switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShadowOptions {
    /// One read in so many; 1 is each of them.
    pub one_in: u32,
    /// So many are enough.
    pub reads_max: u32,
    /// Longest wait for them: a plugin that is not read is swapped all the same.
    pub time_max: Duration,
}

impl Default for ShadowOptions {
    /// 64 reads of every eighth one, or what arrives of them in a quarter of a second.
    fn default() -> Self {
        Self { one_in: 8, reads_max: 64, time_max: Duration::from_millis(250) }
    }
}

impl ShadowOptions {
    /// So many reads of one in so many, or what arrives of them within a time.
    pub fn new(one_in: u32, reads_max: u32, time_max: Duration) -> Self {
        Self { one_in: one_in.max(1), reads_max, time_max }
    }
}

/// What a swap did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swapped {
    /// The digest that served before.
    pub from: String,
    /// The digest that serves now.
    pub to: String,
    /// The generation that serves now; the same as before where the digest is.
    pub generation: u64,
    /// Whether all calls of the old generation ended in time. Those that did not were left to end by themselves, within
    /// their deadline.
    pub drained: bool,
    /// How many reads both generations answered alike before the switch.
    pub compared: u32,
}
