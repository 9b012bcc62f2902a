//! Connections to a server: how they are set up, and when one that lay idle is trusted.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sqlx::{
    Connection as _, Executor as _, PgPool, Postgres,
    pool::PoolOptions,
    postgres::{PgConnectOptions, PgConnection},
};
use tokio::time::Instant;

use crate::sql::SqlOptions;

/// A connection that lay idle for longer is asked whether it still lives before it is used. Servers, proxies and
/// firewalls end idle connections after minutes; a statement lost on one would be of unknown effect.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);

/// When connections broke, by the pool's own time.
#[derive(Debug)]
pub(super) struct Breaks {
    began: Instant,
    /// Milliseconds since `began`, plus one; 0 for never.
    last: AtomicU64,
}

impl Breaks {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), last: AtomicU64::new(0) })
    }

    /// A connection broke: those that lay idle at this moment are probably broken, too.
    pub(super) fn note(&self) {
        let elapsed = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.last.fetch_max(elapsed + 1, Ordering::Relaxed);
    }

    /// Whether one broke within the last `idle`.
    fn within(&self, idle: Duration) -> bool {
        let last = self.last.load(Ordering::Relaxed).checked_sub(1).map(Duration::from_millis);
        last.is_some_and(|last| broke_within(idle, last, self.began.elapsed()))
    }
}

/// Whether `last` lies within the `idle` before `now`, to the millisecond that `last` is told in.
fn broke_within(idle: Duration, last: Duration, now: Duration) -> bool {
    now.saturating_sub(last) <= idle + Duration::from_millis(1)
}

/// A pool that connects when it is first asked to.
pub(super) fn pool(options: &SqlOptions, target: &PgConnectOptions, breaks: &Arc<Breaks>) -> PgPool {
    let setup: Arc<str> = setup(options.statement_timeout).into();
    let breaks = breaks.clone();
    PoolOptions::<Postgres>::new()
        .max_connections(options.connections_max)
        .acquire_timeout(options.connect_timeout)
        .test_before_acquire(false)
        .after_connect(move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move { set_up(connection, setup).await })
        })
        .before_acquire(move |connection, meta| {
            let doubtful = meta.idle_for > IDLE_TRUSTED || breaks.within(meta.idle_for);
            Box::pin(async move { Ok(!doubtful || connection.ping().await.is_ok()) })
        })
        .connect_lazy_with(target.clone())
}

/// What a connection needs, whatever the server's, the database's and the role's settings are.
fn setup(statement_timeout: Duration) -> String {
    let ms = statement_timeout.as_millis();
    // Commits are serialisable by the keys they hold; a higher level would only make single statements fail.
    // A commit is not acknowledged before it is on disk; servers that wait for standbys as well keep doing so.
    format!(
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED; \
         SET statement_timeout = {ms}; SET idle_in_transaction_session_timeout = {ms}; \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )
}

async fn set_up(connection: &mut PgConnection, setup: Arc<str>) -> Result<(), sqlx::Error> {
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(setup))).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_idle_while_a_connection_broke_is_doubted() {
        let ms = Duration::from_millis;
        assert!(broke_within(ms(200), ms(5_000), ms(5_100)));
        assert!(!broke_within(ms(50), ms(5_000), ms(5_100)), "it was used since, and worked");
    }
}
