//! The limits of the contract. A backend may declare less in its [`Description`](crate::Description),
//! never more.

/// Longest key in bytes. URLs are keys, and 2,048 is what browsers and servers agree on for them.
pub const KEY_BYTES_MAX: usize = 2_048;

/// Largest value in bytes unless configured otherwise. Larger things are blobs.
pub const VALUE_BYTES_MAX: usize = 8 << 20;

/// Most entries in one page of a scan, whatever its `limit`: bounds the memory of a reader.
pub const PAGE_ENTRIES_MAX: u32 = 1_000;

/// A page ends before the entry that would take its keys and values past this many bytes; it holds
/// at least one entry all the same.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// Most checks, and most writes, in one commit: the largest that every backend can make atomic
/// (Redis scripts and SQL statements end near here).
pub const COMMIT_ITEMS_MAX: usize = 1_000;

/// Most keys and values of one commit together, in bytes: what crosses into a plugin in one call.
pub const COMMIT_BYTES_MAX: usize = 16 << 20;

/// Most keys in one `get_many`.
pub const GET_MANY_MAX: usize = 1_000;

/// Longest time to live, in milliseconds: a hundred years. Longer is a mistake of units.
pub const TTL_MS_MAX: u64 = 100 * 365 * 24 * 3_600 * 1_000;

/// Longest path of a blob in bytes: what object stores agree on.
pub const BLOB_PATH_BYTES_MAX: usize = 1_024;

/// Most bytes of a blob's content type and user metadata together. Object stores allow 2 to 8 KiB; drivers
/// keep metadata in 64 KiB blocks together with other things.
pub const BLOB_METADATA_BYTES_MAX: usize = 8 << 10;
