//! Counters are stored as ASCII decimal on every backend; this is the one reading of it.

use bytes::Bytes;

use crate::{Error, Key, Result};

/// The bytes of a counter.
pub fn encode(value: i64) -> Bytes {
    Bytes::from(value.to_string())
}

/// Adds `delta` to a stored counter; what is absent counts as 0.
///
/// # Errors
/// `invalid` where the stored value is no canonical decimal `i64`, or the sum overflows.
pub fn add(stored: Option<&[u8]>, delta: i64, key: &Key) -> Result<i64> {
    let current = match stored {
        None => 0,
        Some(bytes) => {
            decode(bytes).ok_or_else(|| Error::invalid("the stored value is no counter").with("key", key))?
        }
    };
    current
        .checked_add(delta)
        .ok_or_else(|| Error::invalid(format!("adding {delta} to {current} overflows")).with("key", key))
}

/// Reads a counter: the canonical decimal form only, without plus sign, blanks or leading zeros.
pub fn decode(bytes: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let value: i64 = text.parse().ok()?;
    (value.to_string() == text).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_form_is_a_counter() {
        assert_eq!(decode(b"-9223372036854775808"), Some(i64::MIN));
        for bad in ["", "+1", " 1", "01", "-0", "1.0", "9223372036854775808", "x"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
