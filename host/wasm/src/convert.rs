//! Between the contract's Rust types and a component's, and the checks of what a component returns: guests are
//! not trusted with lengths, order, sizes or texts.

use std::{sync::Arc, time::Duration};

use larder_core::{
    Capabilities, Change, Check, Commit, Description, Effect, Entry, Error, ErrorKind, Expectation, Key,
    Outcome, Page, Result, Scan, Timestamp, Version, Want, Write,
    limits::{KEY_BYTES_MAX, PAGE_ENTRIES_MAX, VALUE_BYTES_MAX},
};

use crate::{
    bindings::{
        WitError, WitUnavailable,
        kv::{
            Features, Instances, WitChange, WitCheck, WitDescription, WitEntry, WitExpectation,
            WitKeyedEntry, WitOutcome, WitPage, WitPut, WitWrite,
        },
    },
    instance::Access,
};

/// Longest message of a guest that is passed on, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 10;

/// A guest's text, cut to `limit` bytes, without characters that could forge a line of a log: controls, and the two
/// separators that Unicode counts among the ends of lines.
pub(crate) fn printable(text: &str, limit: usize) -> String {
    let end = text.floor_char_boundary(limit);
    let cut = text.get(..end).unwrap_or_default();
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    cut.chars().map(|c| if breaks(c) { ' ' } else { c }).collect()
}

/// An error that a guest returned.
pub(crate) fn error_from_guest(error: WitError, access: Access) -> Error {
    let (kind, message) = match error {
        WitError::Unavailable(WitUnavailable { message, retry_after_ms }) => {
            let failed = Error::new(ErrorKind::Unavailable, printable(&message, MESSAGE_BYTES_MAX));
            return match retry_after_ms {
                None => failed,
                Some(ms) => failed.retry_after(Duration::from_millis(ms.into())),
            };
        }
        WitError::Conflict(key) => {
            return Error::conflict("a check did not hold", &printable(&key, KEY_BYTES_MAX));
        }
        WitError::Indeterminate(message) => {
            return Error::new(ErrorKind::Unavailable, printable(&message, MESSAGE_BYTES_MAX))
                .effect(Effect::Unknown);
        }
        WitError::Other(message) => {
            let effect = if access == Access::Writes { Effect::Unknown } else { Effect::None };
            return Error::new(ErrorKind::Plugin, printable(&message, MESSAGE_BYTES_MAX)).effect(effect);
        }
        WitError::Invalid(message) => (ErrorKind::Invalid, message),
        WitError::Unsupported(message) => (ErrorKind::Unsupported, message),
        WitError::Denied(message) => (ErrorKind::Denied, message),
        WitError::Corrupt(message) => (ErrorKind::Corrupt, message),
        WitError::StaleCursor(message) => (ErrorKind::Conflict, message),
    };
    Error::new(kind, printable(&message, MESSAGE_BYTES_MAX))
}

/// An error of the next store, for a layer.
pub(crate) fn error_to_guest(error: &Error) -> WitError {
    let message = error.message().to_owned();
    match error.kind() {
        _ if error.is_effect_unknown() => WitError::Indeterminate(message),
        ErrorKind::Invalid => WitError::Invalid(message),
        ErrorKind::Unsupported => WitError::Unsupported(message),
        ErrorKind::Conflict => WitError::Conflict(error.context("key").unwrap_or_default().to_owned()),
        ErrorKind::Denied => WitError::Denied(message),
        ErrorKind::Corrupt => WitError::Corrupt(message),
        ErrorKind::Unavailable | ErrorKind::Timeout => WitError::Unavailable(WitUnavailable {
            message,
            retry_after_ms: error
                .retry_after_hint()
                .map(|d| u32::try_from(d.as_millis()).unwrap_or(u32::MAX)),
        }),
        _ => WitError::Other(message),
    }
}

/// A promise that the guest broke.
pub(crate) fn broken(message: String) -> Error {
    Error::new(ErrorKind::Plugin, message)
}

/// A guest's description of itself.
pub(crate) fn description(wit: &WitDescription) -> Result<Description> {
    let limit = |what: &str, value: u32, max: usize| {
        let value = value as usize;
        match value {
            0 => Err(broken(format!("the plugin says that its largest {what} has 0 bytes"))),
            v if v > max => {
                Err(broken(format!("the plugin says that its largest {what} has {v} bytes, more than {max}")))
            }
            v => Ok(v),
        }
    };
    let pairs = [
        (Features::SCAN, Capabilities::SCAN),
        (Features::TTL, Capabilities::TTL),
        (Features::VERSIONS, Capabilities::VERSIONS),
        (Features::TRANSACTIONS, Capabilities::TRANSACTIONS),
        (Features::COUNTERS, Capabilities::COUNTERS),
    ];
    Ok(Description {
        capabilities: pairs.into_iter().filter(|(f, _)| wit.features & *f == *f).map(|(_, c)| c).collect(),
        key_bytes_max: limit("key", wit.max_key_bytes, KEY_BYTES_MAX)?,
        value_bytes_max: limit("value", wit.max_value_bytes, VALUE_BYTES_MAX)?,
    })
}

/// The next store's description, for a layer.
pub(crate) fn description_to_guest(description: Description) -> WitDescription {
    let pairs = [
        (Capabilities::SCAN, Features::SCAN),
        (Capabilities::TTL, Features::TTL),
        (Capabilities::VERSIONS, Features::VERSIONS),
        (Capabilities::TRANSACTIONS, Features::TRANSACTIONS),
        (Capabilities::COUNTERS, Features::COUNTERS),
    ];
    let mut features = Features::default();
    for (capability, feature) in pairs {
        if description.capabilities.contains(capability) {
            features |= feature;
        }
    }
    WitDescription {
        features,
        instances: Instances::Many,
        max_key_bytes: u32::try_from(description.key_bytes_max).unwrap_or(u32::MAX),
        max_value_bytes: u32::try_from(description.value_bytes_max).unwrap_or(u32::MAX),
    }
}

/// An entry that a guest returned. One that has no time left is expired: none.
#[inline]
pub(crate) fn entry(
    wit: WitEntry,
    now: impl FnOnce() -> Timestamp,
    value_bytes_max: usize,
) -> Result<Option<Entry>> {
    if wit.value.len() > value_bytes_max {
        return Err(broken(format!(
            "the plugin returned a value of {} bytes, more than its own limit of {value_bytes_max}",
            wit.value.len()
        )));
    }
    let expires_at = match wit.expires_in_ms {
        None => None,
        Some(0) => return Ok(None),
        Some(ms) => Some(now().after(Duration::from_millis(ms))),
    };
    Ok(Some(Entry { value: wit.value, version: Version(wit.version), expires_at }))
}

/// An entry of the next store, for a layer.
pub(crate) fn entry_to_guest(entry: Entry, now: Timestamp) -> WitEntry {
    WitEntry {
        value: entry.value,
        version: entry.version.0,
        expires_in_ms: entry
            .expires_at
            .map(|at| u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX).max(1)),
    }
}

/// A page that a guest returned: bounded, ascending, inside the range, and going forward.
pub(crate) fn page(wit: WitPage, scan: &Scan, now: Timestamp, value_bytes_max: usize) -> Result<Page> {
    let limit = scan.limit.min(PAGE_ENTRIES_MAX) as usize;
    if wit.entries.len() > limit {
        return Err(broken(format!("the plugin returned {} entries of at most {limit}", wit.entries.len())));
    }
    let mut page = Page { entries: Vec::with_capacity(wit.entries.len()), next: None };
    let mut last: Option<Key> = None;
    for WitKeyedEntry { key, entry: found } in wit.entries {
        let key =
            Key::new(key).map_err(|e| broken(format!("the plugin returned a bad key: {}", e.message())))?;
        if !scan.range.contains(&key) {
            return Err(broken("the plugin returned a key outside the range".to_owned()).with("key", &key));
        }
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(broken("the plugin returned keys that do not ascend".to_owned()).with("key", &key));
        }
        if let Some(mut entry) = entry(found, || now, value_bytes_max)? {
            if scan.want == Want::Keys {
                entry.value = bytes::Bytes::new();
            }
            page.entries.push((key.clone(), entry));
        }
        last = Some(key);
    }
    if let Some(next) = wit.next {
        let next = Key::new(next)
            .map_err(|e| broken(format!("the plugin returned a bad next key: {}", e.message())))?;
        let forward = match &last {
            Some(last) => next > *last,
            None => *next > *scan.range.start,
        };
        if !forward {
            return Err(broken("the plugin's next key does not go forward".to_owned()).with("key", &next));
        }
        // A next key past the range says that the range is done.
        page.next = scan.range.contains(&next).then_some(next);
    }
    Ok(page)
}

/// A commit on its way into a guest.
pub(crate) fn commit_to_guest(commit: &Commit) -> (Vec<WitCheck>, Vec<WitWrite>) {
    let text = |key: &Key| -> Arc<str> { key.clone().into_inner() };
    let checks = commit.checks.iter().map(|Check { key, expect }| WitCheck {
        key: text(key),
        expect: match expect {
            Expectation::Absent => WitExpectation::Absent,
            Expectation::Present => WitExpectation::Present,
            Expectation::Version(version) => WitExpectation::Version(version.0),
        },
    });
    let writes = commit.writes.iter().map(|Write { key, change }| WitWrite {
        key: text(key),
        change: match change {
            Change::Put { value, ttl } => WitChange::Put(WitPut {
                value: value.clone(),
                ttl_ms: ttl.map(|ttl| u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)),
            }),
            Change::Delete => WitChange::Delete,
            Change::Add(delta) => WitChange::Add(*delta),
        },
    });
    (checks.collect(), writes.collect())
}

/// A commit that a layer sends to the next store.
pub(crate) fn commit_from_guest(checks: Vec<WitCheck>, writes: Vec<WitWrite>) -> Result<Commit> {
    let mut commit = Commit::new();
    for WitCheck { key, expect } in checks {
        let expect = match expect {
            WitExpectation::Absent => Expectation::Absent,
            WitExpectation::Present => Expectation::Present,
            WitExpectation::Version(version) => Expectation::Version(Version(version)),
        };
        commit = commit.check(Key::new(key)?, expect);
    }
    for WitWrite { key, change } in writes {
        let change = match change {
            WitChange::Put(WitPut { value, ttl_ms }) => {
                Change::Put { value, ttl: ttl_ms.map(Duration::from_millis) }
            }
            WitChange::Delete => Change::Delete,
            WitChange::Add(delta) => Change::Add(delta),
        };
        commit = commit.write(Key::new(key)?, change);
    }
    Ok(commit)
}

/// The outcomes that a guest returned: as many as writes, and of their kinds.
pub(crate) fn outcomes(wit: Vec<WitOutcome>, commit: &Commit) -> Result<Vec<Outcome>> {
    let wrong = |message: String| broken(message).effect(Effect::Unknown);
    if wit.len() != commit.writes.len() {
        return Err(wrong(format!(
            "the plugin returned {} outcomes of {} writes",
            wit.len(),
            commit.writes.len()
        )));
    }
    let pair = |(outcome, write): (WitOutcome, &Write)| match (outcome, &write.change) {
        (WitOutcome::Written(version), Change::Put { .. }) => Ok(Outcome::Written(Version(version))),
        (WitOutcome::Deleted(existed), Change::Delete) => Ok(Outcome::Deleted(existed)),
        (WitOutcome::Added(value), Change::Add(_)) => Ok(Outcome::Added(value)),
        _ => Err(wrong("the plugin returned an outcome of another kind than the write".to_owned())),
    };
    wit.into_iter().zip(&commit.writes).map(pair).collect()
}

/// Outcomes of the next store, for a layer.
pub(crate) fn outcomes_to_guest(outcomes: Vec<Outcome>) -> Vec<WitOutcome> {
    let one = |outcome| match outcome {
        Outcome::Written(version) => WitOutcome::Written(version.0),
        Outcome::Deleted(existed) => WitOutcome::Deleted(existed),
        Outcome::Added(value) => WitOutcome::Added(value),
    };
    outcomes.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests;
