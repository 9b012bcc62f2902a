//! Pages of a range, and values that other clients wrote.

use bytes::Bytes;
use larder_core::{
    Entry, Error, ErrorKind, Key, Page, Result, Scan, Timestamp, Version, Want,
    limits::{PAGE_BYTES_MAX, PAGE_ENTRIES_MAX},
};
use redis::{Cmd, Value};

use super::{
    commit::write_now,
    envelope::{self, Stored},
    error::{Fault, Intent},
    layout::Layout,
};

/// Most members of the index that one page looks at, so that a range full of what has expired can't hold the server.
const LOOKS_MAX: u32 = 2_000;

/// What the script made of a scan.
#[derive(Debug)]
pub(super) enum Answer {
    Page(Page),
    /// The index is not whole: it has to be built first.
    Incomplete,
}

/// Adds keys and arguments as `scan.lua` takes them.
pub(super) fn write_arguments(command: &mut Cmd, layout: &Layout, now: Option<Timestamp>, scan: &Scan) {
    command.arg(3).arg(&layout.index).arg(&layout.expiries).arg(&layout.scratch).arg(&layout.entries);
    write_now(command, now);
    // The empty member of the index is no key: from the beginning means behind it.
    match &*scan.range.start {
        "" => command.arg("("),
        start => command.arg(format!("[{start}")),
    };
    match &scan.range.end {
        None => command.arg("+"),
        Some(end) => command.arg(format!("({end}")),
    };
    command.arg(scan.limit.min(PAGE_ENTRIES_MAX)).arg(PAGE_BYTES_MAX).arg(LOOKS_MAX);
    command.arg(match scan.want {
        Want::Entries => "e",
        Want::Keys => "k",
    });
}

/// Reads the answer of `scan.lua`.
pub(super) fn read(answer: Value) -> Result<Answer> {
    let Value::Array(parts) = answer else { return Err(strange()) };
    let mut parts = parts.into_iter();
    match parts.next() {
        Some(Value::Int(0)) => {}
        Some(Value::Int(1)) => return Ok(Answer::Incomplete),
        _ => return Err(strange()),
    }
    let next = match parts.next() {
        Some(Value::BulkString(next)) if next.is_empty() => None,
        Some(Value::BulkString(next)) => Some(key(next)?),
        _ => return Err(strange()),
    };
    let mut entries = Vec::with_capacity(parts.len() / 2);
    while let Some(member) = parts.next() {
        let (Value::BulkString(member), Some(value)) = (member, parts.next()) else { return Err(strange()) };
        entries.push((key(member)?, entry(value)?));
    }
    Ok(Answer::Page(Page { entries, next }))
}

/// An entry as scripts answer it: one string with a head, or value, deadline and version of a plain one.
pub(super) fn entry(value: Value) -> Result<Entry> {
    match value {
        Value::BulkString(bytes) => match envelope::decode(bytes) {
            Stored::Entry(entry) => Ok(entry),
            Stored::Plain(_) => Err(strange()),
        },
        Value::Array(parts) => plain(parts).ok_or_else(strange),
        _ => Err(strange()),
    }
}

fn plain(parts: Vec<Value>) -> Option<Entry> {
    let [Value::BulkString(value), Value::BulkString(deadline), Value::BulkString(version)] =
        <[Value; 3]>::try_from(parts).ok()?
    else {
        return None;
    };
    let deadline = String::from_utf8(deadline).ok()?;
    let expires_at = if deadline.is_empty() { None } else { Some(Timestamp(deadline.parse().ok()?)) };
    let version = u64::from_str_radix(std::str::from_utf8(&version).ok()?, 16).ok()?;
    Some(Entry { value: Bytes::from(value), version: Version(version), expires_at })
}

fn key(member: Vec<u8>) -> Result<Key> {
    let key =
        String::from_utf8(member).map_err(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    match key.map(Key::new) {
        Ok(Ok(key)) => Ok(key),
        Ok(Err(cause)) => {
            Err(Error::new(ErrorKind::Corrupt, "the index holds something that is no key").caused_by(cause))
        }
        Err(text) => {
            Err(Error::new(ErrorKind::Corrupt, "the index holds something that is no key").with("key", text))
        }
    }
}

fn strange() -> Error {
    Fault::Strange("of a read").into_error(Intent::Read)
}
