//! The names under which a store keeps its things.
//!
//! Every name begins with the store's prefix in braces. In a cluster that is a hash tag, so a store lies in one slot:
//! each commit is atomic and each scan ordered, whatever keys it touches. Elsewhere it only keeps stores apart: no
//! prefix in braces begins another one.

use larder_core::{Error, Result};

/// Longest prefix in bytes: it is repeated in each key.
const PREFIX_BYTES_MAX: usize = 128;

/// The names of one store.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// What the name of each entry begins with; the rest of it is the key.
    pub(super) entries: String,
    /// The ordered set of all keys.
    pub(super) index: String,
    /// The ordered set of keys by deadline.
    pub(super) expiries: String,
    /// A name that is used and freed again within one script.
    pub(super) scratch: String,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            entries: format!("{{{prefix}}}:"),
            index: format!("{{{prefix}}}/index"),
            expiries: format!("{{{prefix}}}/expiries"),
            scratch: format!("{{{prefix}}}/scratch"),
        }
    }

    /// A pattern that matches the names of all entries and no others.
    pub(super) fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.entries.len() + 1);
        for c in self.entries.chars() {
            if matches!(c, '*' | '?' | '[' | ']' | '\\' | '^') {
                pattern.push('\\');
            }
            pattern.push(c);
        }
        pattern.push('*');
        pattern
    }
}

/// Refuses a prefix that would not be a hash tag.
pub(super) fn check_prefix(prefix: &str) -> Result<()> {
    let fault = if prefix.is_empty() {
        "it is empty"
    } else if prefix.len() > PREFIX_BYTES_MAX {
        "it is longer than 128 bytes"
    } else if prefix.contains(['{', '}']) {
        "it has a brace in it (the store adds braces of its own)"
    } else {
        return Ok(());
    };
    Err(Error::config(format!(
        "{prefix:?} is no prefix for keys in Redis: {fault}; expected a name such as `fetcher`"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_of_an_entry_is_a_name_of_anything_else() {
        let layout = Layout::new("fetcher");
        assert_eq!(layout.entries, "{fetcher}:");
        for other in [&layout.index, &layout.expiries, &layout.scratch] {
            assert!(!other.starts_with(&layout.entries), "{other}");
        }
    }

    #[test]
    fn a_pattern_takes_the_prefix_literally() {
        assert_eq!(Layout::new("a*[b]?\\").pattern(), "{a\\*\\[b\\]\\?\\\\}:*");
    }

    #[test]
    fn a_prefix_that_is_no_hash_tag_is_refused() {
        for bad in ["", "a}b", "{a", &"x".repeat(129)] {
            assert_eq!(check_prefix(bad).unwrap_err().kind(), larder_core::ErrorKind::Config, "{bad:?}");
        }
        assert!(check_prefix("a:b/ü").is_ok());
    }
}
