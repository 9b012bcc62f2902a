//! How much a plugin may use and what its component may do wrong: ranges checked, the ordinary values filled in.

use std::{fmt::Display, time::Duration};

use larder_core::{Error, Result};
use larder_wasm::{PluginLimits, SupervisionRules};

use crate::config::{LimitsSection, SupervisionSection, show_duration, show_size};

/// Smallest memory that an instance may be limited to: one page of WebAssembly.
const MEMORY_BYTES_MIN: u64 = 64 << 10;
/// Fewest handles: standard streams, folders, and one file or connection to work with.
const HANDLES_MIN: u32 = 16;
/// Most handles: as many as a process has descriptors, by the ordinary setting of a server.
const HANDLES_CEILING: u32 = 65_536;
/// Most table elements: each takes 8 bytes of the host.
const TABLES_CEILING: u32 = 10_000_000;
/// Least that a call may hand over or move: one small entry with its frame.
const BYTES_MIN: u64 = 4 << 10;
/// Most that a call may hand over or move, and more than any batch of the contract.
const BYTES_CEILING: u64 = 4 << 30;
/// Most lines in a second: past it they are no log.
const LOG_LINES_CEILING: u32 = 100_000;
/// Most instances that a plugin may be allowed.
const INSTANCES_CEILING: u32 = 1_024;
/// Most callers that wait: each is a task of the fetcher.
const QUEUE_CEILING: u32 = 1_000_000;
/// Most strikes.
const STRIKES_CEILING: u32 = 1_000;
/// Longest back-off, and longest time until a strike is forgiven.
const TIME_CEILING: Duration = Duration::from_secs(24 * 60 * 60);

/// What was configured, in words, for who explains a plan.
pub(super) type Shown = Vec<String>;

pub(super) fn limits(
    section: &LimitsSection,
    refuse: &impl Fn(&str, String) -> Error,
) -> Result<(PluginLimits, Shown)> {
    let mut read = Reading { section: "limits", refuse, shown: Vec::new() };
    let mut limits = PluginLimits::default();
    if section.deadline.is_some_and(|deadline| deadline.is_zero()) {
        return Err(read.refuse("deadline", "expected more than 0"));
    }
    if let Some(deadline) = section.deadline {
        limits.deadline = deadline;
        limits.inline_budget = limits.inline_budget.min(deadline);
        read.show(format!("{} for a call", show_duration(deadline)));
    }
    if let Some(compute) = section.compute {
        if compute.is_zero() || compute > limits.deadline {
            let most = show_duration(limits.deadline);
            return Err(read.refuse("compute", format!("expected more than 0, up to the deadline of {most}")));
        }
        limits.inline_budget = compute;
        read.show(format!("{} of computing in an inline call", show_duration(compute)));
    }
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    if let Some(memory) = section.memory {
        if memory < MEMORY_BYTES_MIN {
            return Err(read.refuse("memory", format!("expected 64 KiB or more, found {memory} B")));
        }
        limits.memory_bytes_max = size(memory);
        read.show(format!("{} of memory for an instance", show_size(memory)));
    }
    if let Some(n) = read.number("tables", section.tables, 1, TABLES_CEILING)? {
        limits.table_elements_max = count(n);
        read.show(format!("{n} table elements for an instance"));
    }
    if let Some(n) = read.number("handles", section.handles, HANDLES_MIN, HANDLES_CEILING)? {
        limits.handles_max = count(n);
        read.show(format!("{n} handles for an instance"));
    }
    if let Some(n) = read.bytes("call_bytes", section.call_bytes)? {
        limits.call_bytes_max = size(n);
        read.show(format!("{} from a call to the host", show_size(n)));
    }
    if let Some(n) = read.bytes("socket_bytes", section.socket_bytes)? {
        limits.socket_bytes_max = n;
        read.show(format!("{} over connections in a call", show_size(n)));
    }
    if let Some(n) = read.number("log_lines", section.log_lines, 0, LOG_LINES_CEILING)? {
        limits.log_lines = n;
        read.show(format!("{n} lines of log a second"));
    }
    if let Some(n) = read.number("instances", section.instances, 1, INSTANCES_CEILING)? {
        limits.instances_max = count(n);
        read.show(format!("{n} instances"));
    }
    if let Some(n) = read.number("queue", section.queue, 0, QUEUE_CEILING)? {
        limits.waiting_max = count(n);
        read.show(format!("{n} callers that wait for an instance"));
    }
    Ok((limits, read.shown))
}

pub(super) fn supervision(
    section: &SupervisionSection,
    refuse: &impl Fn(&str, String) -> Error,
) -> Result<(SupervisionRules, Shown)> {
    let mut read = Reading { section: "supervision", refuse, shown: Vec::new() };
    let mut rules = SupervisionRules::default();
    if let Some(n) = read.number("strikes", section.strikes, 1, STRIKES_CEILING)? {
        rules.strikes_max = n;
        read.show(format!("quarantined at strike {n}"));
    }
    if let Some(time) = read.time("backoff", section.backoff)? {
        rules.backoff = time;
        rules.backoff_max = rules.backoff_max.max(time);
        read.show(format!("back-off from {} on", show_duration(time)));
    }
    if let Some(time) = read.time("backoff_max", section.backoff_max)? {
        if time < rules.backoff {
            let least = show_duration(rules.backoff);
            return Err(read.refuse("backoff_max", format!("expected `backoff` or more, which is {least}")));
        }
        rules.backoff_max = time;
        read.show(format!("back-off up to {}", show_duration(time)));
    }
    if let Some(time) = read.time("forgive_after", section.forgive_after)? {
        rules.forgive_after = time;
        read.show(match time.is_zero() {
            true => "no strike is forgiven".to_owned(),
            false => format!("a strike is forgiven after {}", show_duration(time)),
        });
    }
    Ok((rules, read.shown))
}

struct Reading<'a, R> {
    section: &'static str,
    refuse: &'a R,
    shown: Shown,
}

impl<R: Fn(&str, String) -> Error> Reading<'_, R> {
    fn refuse(&self, key: &str, message: impl Display) -> Error {
        (self.refuse)(&format!("{}.{key}", self.section), message.to_string())
    }

    fn show(&mut self, words: String) {
        self.shown.push(words);
    }

    fn number(&self, key: &str, given: Option<u32>, least: u32, most: u32) -> Result<Option<u32>> {
        match given {
            Some(n) if n < least || n > most => {
                Err(self.refuse(key, format!("expected {least} to {most}, found {n}")))
            }
            given => Ok(given),
        }
    }

    fn bytes(&self, key: &str, given: Option<u64>) -> Result<Option<u64>> {
        match given {
            Some(n) if !(BYTES_MIN..=BYTES_CEILING).contains(&n) => {
                let (least, most) = (show_size(BYTES_MIN), show_size(BYTES_CEILING));
                Err(self.refuse(key, format!("expected {least} to {most}, found {}", show_size(n))))
            }
            given => Ok(given),
        }
    }

    fn time(&self, key: &str, given: Option<Duration>) -> Result<Option<Duration>> {
        match given {
            Some(time) if time > TIME_CEILING => {
                Err(self.refuse(key, format!("expected up to {}", show_duration(TIME_CEILING))))
            }
            given => Ok(given),
        }
    }
}
