//! Listings in the order of the paths' bytes.
//!
//! A service answers a page of a folder as its folders and then its blobs, each ascending. Merging them needs
//! the folders of one page in memory, never the listing.

use std::collections::VecDeque;

use opendal::{
    Result,
    raw::oio::{self, List as _},
};

use super::{Traits, metadata::decode};

/// Largest page of any service (Azure's), in entries: what lies further back than that belongs to an earlier page.
const PAGE_ENTRIES_MAX: usize = 5_000;

/// Merges folders and blobs.
pub(super) struct MergedLister {
    inner: oio::Lister,
    traits: Traits,
    /// Folders whose turn has not come.
    folders: VecDeque<oio::Entry>,
    /// What was read ahead, and comes after the folders before it.
    next: Option<oio::Entry>,
    /// A folder that begins the next page: all of `folders` come first.
    page: Option<oio::Entry>,
    has_seen_blob: bool,
    is_at_end: bool,
}

impl MergedLister {
    pub(super) fn new(inner: oio::Lister, traits: Traits) -> Self {
        Self {
            inner,
            traits,
            folders: VecDeque::new(),
            next: None,
            page: None,
            has_seen_blob: false,
            is_at_end: false,
        }
    }

    /// The next entry as the service tells it, with its metadata as it was written.
    async fn fetch(&mut self) -> Result<Option<oio::Entry>> {
        let Some(entry) = self.inner.next().await? else { return Ok(None) };
        let (path, metadata) = entry.into_parts();
        Ok(Some(oio::Entry::with(path, decode(metadata, &self.traits))))
    }
}

impl oio::List for MergedLister {
    async fn next(&mut self) -> Result<Option<oio::Entry>> {
        loop {
            // All folders of a page come before the next page.
            if self.page.is_some() {
                if let Some(folder) = self.folders.pop_front() {
                    return Ok(Some(folder));
                }
                self.folders.extend(self.page.take());
                self.has_seen_blob = false;
            }
            if let Some(blob) = self.next.take() {
                match self.folders.front() {
                    Some(folder) if folder.path() < blob.path() => {
                        self.next = Some(blob);
                        return Ok(self.folders.pop_front());
                    }
                    _ => return Ok(Some(blob)),
                }
            }
            if self.is_at_end || self.folders.len() > PAGE_ENTRIES_MAX {
                return Ok(self.folders.pop_front());
            }
            match self.fetch().await? {
                None => self.is_at_end = true,
                Some(entry) if !entry.mode().is_dir() => {
                    self.has_seen_blob = true;
                    self.next = Some(entry);
                }
                Some(folder) if self.has_seen_blob => self.page = Some(folder),
                Some(folder) => self.folders.push_back(folder),
            }
        }
    }
}
