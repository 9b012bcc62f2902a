//! How much a plugin may use, what its component may do wrong, and what a store does about it.

use std::time::Duration;

use larder_core::Result;

use super::table::Table;

/// The keys of `plugins.NAME.limits`.
pub(super) const LIMITS: [&str; 10] = [
    "deadline",
    "compute",
    "memory",
    "tables",
    "handles",
    "call_bytes",
    "socket_bytes",
    "log_lines",
    "instances",
    "queue",
];

/// The keys of `plugins.NAME.supervision`.
pub(super) const SUPERVISION: [&str; 4] = ["strikes", "backoff", "backoff_max", "forgive_after"];

/// `plugins.NAME.limits`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LimitsSection {
    /// Longest time of one call.
    pub deadline: Option<Duration>,
    /// Longest time that a call of an inline plugin may compute.
    pub compute: Option<Duration>,
    /// Most memory of one instance, in bytes.
    pub memory: Option<u64>,
    /// Most table elements of one instance.
    pub tables: Option<u32>,
    /// Most handles of one instance.
    pub handles: Option<u32>,
    /// Most bytes that one call hands to the host.
    pub call_bytes: Option<u64>,
    /// Most bytes that one call moves over connections.
    pub socket_bytes: Option<u64>,
    /// Most lines of its log in a second.
    pub log_lines: Option<u32>,
    /// Most instances.
    pub instances: Option<u32>,
    /// Most callers that wait for an instance.
    pub queue: Option<u32>,
}

/// `plugins.NAME.supervision`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SupervisionSection {
    /// The strike that quarantines the component.
    pub strikes: Option<u32>,
    /// How long its calls are refused after the second strike; each further one doubles it.
    pub backoff: Option<Duration>,
    /// Longest such time.
    pub backoff_max: Option<Duration>,
    /// How long it serves without a strike until one is forgiven.
    pub forgive_after: Option<Duration>,
}

/// `stores.NAME.on_failure`: a word, or `{ fallback: STORE }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnFailureSection {
    /// Calls fail (`fail`).
    Fail,
    /// Reads find nothing, writes and scans fail (`miss`).
    Miss,
    /// The component that served before is put back (`last-good`).
    LastGood,
    /// Another store takes reads by key and plain writes.
    Fallback(String),
}

pub(super) fn limits(table: &Table<'_>) -> Result<LimitsSection> {
    Ok(LimitsSection {
        deadline: table.duration("deadline")?,
        compute: table.duration("compute")?,
        memory: table.size("memory")?,
        tables: count(table, "tables")?,
        handles: count(table, "handles")?,
        call_bytes: table.size("call_bytes")?,
        socket_bytes: table.size("socket_bytes")?,
        log_lines: count(table, "log_lines")?,
        instances: count(table, "instances")?,
        queue: count(table, "queue")?,
    })
}

pub(super) fn supervision(table: &Table<'_>) -> Result<SupervisionSection> {
    Ok(SupervisionSection {
        strikes: count(table, "strikes")?,
        backoff: table.duration("backoff")?,
        backoff_max: table.duration("backoff_max")?,
        forgive_after: table.duration("forgive_after")?,
    })
}

fn count(table: &Table<'_>, key: &str) -> Result<Option<u32>> {
    Ok(table.number(key, u64::from(u32::MAX))?.and_then(|n| u32::try_from(n).ok()))
}

/// Makes a section of its word.
type Make = fn() -> OnFailureSection;

/// Reads `on_failure` of a store.
pub(super) fn on_failure(table: &Table<'_>) -> Result<Option<OnFailureSection>> {
    if table.text_instead("on_failure").is_none() {
        return table.table("on_failure", &["fallback"], |inner| match inner.text("fallback")? {
            Some(store) => Ok(OnFailureSection::Fallback(store)),
            None => Err(inner.refuse("fallback", "missing: the store that answers instead".to_owned())),
        });
    }
    let words: [(&str, Make); 3] = [
        ("fail", || OnFailureSection::Fail),
        ("miss", || OnFailureSection::Miss),
        ("last-good", || OnFailureSection::LastGood),
    ];
    Ok(table.word("on_failure", &words)?.map(|make| make()))
}
