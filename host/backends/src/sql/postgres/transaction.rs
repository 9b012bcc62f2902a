//! A transaction that holds its keys.
//!
//! It takes the rows of its keys in ascending order, and puts rows in the place of absent ones; so two of them never
//! wait for each other in a circle, and nobody creates what one of them has found absent. Once it has them, the
//! database may run it at its lowest isolation: nothing that it reads can change.

use std::sync::Arc;

use larder_core::{Key, Outcome};
use sqlx::{postgres::PgRow, query};

use super::{Shared, Statement, key_bytes, states, written};
use crate::sql::{
    driver::{Answer, Put, States, Transaction},
    error::Stake,
    lease::Lease,
};

pub(in crate::sql) struct PostgresTransaction {
    lease: Lease<sqlx::Postgres>,
    shared: Arc<Shared>,
}

impl PostgresTransaction {
    pub(super) async fn begin(
        lease: Lease<sqlx::Postgres>,
        shared: Arc<Shared>,
        keys: &[&Key],
    ) -> Answer<Self> {
        let mut transaction = Self { lease, shared };
        transaction.run(query("BEGIN"), Stake::Nothing).await?;
        let take = query(transaction.shared.statements.take.clone()).bind(key_bytes(keys.iter().copied()));
        transaction.run(take, Stake::Nothing).await?;
        Ok(transaction)
    }

    /// An error ends the transaction: by a rollback where the connection still works, else with the connection.
    async fn run(&mut self, statement: Statement, stake: Stake) -> Answer<Vec<PgRow>> {
        let answer = self.lease.rows_within(statement, stake).await;
        if answer.as_ref().is_err_and(|fault| !fault.broken)
            && self.lease.rows_within(query("ROLLBACK"), Stake::Nothing).await.is_ok()
        {
            self.lease.settle();
        }
        self.shared.noted(answer)
    }
}

impl Transaction for PostgresTransaction {
    async fn states(&mut self, keys: &[&Key]) -> Answer<States> {
        let rows = self.run(self.shared.states(keys), Stake::Nothing).await?;
        states(keys, &rows)
    }

    async fn write(&mut self, puts: &[Put<'_>], deletes: &[&Key], absent: &[&Key]) -> Answer<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        if !puts.is_empty() {
            let rows = self.run(self.shared.put_all(puts), Stake::Nothing).await?;
            outcomes = written(puts, &rows)?;
        }
        // The places of absent keys go as well.
        let gone = key_bytes(deletes.iter().chain(absent).copied());
        if !gone.is_empty() {
            let statement = query(self.shared.statements.delete_all.clone()).bind(gone);
            self.run(statement, Stake::Nothing).await?;
        }
        Ok(outcomes)
    }

    async fn commit(mut self) -> Answer<()> {
        self.run(query("COMMIT"), Stake::Write).await?;
        self.lease.settle();
        Ok(())
    }

    async fn roll_back(mut self) -> Answer<()> {
        self.run(query("ROLLBACK"), Stake::Nothing).await?;
        self.lease.settle();
        Ok(())
    }
}
