//! Counters are stored as ASCII decimal on every backend; this is the one reading of it.

use crate::{Error, Result};

/// The bytes of a counter.
pub fn encode(value: i64) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// Reads a counter: the canonical decimal form only, without plus sign, blanks or leading zeros.
pub fn decode(bytes: &[u8]) -> Option<i64> {
    let value: i64 = std::str::from_utf8(bytes).ok()?.parse().ok()?;
    (value.to_string().as_bytes() == bytes).then_some(value)
}

/// Adds `delta` to a stored counter; what is absent counts as 0.
///
/// # Errors
/// `invalid` where the stored value is no counter, or the sum leaves the range.
pub fn add(stored: Option<&[u8]>, delta: i64, key: &str) -> Result<i64> {
    let current = match stored {
        None => 0,
        Some(bytes) => {
            decode(bytes).ok_or_else(|| Error::invalid(format!("the value of `{key}` is no counter")))?
        }
    };
    let sum = current.checked_add(delta);
    sum.ok_or_else(|| Error::invalid(format!("adding {delta} to the counter `{key}` leaves its range")))
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

    #[test]
    fn a_sum_past_the_range_is_invalid() {
        assert_eq!(add(None, -3, "k"), Ok(-3));
        assert!(matches!(add(Some(b"9223372036854775807"), 1, "k"), Err(Error::Invalid(_))));
        assert!(matches!(add(Some(b"seven"), 1, "k"), Err(Error::Invalid(_))));
    }
}
