//! The keys, and which of them a stored value names. `FORMAT.md` has the bytes.
//!
//! ```text
//! format 1: 1 nonce:24 ciphertext tag:16               authenticated besides: "larder kv-encrypt" 1 key-of-the-entry
//! format 2: 2 length:1 id nonce:24 ciphertext tag:16   authenticated besides: "larder kv-encrypt" 2 length id key-of-the-entry
//! ```
//!
//! The invariant: a value opens under the one key that its header names, and no other is tried. The header is
//! authenticated with the value, so that naming another key or format makes it `corrupt`.

use larder_sdk::{Error, Result, Settings};

use crate::cipher::{Cipher, OVERHEAD_BYTES};

/// Without the name of a key: of the setting `key`.
const UNNAMED: u8 = 1;

/// With the name of a key: of a setting `key.ID`.
const NAMED: u8 = 2;

/// Keeps these values apart from those of any other use of the same key.
const PURPOSE: &[u8] = b"larder kv-encrypt";

/// The longest name of a key, in bytes: each value carries it.
const ID_BYTES_MAX: usize = 32;

/// Most keys with names. More than a handful are a rotation that never ends.
const KEYS_MAX: usize = 64;

/// All keys of a configuration.
#[derive(Debug)]
pub(crate) struct KeyRing {
    unnamed: Option<Cipher>,
    named: Vec<NamedKey>,
    /// Its place in `named`; none: writes are under the key without a name.
    current: Option<usize>,
}

#[derive(Debug)]
struct NamedKey {
    id: String,
    cipher: Cipher,
}

impl KeyRing {
    /// From the settings `key`, `key.ID` and `current`.
    ///
    /// # Errors
    /// `invalid`, naming the setting and never its text, where there is no key to write with, a key is none, or a name
    /// is none.
    pub(crate) fn configure(settings: &mut Settings) -> Result<Self> {
        let unnamed = settings.take("key").map(|text| Cipher::from_text("key", &text)).transpose()?;
        let texts = settings.take_below("key.");
        if texts.len() > KEYS_MAX {
            return Err(Error::invalid(format!("{} settings `key.ID`, more than {KEYS_MAX}", texts.len())));
        }
        let mut named = Vec::with_capacity(texts.len());
        for (id, text) in texts {
            if !is_id(id.as_bytes()) {
                return Err(Error::invalid(format!(
                    "the setting `key.{id}`: a key's name is 1 to {ID_BYTES_MAX} letters, digits, `-`, `_` and `.`"
                )));
            }
            let cipher = Cipher::from_text(&format!("key.{id}"), &text)?;
            named.push(NamedKey { id, cipher });
        }
        let current = match settings.take("current") {
            Some(current) => Some(named.iter().position(|key| key.id == current).ok_or_else(|| {
                Error::invalid("the setting `current` names a key that no setting `key.ID` gives")
            })?),
            None if unnamed.is_some() => None,
            None if named.is_empty() => return Err(Error::invalid("the setting `key` is missing")),
            None => {
                return Err(Error::invalid("the setting `current` is missing: it names the key that writes"));
            }
        };
        Ok(Self { unnamed, named, current })
    }

    /// How much longer a value is as it is stored.
    pub(crate) fn overhead_bytes(&self) -> usize {
        let header = match self.current() {
            Some(key) => 2 + key.id.len(),
            None => 1,
        };
        header + OVERHEAD_BYTES
    }

    /// Encrypts the value of an entry under the current key.
    ///
    /// # Errors
    /// `invalid` where the value is too long for the cipher, which no value of the contract is.
    pub(crate) fn seal(&self, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        let sealed = match (self.current(), &self.unnamed) {
            (Some(NamedKey { id, cipher }), _) => {
                let header = named_header(id);
                cipher.seal(&header, &authenticated(&header, key), value)
            }
            (None, Some(cipher)) => cipher.seal(&[UNNAMED], &authenticated(&[UNNAMED], key), value),
            (None, None) => return Err(Error::other("there is no key to write with")),
        };
        sealed.ok_or_else(|| Error::invalid(format!("the value of `{key}` can't be encrypted")))
    }

    /// Decrypts the value of an entry under the key that it names.
    ///
    /// # Errors
    /// `denied` where it names a key that the settings don't give; `corrupt` where it is not what was stored under this
    /// key of the store with that key of the cipher.
    pub(crate) fn open(&self, key: &str, stored: &[u8]) -> Result<Vec<u8>> {
        let (header, id, sealed) = parted(stored)
            .ok_or_else(|| Error::corrupt(format!("the value of `{key}` is none that kv-encrypt writes")))?;
        let setting = id.map_or("key".to_owned(), |id| format!("key.{id}"));
        let cipher = match id {
            None => self.unnamed.as_ref(),
            Some(id) => self.named.iter().find(|key| key.id == id).map(|key| &key.cipher),
        };
        let cipher = cipher.ok_or_else(|| {
            Error::denied(format!(
                "the value of `{key}` says that it is encrypted with the key of the setting `{setting}`, which is not given: give it back"
            ))
        })?;
        cipher.open(&authenticated(header, key), sealed).ok_or_else(|| {
            Error::corrupt(format!(
                "the value of `{key}` was changed, moved, or encrypted with another key than that of the setting `{setting}`"
            ))
        })
    }

    fn current(&self) -> Option<&NamedKey> {
        self.named.get(self.current?)
    }
}

/// Header, name of the key, and what is sealed.
fn parted(stored: &[u8]) -> Option<(&[u8], Option<&str>, &[u8])> {
    match stored {
        [UNNAMED, ..] => stored.split_at_checked(1).map(|(header, sealed)| (header, None, sealed)),
        [NAMED, length, ..] => {
            let (header, sealed) = stored.split_at_checked(2 + usize::from(*length))?;
            let id = header.get(2..).filter(|id| is_id(id))?;
            Some((header, Some(std::str::from_utf8(id).ok()?), sealed))
        }
        _ => None,
    }
}

fn named_header(id: &str) -> Vec<u8> {
    // At most `ID_BYTES_MAX`, as `configure` sees to.
    let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
    [&[NAMED, length], id.as_bytes()].concat()
}

/// Unambiguous: the first byte of a header says how long it is, or the second.
fn authenticated(header: &[u8], key: &str) -> Vec<u8> {
    [PURPOSE, header, key.as_bytes()].concat()
}

fn is_id(id: &[u8]) -> bool {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=ID_BYTES_MAX).contains(&id.len()) && id.iter().all(fits)
}

#[cfg(test)]
mod tests;
