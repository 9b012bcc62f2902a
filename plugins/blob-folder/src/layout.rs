//! Where things lie in the granted folder.
//!
//! ```text
//! blobs/pages.d/1.html.b    the blob `pages/1.html`
//! unfinished/ID             what is being written; its name is the upload's token and the blob's entity tag
//! ```
//!
//! The endings keep folders and blobs of one name apart: `a` and `a/b` can both be there.

use larder_sdk::{Error, Result, blob};

pub(crate) const BLOBS: &str = "blobs";
pub(crate) const UNFINISHED: &str = "unfinished";

const BLOB_END: &str = ".b";
const FOLDER_END: &str = ".d";

/// The longest name that file systems take.
const NAME_BYTES_MAX: usize = 255;

/// The file of a blob.
pub(crate) fn file_of(path: &str) -> Result<String> {
    blob::check_path(path)?;
    if path.ends_with('/') {
        return Err(Error::invalid(format!("{path:?} is the path of a folder")));
    }
    let mut file = String::from(BLOBS);
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let end = if parts.peek().is_some() { FOLDER_END } else { BLOB_END };
        if part.len() + end.len() > NAME_BYTES_MAX {
            let longest = NAME_BYTES_MAX - end.len();
            return Err(Error::invalid(format!("a part of the path {path:?} has more than {longest} bytes")));
        }
        file.push('/');
        file.push_str(part);
        file.push_str(end);
    }
    Ok(file)
}

/// The file of something unfinished.
pub(crate) fn unfinished(id: &str) -> Result<String> {
    if id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(format!("{UNFINISHED}/{id}"));
    }
    Err(Error::invalid("this is no token of an upload"))
}

/// The folders on the way to a file, outermost first.
pub(crate) fn folders_of(file: &str) -> impl DoubleEndedIterator<Item = &str> {
    let slashes: Vec<usize> = file.match_indices('/').map(|(at, _)| at).collect();
    slashes.into_iter().filter_map(|at| file.get(..at))
}

/// What a name in a folder of blobs stands for: a blob's part of the path, or a folder's with its `/`.
pub(crate) fn part_of(name: &str, is_folder: bool) -> Option<String> {
    if is_folder {
        name.strip_suffix(FOLDER_END).map(|part| format!("{part}/"))
    } else {
        name.strip_suffix(BLOB_END).map(str::to_owned)
    }
}

/// The name of a folder in the folder of blobs, from its part of the path without `/`.
pub(crate) fn folder_name(part: &str) -> String {
    format!("{part}{FOLDER_END}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_file_inside_of_the_folder() {
        assert_eq!(file_of("a/b c/ü.txt").unwrap(), "blobs/a.d/b c.d/ü.txt.b");
        for bad in ["", "/a", "a/", "../a", "a/../b", "a//b", &"x".repeat(254)] {
            assert!(file_of(bad).is_err(), "{bad:?}");
        }
        assert_eq!(folders_of("blobs/a.d/b.b").collect::<Vec<_>>(), ["blobs", "blobs/a.d"]);
    }

    #[test]
    fn a_token_is_no_path() {
        assert!(unfinished("0123456789abcdef0123456789abcdef").is_ok());
        for bad in ["", "..", "../blobs/a.b", "0123456789abcdef0123456789abcde/", "x"] {
            assert!(unfinished(bad).is_err(), "{bad:?}");
        }
    }
}
