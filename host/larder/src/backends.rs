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

use larder_backends::object;
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
        blob_features: &["list", "content-type", "if-absent"],
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
        schemes: &["redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis+cluster", "rediss+cluster"],
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

/// The backend that a URL is of. One whose scheme is that of a service of OpenDAL is of `opendal`.
pub fn of_url(url: &str) -> Option<&'static Backend> {
    let (scheme, _) = url.split_once("://")?;
    let own = ALL.iter().find(|backend| backend.schemes.contains(&scheme));
    own.or_else(|| if services().any(|service| service == scheme) { named("opendal") } else { None })
}

/// The services of the backend `opendal` that are compiled in, by name.
pub fn services() -> impl Iterator<Item = &'static str> {
    object::schemes().into_iter().map(|service| service.scheme)
}

/// What a store on such a service can do; none where it is not compiled in.
pub fn service_features(service: &str) -> Option<Vec<&'static str>> {
    object::schemes().into_iter().find(|found| found.scheme == service).map(|found| found.features)
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
pub(crate) fn schemes(kind: StoreKind) -> Vec<&'static str> {
    let keeping = ALL.iter().filter(|backend| backend.keeps(kind));
    let mut schemes: Vec<&str> = keeping.flat_map(|backend| backend.schemes).copied().collect();
    if kind == StoreKind::Blob {
        // S3 is in both.
        schemes.extend(services().filter(|service| named(service).is_none()));
    }
    schemes
}

/// Whether URLs begin so, of a backend or of a service that is compiled in.
pub(crate) fn is_scheme(word: &str) -> bool {
    ALL.iter().any(|backend| backend.schemes.contains(&word)) || services().any(|service| service == word)
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
