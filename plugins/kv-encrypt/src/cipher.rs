//! XChaCha20-Poly1305 over single values.
//!
//! ```text
//! stored = format:u8 nonce:24 ciphertext tag:16         authenticated besides: "larder kv-encrypt", format, key
//! ```
//!
//! The nonce is random for each write: with 24 bytes, as many values as anybody will ever write under one key of the
//! cipher have different ones.

use std::fmt;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use larder_sdk::{Error, Result, random};

/// Changes when the layout, the cipher or what is authenticated does.
const FORMAT: u8 = 1;

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// How much larger a stored value is.
pub(crate) const OVERHEAD_BYTES: usize = 1 + NONCE_BYTES + TAG_BYTES;

/// Keeps these values apart from those of any other use of the same key.
const PURPOSE: &[u8] = b"larder kv-encrypt";

/// A cipher with its key.
pub(crate) struct Cipher {
    cipher: XChaCha20Poly1305,
}

impl Cipher {
    /// From 32 bytes as 64 hexadecimal digits, or as base64 with or without padding; blanks around it don't count.
    ///
    /// # Errors
    /// `invalid`, without the text.
    pub(crate) fn from_text(text: &str) -> Result<Self> {
        let text = text.trim();
        let key = from_hex(text).or_else(|| from_base64(text));
        let key: [u8; KEY_BYTES] = key.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
            Error::invalid("the setting `key` is not 32 bytes as hexadecimal digits or base64")
        })?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&key.into()) })
    }

    /// Encrypts the value of a key.
    pub(crate) fn seal(&self, key: &str, value: &[u8]) -> Result<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        random::fill(&mut nonce);
        let payload = Payload { msg: value, aad: &authenticated(key) };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let sealed =
            sealed.map_err(|_| Error::invalid(format!("the value of `{key}` can't be encrypted")))?;
        let mut stored = Vec::with_capacity(1 + NONCE_BYTES + sealed.len());
        stored.push(FORMAT);
        stored.extend(nonce);
        stored.extend(sealed);
        Ok(stored)
    }

    /// Decrypts the value of a key.
    ///
    /// # Errors
    /// `corrupt` where it is not what was stored under this key with this cipher.
    pub(crate) fn open(&self, key: &str, stored: Vec<u8>) -> Result<Vec<u8>> {
        let corrupt = || {
            Error::corrupt(format!("the value of `{key}` was changed, moved, or encrypted with another key"))
        };
        let Some((FORMAT, rest)) = stored.split_first().map(|(format, rest)| (*format, rest)) else {
            return Err(corrupt());
        };
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(corrupt)?;
        let payload = Payload { msg: sealed, aad: &authenticated(key) };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| corrupt())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(XChaCha20-Poly1305)")
    }
}

fn authenticated(key: &str) -> Vec<u8> {
    [PURPOSE, &[FORMAT], key.as_bytes()].concat()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher() -> Cipher {
        Cipher::from_text(&"07".repeat(KEY_BYTES)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_under_its_key_alone() {
        for value in [&b""[..], b"x", &[0; 100_000]] {
            let stored = cipher().seal("a", value).unwrap();
            assert_eq!(stored.len(), value.len() + OVERHEAD_BYTES);
            assert_eq!(cipher().open("a", stored.clone()).unwrap(), value);
            assert!(matches!(cipher().open("b", stored), Err(Error::Corrupt(text)) if text.contains("`b`")));
        }
    }

    #[test]
    fn no_changed_and_no_cut_value_opens() {
        let stored = cipher().seal("a", b"value").unwrap();
        for at in 0..stored.len() {
            let mut changed = stored.clone();
            changed[at] ^= 1;
            assert!(matches!(cipher().open("a", changed), Err(Error::Corrupt(_))), "byte {at}");
            assert!(
                matches!(cipher().open("a", stored[..at].to_vec()), Err(Error::Corrupt(_))),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn each_write_has_its_own_nonce() {
        assert_ne!(cipher().seal("a", b"value").unwrap(), cipher().seal("a", b"value").unwrap());
    }

    #[test]
    fn a_key_is_32_bytes_in_either_form_and_shows_nowhere() {
        let stored = cipher().seal("a", b"value").unwrap();
        for text in
            ["BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"]
        {
            assert_eq!(Cipher::from_text(text).unwrap().open("a", stored.clone()).unwrap(), b"value");
        }
        for bad in ["", "07", "secret secret", &"07".repeat(33), &"0g".repeat(32)] {
            let error = Cipher::from_text(bad).unwrap_err();
            assert!(
                matches!(&error, Error::Invalid(text) if bad.is_empty() || !text.contains(bad)),
                "{error}"
            );
        }
        assert!(!format!("{:?}", cipher()).contains('7'));
    }
}
