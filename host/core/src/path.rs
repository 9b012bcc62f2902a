//! Paths of blobs: relative, `/` between their parts, normalised. They are checked once where they come
//! in, so that no backend ever sees `..`, an absolute path or two spellings of one name.

use crate::{
    Error, Result,
    limits::{BLOB_METADATA_BYTES_MAX, BLOB_PATH_BYTES_MAX},
};

/// Checks the path of a blob.
///
/// # Errors
/// `invalid` where it is empty, longer than [`BLOB_PATH_BYTES_MAX`] bytes, begins or ends with `/` or white
/// space, has an empty part, `.` or `..` among its parts, or a NUL.
pub fn check_blob_path(path: &str) -> Result<()> {
    let why = if path.is_empty() {
        "it is empty"
    } else if path.len() > BLOB_PATH_BYTES_MAX {
        return Err(Error::invalid(format!(
            "the path has {} bytes, more than {BLOB_PATH_BYTES_MAX}",
            path.len()
        )));
    } else if path.starts_with('/') {
        "it is absolute; paths are relative to the store"
    } else if path.ends_with('/') {
        "it ends in `/`, as folders do"
    } else if path.trim() != path {
        // OpenDAL trims paths, which would give one blob two names.
        "it begins or ends with white space"
    } else if path.contains('\0') {
        "it contains a NUL"
    } else if path.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
        "it has an empty part, `.` or `..`"
    } else {
        return Ok(());
    };
    Err(Error::invalid(format!("not a path of a blob: {why}")).with("path", path.escape_debug()))
}

/// Checks the prefix of a listing: the beginning of a path, which may be empty, end in `/` or break off
/// anywhere in a part.
///
/// # Errors
/// `invalid`, as of a path.
pub fn check_blob_prefix(prefix: &str) -> Result<()> {
    if prefix.is_empty() {
        return Ok(());
    }
    // What follows the last `/` may go on in any way: one more letter makes it the path to check.
    check_blob_path(&format!("{prefix}x"))
}

/// Checks a content type and user metadata: names and values for a blob.
///
/// # Errors
/// `invalid` where a name is empty or occurs twice, or all together has more than
/// [`BLOB_METADATA_BYTES_MAX`] bytes.
pub fn check_blob_metadata<'a>(
    content_type: Option<&str>,
    user: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<()> {
    let mut bytes = content_type.map_or(0, str::len);
    let mut names = std::collections::BTreeSet::new();
    for (name, value) in user {
        if name.is_empty() {
            return Err(Error::invalid("user metadata with an empty name"));
        }
        if !names.insert(name) {
            return Err(Error::invalid(format!("user metadata names {name:?} twice")));
        }
        bytes = bytes.saturating_add(name.len()).saturating_add(value.len());
    }
    if bytes > BLOB_METADATA_BYTES_MAX {
        return Err(Error::invalid(format!(
            "content type and user metadata have {bytes} bytes, more than {BLOB_METADATA_BYTES_MAX}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling_and_stays_inside_the_store() {
        for path in ["a", "a/b.txt", "ä/日本語", "a b/c d", "...", "a/..b", ".hidden", "a\\b"] {
            assert!(check_blob_path(path).is_ok(), "{path:?}");
        }
        for path in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "../a", " a", "a\n", "a\0b"] {
            assert!(check_blob_path(path).is_err(), "{path:?}");
        }
        assert!(check_blob_path(&"a".repeat(BLOB_PATH_BYTES_MAX)).is_ok());
        assert!(check_blob_path(&"a".repeat(BLOB_PATH_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_path() {
        for prefix in ["", "a", "a/", "a/b", "a ", "a/."] {
            assert!(check_blob_prefix(prefix).is_ok(), "{prefix:?}");
        }
        for prefix in ["/", "//", "a//", "../", "a/../"] {
            assert!(check_blob_prefix(prefix).is_err(), "{prefix:?}");
        }
    }

    #[test]
    fn metadata_is_bounded_and_its_names_are_unique() {
        assert!(check_blob_metadata(Some("text/html"), [("a", "1"), ("b", "")]).is_ok());
        assert!(check_blob_metadata(None, [("a", "1"), ("a", "2")]).is_err());
        assert!(check_blob_metadata(None, [("", "1")]).is_err());
        let long = "x".repeat(BLOB_METADATA_BYTES_MAX);
        assert!(check_blob_metadata(Some(&long), []).is_ok());
        assert!(check_blob_metadata(Some(&long), [("a", "")]).is_err());
    }
}
