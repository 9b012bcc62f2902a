//! Arguments that need more than a type: texts that may not be UTF-8, durations, standard input.

use std::{
    ffi::{OsStr, OsString},
    num::NonZeroU64,
    time::Duration,
};

use larder::{Error, ErrorKind, Result, config};
use tokio::io::AsyncReadExt;

use crate::failure::Failure;

/// The name of standard input and output where a file could be named.
pub(crate) const STREAM: &str = "-";

/// Largest value that is read from standard input, in bytes: no store takes a larger one.
const VALUE_BYTES_MAX: u64 = 256 << 20;

/// A key or path from the command line. They are UTF-8, arguments need not be.
pub(crate) fn text<'a>(what: &str, argument: &'a OsStr) -> Result<&'a str> {
    argument.to_str().ok_or_else(|| {
        Error::new(ErrorKind::Invalid, format!("the {what} is not UTF-8"))
            .with("argument", format!("{argument:?}"))
    })
}

/// Keys or paths from the command line.
pub(crate) fn texts<'a>(what: &str, arguments: &'a [OsString]) -> Result<Vec<&'a str>> {
    arguments.iter().map(|argument| text(what, argument)).collect()
}

/// `30s`, `5m`, `250ms`, or seconds.
pub(crate) fn duration(text: &str) -> std::result::Result<Duration, String> {
    config::parse_duration(text)
        .ok_or_else(|| "expected a duration such as 30s, 5m, 250ms or seconds".to_owned())
}

/// `10MiB`, `64KiB`, or bytes.
pub(crate) fn size(text: &str) -> std::result::Result<NonZeroU64, String> {
    config::parse_size(text)
        .and_then(NonZeroU64::new)
        .ok_or_else(|| "expected a size such as 10MiB, 64KiB or bytes, and more than 0".to_owned())
}

/// `NAME=VALUE`.
pub(crate) fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

/// A value from the command line, or all of standard input for `-`.
pub(crate) async fn value(argument: OsString) -> std::result::Result<Vec<u8>, Failure> {
    if argument != STREAM {
        return Ok(argument.into_encoded_bytes());
    }
    let mut bytes = Vec::new();
    let mut stdin = tokio::io::stdin().take(VALUE_BYTES_MAX + 1);
    stdin.read_to_end(&mut bytes).await.map_err(Failure::local("standard input"))?;
    if bytes.len() as u64 > VALUE_BYTES_MAX {
        let error =
            Error::new(ErrorKind::Invalid, "standard input has more than 256 MiB; larger things are blobs");
        return Err(error.into());
    }
    Ok(bytes)
}
