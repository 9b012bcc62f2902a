//! Keys as memcached takes them: up to 250 bytes, without blanks and control characters.
//!
//! A key that memcached would take stands as it is, after a `=`, so that a person can read it there; any other as base64
//! after a `~`. One key has one name, and two have two.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use larder_sdk::{Error, Result};

/// Longest key of memcached, in bytes.
const NAME_BYTES_MAX: usize = 250;

/// The names of keys.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    /// Keys below a prefix, which keeps stores of one server apart.
    pub(crate) fn new(prefix: &str) -> Result<Self> {
        if !prefix.bytes().all(is_plain) || prefix.len() > 100 {
            return Err(Error::invalid(
                "the setting `prefix`: expected up to 100 ASCII characters without blanks",
            ));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// Longest key that has a name, whatever it is made of.
    pub(crate) fn key_bytes_max(&self) -> u32 {
        let room = NAME_BYTES_MAX.saturating_sub(self.prefix.len() + 1);
        // Three bytes become four.
        u32::try_from(room * 3 / 4).unwrap_or(0)
    }

    pub(crate) fn encode(&self, key: &str) -> String {
        if key.bytes().all(is_plain) {
            return format!("{}={key}", self.prefix);
        }
        format!("{}~{}", self.prefix, URL_SAFE_NO_PAD.encode(key))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic()
}
