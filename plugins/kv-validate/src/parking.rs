//! Parked values: documents below a reserved prefix of the next store, in a fixed number of slots.
//!
//! A key has a *set* of [`WAYS`] slots, chosen by a hash of it. Its bad value goes to the slot that it has already, else to
//! an empty one of the set, else to the one that was written longest ago. So the number of slots is the bound, whatever
//! happens; nothing has to be counted or swept, and any store will do, and any number of instances. A bad value that is
//! written again and again takes one slot.
//!
//! The price: of nine keys of one set, one is displaced although other sets have room.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use larder_sdk::kv::{Change, Check, Entry, Expectation, Features, NextKv, Put, Write};
use larder_sdk::{Error, Result, Settings};
use serde_json::{Map, Value, json};

use crate::{
    KEY_TOLD_BYTES_MAX,
    schemas::{Reason, clipped},
};

/// Slots of a set: what is read to find the place of one value.
const WAYS: u32 = 8;

/// Most slots: their names have five digits, so that they are in order.
const SLOTS_MAX: u32 = 100_000;

/// Slots if the settings don't say otherwise.
const SLOTS_DEFAULT: u32 = 256;

/// How much of a value is kept if the settings don't say otherwise, in bytes.
const KEPT_BYTES_DEFAULT: usize = 16 << 10;

/// Most of a value that can be kept, in bytes.
const KEPT_BYTES_MAX: usize = 1 << 20;

/// What a document holds besides the value, at worst, in bytes: a key and reasons, each byte of them escaped.
const DOCUMENT_BYTES: usize = 24 << 10;

/// How many times larger a kept value is in its document at worst: each character escaped by another.
const EXPANSION: usize = 2;

/// How long a value stays if the settings don't say otherwise and the store has times to live: a week, in seconds.
const TTL_S_DEFAULT: u64 = 7 * 24 * 3_600;

/// How often the place is looked for again when somebody else took it.
const TRIES_MAX: u32 = 8;

/// A value that does not fit.
#[derive(Debug)]
pub(crate) struct Bad<'a> {
    pub(crate) key: &'a str,
    pub(crate) value: Vec<u8>,
    /// The prefix of the schema.
    pub(crate) prefix: &'a str,
    pub(crate) reasons: Vec<Reason>,
}

/// Where bad values go.
#[derive(Debug)]
pub(crate) struct Parking {
    prefix: String,
    slots: u32,
    kept_bytes: usize,
    ttl_ms: u64,
}

impl Parking {
    /// From the settings that begin with `parking`; none where `parking` is empty.
    ///
    /// # Errors
    /// `invalid`, naming the setting.
    pub(crate) fn configure(settings: &mut Settings) -> Result<Option<Self>> {
        let prefix = settings.take("parking").unwrap_or_else(|| "parked:".to_owned());
        let slots = bounded(settings, "parking_slots", SLOTS_DEFAULT, 1, SLOTS_MAX)?;
        let kept_bytes = bounded(settings, "parking_value_bytes", KEPT_BYTES_DEFAULT, 0, KEPT_BYTES_MAX)?;
        let ttl_s_max = larder_sdk::kv::TTL_MS_MAX / 1_000;
        let ttl_ms = bounded(settings, "parking_ttl_s", TTL_S_DEFAULT, 1, ttl_s_max)?.saturating_mul(1_000);
        Ok((!prefix.is_empty()).then_some(Self { prefix, slots, kept_bytes, ttl_ms }))
    }

    /// What the keys of parked values begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Keeps a bad value and tells the key that it is under.
    ///
    /// # Errors
    /// Those of the next store.
    pub(crate) fn park(&self, next: &dyn NextKv, bad: &Bad<'_>, now_ms: u64) -> Result<String> {
        let description = next.describe()?;
        let room = (description.max_value_bytes as usize).saturating_sub(DOCUMENT_BYTES) / EXPANSION;
        let kept_bytes = self.kept_bytes.min(room);
        let ttl_ms = description.features.contains(Features::TTL).then_some(self.ttl_ms);
        let set = self.set(bad.key);
        for _ in 0..TRIES_MAX {
            let found = next.get_many(&set)?;
            let (slot, entry) = place(&set, &found, bad.key)
                .ok_or_else(|| Error::other("the next store did not answer by position"))?;
            let value = document(bad, entry, kept_bytes, now_ms);
            let write = Write { key: slot.to_owned(), change: Change::Put(Put { value, ttl_ms }) };
            let mut checks = Vec::new();
            if description.features.contains(Features::VERSIONS) {
                let expect = entry.map_or(Expectation::Absent, |entry| Expectation::Version(entry.version));
                checks.push(Check { key: slot.to_owned(), expect });
            }
            match next.commit(&checks, &[write]) {
                Ok(_) => return Ok(slot.to_owned()),
                // Another value took the place in between.
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!("others took the place {TRIES_MAX} times in a row")))
    }

    /// The keys of the slots that a bad value of `key` may have.
    fn set(&self, key: &str) -> Vec<String> {
        let (sets, ways) = ((self.slots / WAYS).max(1), self.slots.min(WAYS));
        let first = (crc32c::crc32c(key.as_bytes()) % sets) * WAYS;
        (first..first + ways).map(|slot| format!("{}{slot:05}", self.prefix)).collect()
    }
}

/// A number from the settings, within its limits.
fn bounded<T: Copy + PartialOrd + fmt::Display + std::str::FromStr>(
    settings: &mut Settings,
    name: &'static str,
    default: T,
    min: T,
    max: T,
) -> Result<T>
where
    T::Err: fmt::Display,
{
    let number = settings.parse(name)?.unwrap_or(default);
    if number < min || number > max {
        return Err(Error::invalid(format!("the setting `{name}` is from {min} to {max}")));
    }
    Ok(number)
}

/// The slot for a bad value of `key`, and what is in it.
fn place<'a>(
    set: &'a [String],
    found: &'a [Option<Entry>],
    key: &str,
) -> Option<(&'a str, Option<&'a Entry>)> {
    // What can't be read is no document of ours, or one that was damaged: it is as good as the oldest.
    let rank = |entry: &Option<Entry>| match entry {
        None => (1, 0),
        Some(entry) => match read(entry) {
            Some(document) if document.get("key").and_then(Value::as_str) == Some(key) => (0, 0),
            document => (2, document.map_or(0, |document| number(&document, "last_ms"))),
        },
    };
    let (slot, entry) = set.iter().zip(found).min_by_key(|(_, entry)| rank(entry))?;
    (set.len() == found.len()).then_some((slot, entry.as_ref()))
}

fn read(entry: &Entry) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&entry.value) {
        Ok(Value::Object(document)) => Some(document),
        _ => None,
    }
}

fn number(document: &Map<String, Value>, name: &str) -> u64 {
    document.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// What is kept of a bad value; `before`: what is in its slot, of the same key or another one.
fn document(bad: &Bad<'_>, before: Option<&Entry>, kept_bytes: usize, now_ms: u64) -> Vec<u8> {
    let before =
        before.and_then(read).filter(|document| document.get("key").and_then(Value::as_str) == Some(bad.key));
    let (first_ms, times) =
        before.map_or((now_ms, 0), |document| (number(&document, "first_ms"), number(&document, "times")));
    let why: Vec<Value> =
        bad.reasons.iter().map(|reason| json!({ "at": reason.at, "why": reason.why })).collect();
    let mut document = json!({
        "key": bad.key,
        "schema": bad.prefix,
        "first_ms": first_ms,
        "last_ms": now_ms,
        "times": times.saturating_add(1),
        "why": why,
        "bytes": bad.value.len(),
    });
    let kept = bad.value.get(..kept_bytes).unwrap_or(&bad.value);
    let (form, kept, length) = match text(kept, bad.value.len()) {
        Some(text) => ("text", text.to_owned(), text.len()),
        None => ("base64", STANDARD.encode(kept), kept.len()),
    };
    if let Value::Object(fields) = &mut document {
        fields.insert(form.to_owned(), kept.into());
        if length < bad.value.len() {
            fields.insert("cut".to_owned(), true.into());
        }
    }
    document.to_string().into_bytes()
}

/// The text that `kept` is, without a character that was cut in the middle; none where it is no text, or one that would
/// become many times longer in a document.
fn text(kept: &[u8], whole_bytes: usize) -> Option<&str> {
    let text = match std::str::from_utf8(kept) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() && kept.len() < whole_bytes => {
            std::str::from_utf8(kept.get(..error.valid_up_to())?).ok()?
        }
        Err(_) => return None,
    };
    let grows = |byte: u8| byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t');
    (!text.bytes().any(grows)).then_some(text)
}

impl fmt::Display for Bad<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, prefix) = (clipped(self.key, KEY_TOLD_BYTES_MAX), clipped(self.prefix, KEY_TOLD_BYTES_MAX));
        write!(f, "the value of `{key}` does not fit the schema of `{prefix}`")?;
        for (at, Reason { at: pointer, why }) in self.reasons.iter().enumerate() {
            let before = if at == 0 { ":" } else { "," };
            if pointer.is_empty() {
                write!(f, "{before} {why}")?;
            } else {
                write!(f, "{before} at `{pointer}` {why}")?;
            }
        }
        Ok(())
    }
}
