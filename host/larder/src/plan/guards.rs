//! What stands between the layers of a store and a backend that may be slow or away.

use std::time::Duration;

use super::Backend;
use crate::config::{StoreKind, StoreSection};

/// Bounds for a backend. What is none is not bounded.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Guards {
    pub(crate) retries: Option<u32>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) concurrency: Option<usize>,
}

/// Repetitions on this machine, where what fails for a moment is rare.
const LOCAL_RETRIES: u32 = 2;
/// Repetitions over a network: with their waits, a second and a half for a server that starts again or changes its
/// master. Longer outages are the caller's business.
const REMOTE_RETRIES: u32 = 5;

/// Longest attempt on files: an fsync of a busy disk takes seconds, half a minute is a broken one.
const FILE_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest attempt on a Redis server: beyond the driver's own limits for a connection (2 s) and an answer (5 s), which
/// know better what was sent.
const REDIS_TIMEOUT: Duration = Duration::from_secs(15);
/// Longest attempt on a database: beyond the driver's own limits for a connection and for a statement (30 s).
const SQL_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest attempt on a service of blobs: a request, a part, a piece that is read.
const OBJECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Most operations on files, and on one multiplexed connection, at once: far above what a group commit or a pipeline
/// gathers, far below the memory.
const CONCURRENCY: usize = 1_024;
/// Most operations on a pool of connections at once: enough to keep it busy, few enough that those who wait for a
/// connection get one within the driver's patience.
const SQL_CONCURRENCY: usize = 256;
/// Most requests to a service of blobs at once.
const OBJECT_CONCURRENCY: usize = 256;

/// What guards a backend. Memory is never away and never slow; a plugin has a deadline and a pool of its own; a blob may
/// be as large as it likes, and so may the time that its bytes take to the disk. They get a guard only where the
/// configuration asks for it.
pub(super) fn guards(kind: StoreKind, backend: &Backend, section: &StoreSection) -> Guards {
    let (retries, timeout, concurrency) = match (kind, backend) {
        (_, Backend::Memory) | (StoreKind::Blob, Backend::File(_)) => (None, None, None),
        (_, Backend::Plugin(_)) => (Some(LOCAL_RETRIES), None, None),
        (_, Backend::File(_)) => (Some(LOCAL_RETRIES), Some(FILE_TIMEOUT), Some(CONCURRENCY)),
        (_, Backend::Redis(_)) => (Some(REMOTE_RETRIES), Some(REDIS_TIMEOUT), Some(CONCURRENCY)),
        (_, Backend::Sql(_)) => (Some(REMOTE_RETRIES), Some(SQL_TIMEOUT), Some(SQL_CONCURRENCY)),
        (_, Backend::Object(_)) => (Some(REMOTE_RETRIES), Some(OBJECT_TIMEOUT), Some(OBJECT_CONCURRENCY)),
    };
    Guards {
        retries: section.retries.or(retries).filter(|retries| *retries > 0),
        timeout: section.timeout.or(timeout),
        concurrency: section.concurrency.and_then(|n| usize::try_from(n).ok()).or(concurrency),
    }
}
