//! What is known of a blob.

use std::collections::BTreeMap;

use larder_core::Timestamp;

/// What is known of a blob. What the service does not keep is none or empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Metadata {
    /// Size in bytes.
    pub size_bytes: u64,
    /// Changes with the content; compared only for equality.
    pub etag: Option<String>,
    /// The media type that it was written with.
    pub content_type: Option<String>,
    /// When it was last written.
    pub modified: Option<Timestamp>,
    /// The names and values that it was written with. Listings need not have them.
    pub user: BTreeMap<String, String>,
}

impl From<&opendal::Metadata> for Metadata {
    fn from(metadata: &opendal::Metadata) -> Self {
        let modified = metadata.last_modified().map(opendal::raw::Timestamp::into_inner);
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self {
            size_bytes: metadata.content_length(),
            etag: metadata.etag().map(str::to_owned),
            content_type: metadata.content_type().map(str::to_owned),
            modified: modified.and_then(|at| u64::try_from(at.as_millisecond()).ok()).map(Timestamp),
            user: metadata
                .user_metadata()
                .map(|user| user.into_iter().map(owned).collect())
                .unwrap_or_default(),
        }
    }
}

/// A blob or a folder in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its path; that of a folder ends in `/`.
    pub path: String,
    /// What is known of the blob; none of a folder. `stat` may know more.
    pub metadata: Option<Metadata>,
}
