//! Which pages are crawled.

use std::{path::PathBuf, process::Command};

use crate::{Outcome, cargo};

/// A folder of pages and the first one, relative to it.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    pub(crate) folder: PathBuf,
    pub(crate) start: String,
}

/// The documentation of Rust, which the crawler finds by itself. Where a toolchain came without it, that
/// of larder and all its dependencies is built, which is some thousand pages too.
///
/// # Errors
/// Where neither is to be had.
pub(crate) fn tree_of_pages() -> Outcome<Tree> {
    let answer = cargo::output(Command::new(cargo::binary("larder-fetcher")).arg("tree"));
    let Ok(answer) = answer else { return built() };
    let mut lines = answer.lines();
    let (folder, start) = lines.next().zip(lines.next()).ok_or("larder-fetcher names no tree of pages")?;
    Ok(Tree { folder: PathBuf::from(folder), start: start.to_owned() })
}

fn built() -> Outcome<Tree> {
    println!("this toolchain has no rust-docs; building the documentation of larder's dependencies instead");
    // A folder of its own: what else lies in target/doc would be crawled too.
    let folder = cargo::target().join("demo-pages");
    let mut command = cargo::cargo(&["doc", "--quiet", "--workspace", "--exclude", "xtask", "--target-dir"]);
    cargo::run(command.arg(&folder))?;
    Ok(Tree { folder: folder.join("doc"), start: "larder/index.html".to_owned() })
}
