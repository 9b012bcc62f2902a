//! A transaction: the only writer from its beginning on, so that what it reads stays as it is.

use std::{ops::Range, sync::Arc};

use larder_core::{Key, Outcome, Version};
use sqlx::{query, sqlite::SqliteRow};

use super::{Shared, Statement, bind_row, entries, padded};
use crate::sql::{
    driver::{Answer, Put, States, Transaction},
    error::Stake,
    lease::Lease,
};

pub(in crate::sql) struct SqliteTransaction {
    lease: Lease<sqlx::Sqlite>,
    shared: Arc<Shared>,
    versions: Range<i64>,
}

impl SqliteTransaction {
    pub(super) async fn begin(
        mut lease: Lease<sqlx::Sqlite>,
        shared: Arc<Shared>,
        puts_max: usize,
    ) -> Answer<Self> {
        let versions = shared.versions.take(&mut lease, puts_max).await?;
        let mut transaction = Self { lease, shared, versions };
        transaction.run(query("BEGIN IMMEDIATE"), Stake::Nothing).await?;
        Ok(transaction)
    }

    /// An error leaves the lease unsettled, and so ends the transaction with its connection.
    async fn run(&mut self, statement: Statement, stake: Stake) -> Answer<Vec<SqliteRow>> {
        self.lease.rows_within(statement, stake).await
    }
}

impl Transaction for SqliteTransaction {
    async fn states(&mut self, keys: &[&Key]) -> Answer<States> {
        let now = self.shared.clock.now();
        let rows = self.run(padded(&self.shared.statements.states, keys)?, Stake::Nothing).await?;
        Ok(States { now, entries: entries(keys, &rows, now)? })
    }

    async fn write(&mut self, puts: &[Put<'_>], deletes: &[&Key], _absent: &[&Key]) -> Answer<Vec<Outcome>> {
        let shared = self.shared.clone();
        let versions: Vec<i64> = self.versions.clone().take(puts.len()).collect();
        let puts: Vec<(&Put<'_>, i64)> = puts.iter().zip(versions).collect();
        for (sql, piece) in shared.statements.put_all.pieces(&puts) {
            let statement = piece.iter().fold(query(sql), |statement, (put, version)| {
                bind_row(statement, put.key.as_bytes(), *version, shared.expiry(put.expiry), put.value)
            });
            self.run(statement, Stake::Nothing).await?;
        }
        for (sql, piece) in shared.statements.delete_all.pieces(deletes) {
            let statement =
                piece.iter().fold(query(sql), |statement, key| statement.bind(key.as_bytes().to_vec()));
            self.run(statement, Stake::Nothing).await?;
        }
        Ok(puts.iter().map(|(_, version)| Outcome::Written(Version(version.cast_unsigned()))).collect())
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
