//! A pooled connection for the time of one operation.
//!
//! The invariant: only a connection whose last answer was read whole goes back to the pool. One that is let go in the
//! middle of something (the caller went away, the answer did not come, the connection broke) is closed, and with it
//! whatever transaction it had open. So no transaction ever lies half done in the pool, and a server that does not
//! answer does not keep connections.

use std::{fmt, time::Duration};

use sqlx::{Database, Executor, IntoArguments, Pool, pool::PoolConnection, query::Query};
use tokio::{runtime::Handle, time::timeout};

use super::error::{Fault, Stake};

/// Longest wait for a connection that is given back to say that it lives. One that does not is dropped.
const RETURN_MAX: Duration = Duration::from_secs(5);

/// A statement with its arguments.
type Statement<DB> = Query<'static, DB, <DB as Database>::Arguments>;

pub(super) struct Lease<DB: Database> {
    /// None only while it is dropped.
    connection: Option<PoolConnection<DB>>,
    patience: Duration,
    /// Something was asked and its answer not read whole, or a transaction is open.
    unsettled: bool,
}

impl<DB: Database> Lease<DB>
where
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    DB::Arguments: IntoArguments<DB>,
{
    /// Takes a connection; `patience` is how long each answer may take.
    pub(super) async fn take(pool: &Pool<DB>, patience: Duration) -> Result<Self, Fault> {
        let connection = pool.acquire().await.map_err(|error| Fault::new(error, Stake::Nothing))?;
        Ok(Self { connection: Some(connection), patience, unsettled: false })
    }

    /// Runs one statement that stands for itself, and reads all its rows.
    pub(super) async fn rows(
        &mut self,
        statement: Statement<DB>,
        stake: Stake,
    ) -> Result<Vec<DB::Row>, Fault> {
        self.unsettled = true;
        let rows = self.rows_within(statement, stake).await;
        self.unsettled = rows.as_ref().is_err_and(|fault| fault.broken);
        rows
    }

    /// The same of a statement that answers with one row at most.
    pub(super) async fn row(
        &mut self,
        statement: Statement<DB>,
        stake: Stake,
    ) -> Result<Option<DB::Row>, Fault> {
        Ok(self.rows(statement, stake).await?.into_iter().next())
    }

    /// Reads one row at most, and looks no further: only for what is no write. SQLite commits at a statement's end, and
    /// who does not wait for it does not hear that it failed.
    pub(super) async fn look(&mut self, statement: Statement<DB>) -> Result<Option<DB::Row>, Fault> {
        self.unsettled = true;
        let patience = self.patience;
        let row = match timeout(patience, statement.fetch_optional(self.connection())).await {
            Ok(answer) => answer.map_err(|error| Fault::new(error, Stake::Nothing)),
            Err(_) => Err(Fault::late(patience, Stake::Nothing)),
        };
        self.unsettled = row.as_ref().is_err_and(|fault| fault.broken);
        row
    }

    /// Runs a statement of a transaction: the connection stays unsettled until [`settle`](Self::settle).
    pub(super) async fn rows_within(
        &mut self,
        statement: Statement<DB>,
        stake: Stake,
    ) -> Result<Vec<DB::Row>, Fault> {
        self.unsettled = true;
        let patience = self.patience;
        match timeout(patience, statement.fetch_all(self.connection())).await {
            Ok(answer) => answer.map_err(|error| Fault::new(error, stake)),
            Err(_) => Err(Fault::late(patience, stake)),
        }
    }

    /// The transaction has ended: the connection may go back.
    pub(super) fn settle(&mut self) {
        self.unsettled = false;
    }

    /// The connection is about to be used in a way that this type does not see.
    pub(super) fn unsettle(&mut self) {
        self.unsettled = true;
    }

    #[expect(clippy::expect_used, reason = "the connection leaves with the lease and not before")]
    pub(super) fn connection(&mut self) -> &mut DB::Connection {
        self.connection.as_mut().expect("a lease has its connection until it is dropped")
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let Ok(runtime) = Handle::try_current() else {
            // sqlx gives connections back, and closes them, from tasks. Without a runtime there are none: the
            // connection is cut, and the pool makes another one.
            drop(connection.detach());
            return;
        };
        if self.unsettled {
            connection.close_on_drop();
        } else {
            // sqlx asks a connection whether it lives before it takes it back, and would wait for the answer for as
            // long as the system keeps a dead connection open; then the pool would run dry. The task has this limit
            // and no other owner, as sqlx's own has not.
            let returning = connection.return_to_pool();
            drop(runtime.spawn(timeout(RETURN_MAX, returning)));
        }
    }
}

impl<DB: Database> fmt::Debug for Lease<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").field("unsettled", &self.unsettled).finish_non_exhaustive()
    }
}
