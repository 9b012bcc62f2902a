//! Where a page is within its site: path and query, without scheme, host and fragment.
//!
//! The state of a crawl holds addresses and no full URLs, so it is the same crawl when the site is
//! served from another port. The one invariant: two links that name the same resource after
//! resolution are the same address.

use std::fmt;

use url::{Position, Url};

/// Longest address that is followed, in bytes: with the prefix of its key it stays below what a key
/// may have.
const ADDRESS_BYTES_MAX: usize = 2_000;

/// Longest name of a file or folder in a blob's path, in bytes: file systems end at 255, and an
/// escaped byte takes three.
const NAME_BYTES_MAX: usize = 200;

/// Path and query of a page. Begins with `/`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Address(String);

impl Address {
    /// An address as it was stored.
    pub(crate) fn from_stored(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The address of a URL.
    pub(crate) fn of(url: &Url) -> Self {
        Self(url[Position::BeforePath..Position::AfterQuery].to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > ADDRESS_BYTES_MAX
    }

    /// Where the page is kept: the address made fit for a file system, so that a person finds the page
    /// and no two addresses share a path.
    ///
    /// Names of pages end in `.html` and names of folders don't, so that `/a` and `/a/b` can both be
    /// kept. Every byte that is not plainly harmless is escaped as `%XX`, so a `%` that is not followed
    /// by two digits is free to mark what was added here.
    pub(crate) fn blob_path(&self) -> String {
        let (folders, page) = self.0.rsplit_once('/').unwrap_or(("", &self.0));
        let mut path = String::with_capacity(self.0.len() + 8);
        for folder in folders.split('/').skip(1) {
            push_name(&mut path, folder);
            if folder.is_empty() || folder.ends_with(".html") {
                path.push('%');
            }
            path.push('/');
        }
        push_name(&mut path, page);
        if !page.ends_with(".html") {
            path.push_str("%.html");
        }
        path
    }
}

/// Escapes a name, and breaks one that is too long for a file system into nested folders.
fn push_name(path: &mut String, name: &str) {
    let mut length = 0;
    for byte in name.bytes() {
        if length >= NAME_BYTES_MAX {
            path.push_str("%~/");
            length = 0;
        }
        if byte.is_ascii_alphanumeric() || b"._-~!".contains(&byte) {
            path.push(char::from(byte));
            length += 1;
        } else {
            path.push_str(&format!("%{byte:02X}"));
            length += 3;
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn blob_path(address: &str) -> String {
        Address::from_stored(address).blob_path()
    }

    #[test]
    fn an_ordinary_page_keeps_its_name() {
        assert_eq!(blob_path("/std/vec/struct.Vec.html"), "std/vec/struct.Vec.html");
    }

    #[test]
    fn a_fragment_is_no_part_of_an_address_and_a_query_is() {
        let url = Url::parse("http://host:1/a/../b.html?x=1#y").unwrap();
        assert_eq!(Address::of(&url).as_str(), "/b.html?x=1");
    }

    #[test]
    fn no_two_addresses_share_a_path_nor_is_one_the_folder_of_another() {
        let long = format!("/{}", "x".repeat(900));
        let addresses = [
            "/",
            "//",
            "/a",
            "/a/",
            "/a//",
            "/a/b",
            "/a.html",
            "/a.html/",
            "/a.html/b",
            "/a?b",
            "/a%3Fb",
            "/a%.html",
            "/%.html",
            "/a?b/c.html",
            "/A",
            "/ä",
            &long,
        ];
        let paths: Vec<String> = addresses.iter().map(|a| blob_path(a)).collect();
        let distinct: HashSet<&String> = paths.iter().collect();
        assert_eq!(distinct.len(), addresses.len(), "{paths:?}");
        for path in &paths {
            let folder = format!("{path}/");
            assert!(!paths.iter().any(|other| other.starts_with(&folder)), "{path} is page and folder");
            assert!(path.split('/').all(|name| !name.is_empty() && name.len() <= 255 && name != ".."));
        }
    }
}
