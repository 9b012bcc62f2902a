//! How a value is stored.

use std::time::Duration;

use larder_core::{Expectation, Version};

/// A time to live and a condition, both optional.
///
/// ```
/// use std::time::Duration;
///
/// let options = larder::SetOptions::default().ttl(Duration::from_secs(60)).if_absent();
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetOptions {
    pub(super) ttl: Option<Duration>,
    pub(super) condition: Option<Expectation>,
}

impl SetOptions {
    /// The entry is never returned after this time, from 1 ms to 100 years.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// Only if there is no entry.
    #[must_use]
    pub fn if_absent(mut self) -> Self {
        self.condition = Some(Expectation::Absent);
        self
    }

    /// Only if there is an entry.
    #[must_use]
    pub fn if_present(mut self) -> Self {
        self.condition = Some(Expectation::Present);
        self
    }

    /// Only if the entry is of this version.
    #[must_use]
    pub fn if_version(mut self, version: Version) -> Self {
        self.condition = Some(Expectation::Version(version));
        self
    }
}
