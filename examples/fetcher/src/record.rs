//! What became of an address.

use serde::{Deserialize, Serialize};

/// What is kept of an address that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// What it turned out to be.
    pub(crate) kind: Kind,
    /// Bytes of the page; 0 for everything else.
    pub(crate) bytes: u64,
    /// Where the page is, in the blob store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blob: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// What an address turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A page, stored.
    Page,
    /// It leads elsewhere; that was added to the frontier if it is in scope.
    Redirect,
    /// The site has no such thing.
    Missing,
    /// No HTML, or the site's rules forbid it: not stored.
    Skipped,
    /// It could not be fetched, also not after several tries.
    Failed,
}

impl Record {
    /// A page that is stored.
    pub(crate) fn page(blob: String, bytes: u64) -> Self {
        Self { kind: Kind::Page, bytes, blob: Some(blob), reason: None }
    }

    /// Anything else.
    pub(crate) fn other(kind: Kind) -> Self {
        Self { kind, bytes: 0, blob: None, reason: None }
    }

    /// A failure.
    pub(crate) fn failed(reason: String) -> Self {
        Self { kind: Kind::Failed, bytes: 0, blob: None, reason: Some(reason) }
    }

    pub(crate) fn is_page(&self) -> bool {
        self.kind == Kind::Page
    }
}
