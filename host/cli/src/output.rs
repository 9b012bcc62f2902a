//! Printing: lines, bytes, and bytes within lines.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write},
};

use larder::{Entry, Timestamp};
use serde_json::{Value, json};

/// Writes a line to standard output.
pub(crate) fn line(line: impl std::fmt::Display) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{line}")
}

/// Writes lines that end in a line break already.
pub(crate) fn text(lines: &str) -> io::Result<()> {
    io::stdout().lock().write_all(lines.as_bytes())
}

/// Writes a value as it is; on a terminal with a line break after it.
pub(crate) fn bytes(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    if out.is_terminal() && !bytes.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// Text for a line of columns: a tab, a line break, a backslash and what is not UTF-8 are escaped.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => out.push_str("\\\\"),
                '\t' => out.push_str("\\t"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                c if c.is_control() => out.extend(c.escape_unicode()),
                c => out.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String never fails.
            write!(out, "\\x{byte:02x}").unwrap_or_default();
        }
    }
    out
}

/// An entry as JSON: the value as text if it is UTF-8, else in hexadecimal.
pub(crate) fn entry(key: &str, entry: &Entry) -> Value {
    let mut fields = json!({
        "key": key,
        "version": entry.version.0.to_string(),
        "expires_at_ms": entry.expires_at.map(|Timestamp(ms)| ms),
    });
    if let Some(fields) = fields.as_object_mut() {
        match std::str::from_utf8(&entry.value) {
            Ok(text) => fields.insert("value".to_owned(), text.into()),
            Err(_) => fields.insert("value_hex".to_owned(), hex(&entry.value).into()),
        };
    }
    fields
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap_or_default();
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stay_columns_whatever_the_bytes() {
        assert_eq!(escaped(b"a\tb\nc\\d"), "a\\tb\\nc\\\\d");
        assert_eq!(escaped(b"\xff\xc3\xa4\x00"), "\\xff\u{e4}\\u{0}");
    }
}
