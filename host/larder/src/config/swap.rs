//! `plugins.NAME.swap`: how the plugin is swapped, and whether its file is watched.

use std::time::Duration;

use larder_core::Result;

use super::table::Table;

/// `plugins.NAME.swap`. What is not said is as [`SwapOptions`](crate::SwapOptions) has it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SwapSection {
    /// Whether a new component goes through a self-test before it serves.
    pub canary: Option<bool>,
    /// How long the old one can be returned to; nothing drops it at once.
    pub probation: Option<Duration>,
    /// Which reads both are asked before the switch.
    pub shadow: ShadowSection,
    /// Whether the plugin is swapped when its file changes.
    pub watch: bool,
}

/// `plugins.NAME.swap.shadow`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ShadowSection {
    /// One read in so many.
    pub one_in: Option<u32>,
    /// So many are enough; 0 compares none.
    pub reads: Option<u32>,
    /// Longest wait for them.
    pub time: Option<Duration>,
}

/// The keys of `plugins.NAME.swap`.
pub(super) const SWAP: [&str; 4] = ["canary", "probation", "shadow", "watch"];

pub(super) fn read(table: &Table<'_>) -> Result<SwapSection> {
    let shadow = table.table("shadow", &["one_in", "reads", "time"], |shadow| {
        let count =
            |key| Ok(shadow.number(key, u64::from(u32::MAX))?.and_then(|number| u32::try_from(number).ok()));
        Ok(ShadowSection { one_in: count("one_in")?, reads: count("reads")?, time: shadow.duration("time")? })
    })?;
    Ok(SwapSection {
        canary: table.truth("canary")?,
        probation: table.duration("probation")?,
        shadow: shadow.unwrap_or_default(),
        watch: table.truth("watch")?.unwrap_or(false),
    })
}
