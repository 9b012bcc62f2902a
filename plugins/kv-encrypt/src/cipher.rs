//! XChaCha20-Poly1305 under one key.
//!
//! The nonce is random for each write: with 24 bytes, as many values as anybody will ever write under one key have
//! different ones.

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

const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;
const KEY_BYTES: usize = 32;

/// How much longer a value is with nonce and tag.
pub(crate) const OVERHEAD_BYTES: usize = NONCE_BYTES + TAG_BYTES;

/// A cipher with its key.
pub(crate) struct Cipher {
    cipher: XChaCha20Poly1305,
}

impl Cipher {
    /// From 32 bytes as 64 hexadecimal digits, or as base64 with or without padding; blanks around it don't count.
    ///
    /// # Errors
    /// `invalid`, naming the setting, without the text.
    pub(crate) fn from_text(setting: &str, text: &str) -> Result<Self> {
        let text = text.trim();
        let key = from_hex(text).or_else(|| from_base64(text));
        let key: [u8; KEY_BYTES] = key.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| {
            Error::invalid(format!("the setting `{setting}` is not 32 bytes as hexadecimal digits or base64"))
        })?;
        Ok(Self { cipher: XChaCha20Poly1305::new(&key.into()) })
    }

    /// Appends nonce, ciphertext and tag to a header; none where the value is too long for the cipher.
    pub(crate) fn seal(&self, header: &[u8], authenticated: &[u8], value: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_BYTES];
        random::fill(&mut nonce);
        let payload = Payload { msg: value, aad: authenticated };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).ok()?;
        let mut stored = Vec::with_capacity(header.len() + NONCE_BYTES + sealed.len());
        stored.extend(header);
        stored.extend(nonce);
        stored.extend(sealed);
        Some(stored)
    }

    /// The value behind nonce, ciphertext and tag; none where they are not what was sealed.
    pub(crate) fn open(&self, authenticated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: authenticated };
        self.cipher.decrypt(&XNonce::from(*nonce), payload).ok()
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cipher(XChaCha20-Poly1305)")
    }
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
        Cipher::from_text("key", &"07".repeat(KEY_BYTES)).unwrap()
    }

    #[test]
    fn each_write_has_its_own_nonce() {
        assert_ne!(cipher().seal(b"", b"", b"value").unwrap(), cipher().seal(b"", b"", b"value").unwrap());
    }

    #[test]
    fn a_key_is_32_bytes_in_either_form_and_shows_nowhere() {
        let sealed = cipher().seal(b"", b"a", b"value").unwrap();
        for text in
            ["BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"]
        {
            assert_eq!(Cipher::from_text("key", text).unwrap().open(b"a", &sealed).unwrap(), b"value");
        }
        for bad in ["", "07", "secret secret", &"07".repeat(33), &"0g".repeat(32)] {
            let error = Cipher::from_text("key.new", bad).unwrap_err();
            let Error::Invalid(text) = &error else { panic!("{error}") };
            assert!(text.contains("`key.new`") && (bad.is_empty() || !text.contains(bad)), "{error}");
        }
        assert!(!format!("{:?}", cipher()).contains('7'));
    }
}
