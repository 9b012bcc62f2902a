//! Real pages that are already on the machine: the documentation that comes with the Rust toolchain.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A tree of pages and where a crawl of it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// The folder that is served.
    pub(crate) folder: PathBuf,
    /// The first page, relative to the folder.
    pub(crate) start: String,
}

/// Where a crawl of Rust's documentation begins: the standard library, two thousand pages that link
/// to each other.
const START: &str = "std/index.html";

impl Tree {
    /// A folder of one's own.
    pub(crate) fn new(folder: &Path, start: &str) -> Self {
        Self { folder: folder.to_path_buf(), start: start.trim_start_matches('/').to_owned() }
    }

    /// The documentation of the toolchain in use, or of the one that Debian packages.
    ///
    /// # Errors
    /// A sentence that says where it was looked for and what to do.
    pub(crate) fn find() -> Result<Self, String> {
        let packaged = PathBuf::from("/usr/share/doc/rust-doc/html");
        let candidates: Vec<PathBuf> = sysroot_docs().into_iter().chain([packaged]).collect();
        let found = candidates.iter().find(|folder| folder.join(START).is_file());
        found.map(|folder| Self::new(folder, START)).ok_or_else(|| {
            let places: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
            format!(
                "no documentation of Rust in {}; type `rustup component add rust-docs`, or name a tree of \
                 HTML pages with --tree and --start, or a site with --site",
                places.join(" or ")
            )
        })
    }
}

fn sysroot_docs() -> Option<PathBuf> {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| Path::new(sysroot.trim()).join("share/doc/rust/html"))
}
