//! Listings: the tree of folders, walked in the order of the paths.

use larder_sdk::Result;
use larder_sdk::folder::{FileErrorKind, Folder, Kind};

use crate::layout::{self, BLOBS};

/// Paths of blobs that begin with `prefix` and come after `after`, ascending, at most `limit`.
pub(crate) fn paths(folder: &Folder, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<String>> {
    let mut walk = Walk { folder, prefix, after: after.unwrap_or(""), limit, found: Vec::new() };
    walk.enter(BLOBS, "")?;
    Ok(walk.found)
}

struct Walk<'a> {
    folder: &'a Folder,
    prefix: &'a str,
    after: &'a str,
    limit: usize,
    found: Vec<String>,
}

impl Walk<'_> {
    /// Adds what is below `place`, whose path inside of the store is `base`. A path has few parts, so that the
    /// recursion is shallow.
    fn enter(&mut self, place: &str, base: &str) -> Result<()> {
        let entries = match self.folder.entries(place) {
            Ok(entries) => entries,
            // Its last blob was deleted meanwhile.
            Err(error) if error.kind == FileErrorKind::Missing => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut parts: Vec<String> = entries
            .iter()
            .filter_map(|(name, kind)| match kind {
                Kind::File => layout::part_of(name, false),
                Kind::Folder => layout::part_of(name, true),
                Kind::Other => None,
            })
            .collect();
        // With the `/` of folders, this is the order of the whole paths below them.
        parts.sort_unstable();
        for part in parts {
            if self.found.len() >= self.limit {
                break;
            }
            let path = format!("{base}{part}");
            let Some(name) = part.strip_suffix('/') else {
                if path.starts_with(self.prefix) && path.as_str() > self.after {
                    self.found.push(path);
                }
                continue;
            };
            let wanted = path.starts_with(self.prefix) || self.prefix.starts_with(&path);
            let passed = path.as_str() < self.after && !self.after.starts_with(&path);
            if wanted && !passed {
                self.enter(&format!("{place}/{}", layout::folder_name(name)), &path)?;
            }
        }
        Ok(())
    }
}
