//! The catalogue of backends: which are compiled in, how they are named, what they keep and what they can do.
//!
//! It is the one list that everything asks: the reading of a configuration, `larder backends`, and the errors that
//! say what there is. What a store really can do is said by [`Kv::describe`](crate::Kv::describe) once it is open.
//!
//! ```
//! use larder::{StoreKind, backends};
//!
//! let redis = backends::named("redis").unwrap();
//! assert_eq!(redis.kinds, [StoreKind::Kv].as_slice());
//! assert_eq!(backends::of_url("rediss://cache.example/0"), Some(redis));
//! assert_eq!(backends::of_url("gopher://example"), None);
//! ```

use larder_core::Capabilities;

use crate::config::StoreKind;

/// A backend that is compiled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backend {
    /// What it is called where a backend is named.
    pub name: &'static str,
    /// Other names for it.
    pub aliases: &'static [&'static str],
    /// What URLs of it begin with, without `://`.
    pub schemes: &'static [&'static str],
    /// What it keeps.
    pub kinds: &'static [StoreKind],
    /// What it can do as a key-value store; empty where it is none.
    pub capabilities: Capabilities,
    /// What it can do as a blob store; empty where it is none, or where it depends.
    pub blob_features: &'static [&'static str],
    /// Where the data is, in a few words.
    pub about: &'static str,
}

const KV: &[StoreKind] = &[StoreKind::Kv];
const BLOB: &[StoreKind] = &[StoreKind::Blob];
const BOTH: &[StoreKind] = &[StoreKind::Kv, StoreKind::Blob];

const ALL: [Backend; 7] = [
    Backend {
        name: "memory",
        aliases: &[],
        schemes: &["memory"],
        kinds: BOTH,
        capabilities: Capabilities::all(),
        blob_features: &["list", "content-type"],
        about: "in this process, gone when it ends",
    },
    Backend {
        name: "file",
        aliases: &["fs"],
        schemes: &["file"],
        kinds: BOTH,
        capabilities: Capabilities::all(),
        blob_features: &["list", "content-type", "user-metadata", "if-absent", "copy"],
        about: "a folder of this machine: redb for entries, files for blobs",
    },
    Backend {
        name: "redis",
        aliases: &[],
        schemes: &["redis", "rediss", "redis-sentinel", "redis+cluster"],
        kinds: KV,
        capabilities: Capabilities::all(),
        blob_features: &[],
        about: "Redis 6.2 or newer, Valkey; standalone, Sentinel, Cluster",
    },
    Backend {
        name: "postgres",
        aliases: &["postgresql"],
        schemes: &["postgres", "postgresql"],
        kinds: KV,
        capabilities: Capabilities::all(),
        blob_features: &[],
        about: "a table in PostgreSQL",
    },
    Backend {
        name: "sqlite",
        aliases: &[],
        schemes: &["sqlite"],
        kinds: KV,
        capabilities: Capabilities::all(),
        blob_features: &[],
        about: "a table in a file of SQLite",
    },
    Backend {
        name: "s3",
        aliases: &[],
        schemes: &["s3"],
        kinds: BLOB,
        capabilities: Capabilities::empty(),
        blob_features: &["list", "content-type", "user-metadata", "if-absent", "if-match", "copy"],
        about: "a bucket of S3 or of a service that speaks it",
    },
    Backend {
        name: "opendal",
        aliases: &[],
        schemes: &[],
        kinds: BLOB,
        capabilities: Capabilities::empty(),
        blob_features: &[],
        about: "any service of OpenDAL that is compiled in, by `scheme` and `options`",
    },
];

/// Every backend that is compiled in. Plugins are backends too, by the names that a configuration gives them.
pub fn all() -> &'static [Backend] {
    &ALL
}

/// The backend of that name, or of one of its other names.
pub fn named(name: &str) -> Option<&'static Backend> {
    ALL.iter().find(|backend| backend.name == name || backend.aliases.contains(&name))
}

/// The backend that a URL is of.
pub fn of_url(url: &str) -> Option<&'static Backend> {
    let (scheme, _) = url.split_once("://")?;
    ALL.iter().find(|backend| backend.schemes.contains(&scheme))
}

impl Backend {
    /// Whether it can keep a store of that kind.
    pub fn keeps(&self, kind: StoreKind) -> bool {
        self.kinds.contains(&kind)
    }
}

/// The names of those that keep a kind, for errors.
pub(crate) fn names(kind: StoreKind) -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(move |backend| backend.keeps(kind)).map(|backend| backend.name)
}

/// The schemes of those that keep a kind, for errors.
pub(crate) fn schemes(kind: StoreKind) -> impl Iterator<Item = &'static str> {
    let schemes = |backend: &'static Backend| backend.schemes.iter().copied();
    ALL.iter().filter(move |backend| backend.keeps(kind)).flat_map(schemes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_name_or_a_scheme_is_of_one_backend() {
        let names = || ALL.iter().flat_map(|b| b.aliases.iter().copied().chain([b.name]));
        assert_eq!(names().collect::<BTreeSet<_>>().len(), names().count());
        let schemes = || ALL.iter().flat_map(|b| b.schemes.iter());
        assert_eq!(schemes().collect::<BTreeSet<_>>().len(), schemes().count());
        for backend in &ALL {
            assert_eq!(named(backend.name), Some(backend));
            assert!(!backend.kinds.is_empty());
            assert_eq!(backend.capabilities.is_empty(), !backend.keeps(StoreKind::Kv), "{}", backend.name);
        }
    }
}
