//! A transaction: the only writer from its beginning on, so that what it reads stays as it is.

use std::{ops::Range, sync::Arc};

use larder_core::{Key, Outcome, Timestamp, Version};
use sqlx::{query, sqlite::SqliteRow};

use super::{Shared, Statement, bind_row, entries, padded, row::Stored};
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

    /// Removes the expired ones among the rows of a statement, and answers how many. A row whose checksum does not match
    /// stays: what it says of its expiry may be the damage, and its bytes are kept.
    pub(super) async fn remove_expired(&mut self, due: Statement, now: Timestamp) -> Answer<u64> {
        let rows = self.run(due, Stake::Nothing).await?;
        let expired =
            rows.iter().filter_map(|row| Stored::read(row).ok().filter(|stored| !stored.is_live(now)));
        let keys: Vec<&[u8]> = expired.map(|stored| stored.key).collect();
        self.delete(&keys).await?;
        Ok(keys.len() as u64)
    }

    async fn delete(&mut self, keys: &[&[u8]]) -> Answer<()> {
        let shared = self.shared.clone();
        for (sql, piece) in shared.statements.delete_all.pieces(keys) {
            let statement = piece.iter().fold(query(sql), |statement, key| statement.bind(key.to_vec()));
            self.run(statement, Stake::Nothing).await?;
        }
        Ok(())
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
        let deletes: Vec<&[u8]> = deletes.iter().map(|key| key.as_bytes()).collect();
        self.delete(&deletes).await?;
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
