//! Keys and ranges of keys.

use std::{fmt, ops::Deref, sync::Arc};

use crate::{Error, Result, limits::KEY_BYTES_MAX};

/// A key: UTF-8, 1 to [`KEY_BYTES_MAX`] bytes, ordered by its bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// Checks a key once; nothing behind this line checks it again.
    ///
    /// # Errors
    /// `invalid` where it is empty or longer than [`KEY_BYTES_MAX`] bytes.
    pub fn new(key: impl Into<Arc<str>>) -> Result<Self> {
        let key = key.into();
        if key.is_empty() {
            return Err(Error::invalid("the key is empty"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the key has {} bytes, more than {KEY_BYTES_MAX}",
                key.len()
            )));
        }
        Ok(Self(key))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text itself, without copying it.
    pub fn into_inner(self) -> Arc<str> {
        self.0
    }
}

impl Deref for Key {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Keys from `start` (inclusive, may be empty) to `end` (exclusive, or none for the last key).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key that may be in the range; empty means from the beginning.
    pub start: Arc<str>,
    /// The first key past the range; none means to the end.
    pub end: Option<Arc<str>>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> Self {
        Self { start: Arc::from(""), end: None }
    }

    /// Keys from `start` on.
    pub fn from_key(start: &str) -> Self {
        Self { start: Arc::from(start), end: None }
    }

    /// Keys from `start` to before `end`.
    pub fn between(start: &str, end: &str) -> Self {
        Self { start: Arc::from(start), end: Some(Arc::from(end)) }
    }

    /// Keys that begin with `prefix`.
    pub fn prefix(prefix: &str) -> Self {
        Self { start: Arc::from(prefix), end: successor(prefix).map(Arc::from) }
    }

    /// The rest of this range from `next` on: how a scan goes on after a page.
    #[must_use]
    pub fn resume(&self, next: &Key) -> Self {
        Self { start: next.0.clone(), end: self.end.clone() }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &str) -> bool {
        key >= &*self.start && self.end.as_deref().is_none_or(|end| key < end)
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_deref().is_some_and(|end| end <= &*self.start)
    }
}

/// The smallest text greater than every text that begins with `prefix`, if there is one. The order of
/// UTF-8 bytes is the order of code points, so the last one that can grow is increased.
fn successor(prefix: &str) -> Option<String> {
    let mut head = prefix.to_owned();
    while let Some(last) = head.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            char::MAX => None,
            other => char::from_u32(u32::from(other) + 1),
        };
        if let Some(next) = next {
            head.push(next);
            return Some(head);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_2048_bytes() {
        assert!(Key::new("").is_err());
        assert!(Key::new("a".repeat(KEY_BYTES_MAX)).is_ok());
        assert!(Key::new("a".repeat(KEY_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_prefix_range_holds_just_the_keys_that_begin_with_it() {
        for prefix in ["a", "a:", "ä", "a\u{D7FF}", "a\u{10FFFF}", "", "\u{10FFFF}", "z\u{7f}"] {
            let range = KeyRange::prefix(prefix);
            for key in [
                "a",
                "a:",
                "a:b",
                "a;",
                "b",
                "ä",
                "äx",
                "å",
                "a\u{D7FF}x",
                "a\u{E000}",
                "a\u{10FFFF}x",
                "\u{10FFFF}\u{10FFFF}",
                "z\u{7f}",
                "z\u{80}",
            ] {
                assert_eq!(range.contains(key), key.starts_with(prefix), "{prefix:?} {key:?}");
            }
        }
    }
}
