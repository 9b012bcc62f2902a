//! Namespaces: prefixes that end in `:`, put before keys and taken off again. The caller never sees them.

use std::{fmt, sync::Arc};

use larder_core::{Error, Key, KeyRange, Result, limits::KEY_BYTES_MAX};

/// A prefix, or none at the root of a store.
#[derive(Clone)]
pub(super) struct Namespace(Arc<str>);

impl Default for Namespace {
    fn default() -> Self {
        Self(Arc::from(""))
    }
}

impl Namespace {
    pub(super) fn inside(&self, name: &str) -> Result<Self> {
        if name.is_empty() {
            return Err(Error::invalid("the name of a namespace is empty"));
        }
        if name.contains(':') {
            let message =
                "the name of a namespace contains a `:`, which ends it; nest two namespaces instead";
            return Err(Error::invalid(message).with("namespace", name));
        }
        let prefix = format!("{}{name}:", self.0);
        if prefix.len() >= KEY_BYTES_MAX {
            return Err(Error::invalid("the namespace leaves no room for keys").with("bytes", prefix.len()));
        }
        Ok(Self(prefix.into()))
    }

    /// Checks a caller's key and puts the prefix before it. `store_max` is what the store takes.
    pub(super) fn key(&self, key: &str, store_max: impl FnOnce() -> usize) -> Result<Key> {
        if self.0.is_empty() {
            return Key::new(key);
        }
        if key.is_empty() {
            return Err(Error::invalid("the key is empty"));
        }
        // Counted without the prefix, as the caller counts.
        let max = store_max().min(KEY_BYTES_MAX).saturating_sub(self.0.len());
        if key.len() > max {
            return Err(Error::invalid(format!("the key has {} bytes, more than {max}", key.len())));
        }
        Key::new(format!("{}{key}", self.0))
    }

    /// A caller's range, in the keys of the store.
    pub(super) fn range(&self, start: &str, end: Option<&str>) -> KeyRange {
        let whole = KeyRange::prefix(&self.0);
        let end = end.map(|end| Arc::from(format!("{}{end}", self.0))).or(whole.end);
        KeyRange { start: format!("{}{start}", self.0).into(), end }
    }

    /// A key of the store as the caller knows it.
    pub(super) fn strip(&self, key: Key) -> Result<Key> {
        if self.0.is_empty() {
            return Ok(key);
        }
        match key.strip_prefix(&*self.0) {
            Some(rest) => Key::new(rest),
            None => Err(Error::new(
                larder_core::ErrorKind::Plugin,
                "the store answered a key that is out of range",
            )),
        }
    }

    /// The length of the prefix, in bytes.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn hide(&self, error: Error) -> Error {
        if self.0.is_empty() {
            return error;
        }
        error.map_context("key", |key| key.strip_prefix(&*self.0).unwrap_or(key).to_owned())
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "/{}", self.0) }
    }
}
