//! How a blob is written and how deep a listing goes.

use std::collections::BTreeMap;

/// How deep a listing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Depth {
    /// All blobs below the prefix.
    #[default]
    All,
    /// The blobs in the prefix's folder and the folders in it.
    Folder,
}

/// What a blob is written with, and when.
///
/// ```
/// # use larder::blobs::WriteOptions;
/// let options = WriteOptions::new().content_type("text/html").user("source", "http://a/").if_absent();
/// # let _ = options;
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriteOptions {
    /// A media type.
    pub content_type: Option<String>,
    /// Names and values of the caller's own.
    pub user: BTreeMap<String, String>,
    /// What must hold when the blob is finished.
    pub condition: Option<Condition>,
    /// Size of the parts that large blobs are sent in, in bytes; the service may want another.
    pub part_bytes: usize,
    /// How many parts may be on their way at once. Memory is bounded by this times the part size.
    pub parts_in_flight: usize,
}

/// What must hold when a blob is finished; else `conflict`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// There is no blob.
    Absent,
    /// There is one with this entity tag.
    Etag(String),
}

/// The usual part: large enough that a call per part costs little, small enough to hold many.
const PART_BYTES: usize = 1 << 20;

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            content_type: None,
            user: BTreeMap::new(),
            condition: None,
            part_bytes: PART_BYTES,
            parts_in_flight: 1,
        }
    }
}

impl WriteOptions {
    /// No metadata, no condition, parts of 1 MiB one after the other.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the media type.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a name and value of the caller's own.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.user.insert(name.into(), value.into());
        self
    }

    /// Writes only where there is no blob: of many who try, exactly one succeeds.
    #[must_use]
    pub fn if_absent(mut self) -> Self {
        self.condition = Some(Condition::Absent);
        self
    }

    /// Writes only over the blob with this entity tag.
    #[must_use]
    pub fn if_match(mut self, etag: impl Into<String>) -> Self {
        self.condition = Some(Condition::Etag(etag.into()));
        self
    }

    /// Sets the size of parts in bytes.
    #[must_use]
    pub fn part_bytes(mut self, part_bytes: usize) -> Self {
        self.part_bytes = part_bytes;
        self
    }

    /// Sets how many parts may be on their way at once.
    #[must_use]
    pub fn parts_in_flight(mut self, parts: usize) -> Self {
        self.parts_in_flight = parts;
        self
    }
}
