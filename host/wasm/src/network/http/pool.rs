//! Connections that wait for the next request of the same plugin under the same grant.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustls::ClientConfig;
use tokio::time::Instant;
use wasmtime_wasi_http::Result;

use super::connect::Connection;

/// Most connections of a plugin that wait; one more closes the oldest.
const IDLE_MAX: usize = 8;
/// How long one waits at most: less than servers keep theirs.
const IDLE_FOR: Duration = Duration::from_secs(30);

/// The connections of one plugin, and how it speaks TLS under each grant.
#[derive(Default)]
pub(crate) struct Pool {
    /// The oldest first.
    idle: Mutex<Vec<Idle>>,
    tls: tokio::sync::Mutex<HashMap<usize, Arc<ClientConfig>>>,
}

struct Idle {
    grant: usize,
    connection: Connection,
    since: Instant,
}

impl Pool {
    /// The connection under a grant that was used last and is open.
    pub(super) fn take(&self, grant: usize) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        clean(&mut idle);
        let at = idle.iter().rposition(|idle| idle.grant == grant)?;
        Some(idle.remove(at).connection)
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(super) fn put(&self, grant: usize, connection: Connection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        clean(&mut idle);
        if idle.len() >= IDLE_MAX {
            idle.remove(0);
        }
        idle.push(Idle { grant, connection, since: Instant::now() });
    }

    /// How TLS is spoken under a grant; made once.
    pub(super) async fn tls<F>(&self, grant: usize, make: impl FnOnce() -> F) -> Result<Arc<ClientConfig>>
    where
        F: Future<Output = Result<Arc<ClientConfig>>>,
    {
        let mut known = self.tls.lock().await;
        if let Some(config) = known.get(&grant) {
            return Ok(Arc::clone(config));
        }
        let config = make().await?;
        known.insert(grant, Arc::clone(&config));
        Ok(config)
    }
}

fn clean(idle: &mut Vec<Idle>) {
    let now = Instant::now();
    idle.retain(|idle| {
        now.saturating_duration_since(idle.since) < IDLE_FOR && !idle.connection.sender.is_closed()
    });
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}
