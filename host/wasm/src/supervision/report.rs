//! What a plugin's supervision says of it, for people and for programs.

use serde::{Deserialize, Serialize};

/// How a plugin does. Read one number after the other, while calls go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginReport {
    /// Whether it is called.
    pub state: PluginState,
    /// Strikes against its component that are not forgiven; all plugins with the same component share them.
    pub strikes: u32,
    /// The strike that quarantines.
    pub strikes_max: u32,
    /// Calls that were made, those that ended in an error included.
    pub calls: u64,
    /// Calls that were answered with an error, also by the host itself, of whatever kind.
    pub failures: u64,
    /// Instances that were lost to a trap, a spent budget or a broken promise.
    pub traps: u64,
    /// Instances that are there.
    pub instances: usize,
    /// Those of them that are in a call.
    pub instances_busy: usize,
    /// Most instances.
    pub instances_max: usize,
    /// Callers that wait for an instance.
    pub waiting: usize,
    /// Most callers that may wait.
    pub waiting_max: usize,
    /// Lines of its log that came too fast and were dropped.
    pub log_lines_dropped: u64,
    /// The last error that was not the caller's doing.
    pub last_error: Option<LastError>,
}

/// Whether a plugin is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PluginState {
    /// It is.
    Serving,
    /// It is, and what it answers is compared with what served before.
    Probation,
    /// Not before its back-off ends.
    BackingOff {
        /// Milliseconds until then.
        retry_after_ms: u64,
    },
    /// Not until its component is swapped or released.
    Quarantined {
        /// Since when, in milliseconds of the Unix epoch.
        since_ms: u64,
        /// Its last failure.
        why: String,
    },
}

/// An error of a plugin, and when it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LastError {
    /// In milliseconds of the Unix epoch.
    pub at_ms: u64,
    /// What it said.
    pub message: String,
}

impl std::fmt::Display for PluginState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Serving => f.write_str("serving"),
            Self::Probation => f.write_str("on probation"),
            Self::BackingOff { retry_after_ms } => write!(f, "backing off for {retry_after_ms} ms"),
            Self::Quarantined { why, .. } => write!(f, "quarantined: {why}"),
        }
    }
}
