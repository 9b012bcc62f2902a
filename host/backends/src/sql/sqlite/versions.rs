//! Versions: numbers that no write of the file has had or will have, whichever process makes it.
//!
//! A process reserves them in blocks, durably, and hands them out from memory; so a write costs no second one to a
//! counter. A block that a process does not use up is lost, which costs nothing: there are 9 quintillion.

use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
};

use larder_core::{Error, ErrorKind};
use sqlx::{SqlStr, query};

use super::row::column;
use crate::sql::{driver::Answer, error::Stake, lease::Lease};

/// How many versions are reserved at once: one durable write for so many.
const BLOCK: i64 = 10_000;

#[derive(Debug)]
pub(super) struct Versions {
    /// Reserves `?2` versions for the store `?1`, and answers with the last one.
    reserve: SqlStr,
    store: String,
    reserved: Mutex<Range<i64>>,
}

impl Versions {
    pub(super) fn new(reserve: SqlStr, store: String) -> Self {
        Self { reserve, store, reserved: Mutex::new(0..0) }
    }

    /// Takes `count` versions. Reserves more where that is needed, by a statement of its own on the writing
    /// connection, which must not be in a transaction: a reservation that is rolled back is none.
    pub(super) async fn take(&self, lease: &mut Lease<sqlx::Sqlite>, count: usize) -> Answer<Range<i64>> {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        if let Some(taken) = self.take_reserved(count) {
            return Ok(taken);
        }
        let block = BLOCK.max(count);
        let statement = query(self.reserve.clone()).bind(self.store.clone()).bind(block);
        // A reservation that may have happened harms nobody.
        let row = lease.row(statement, Stake::Nothing).await?;
        let Some(row) = row else {
            return Err(Error::new(ErrorKind::Corrupt, "the record of the store's versions is gone").into());
        };
        let end = column::<i64>(&row, 0)? + 1;
        *self.lock() = end - block + count..end;
        Ok(end - block..end - block + count)
    }

    fn take_reserved(&self, count: i64) -> Option<Range<i64>> {
        let mut reserved = self.lock();
        let taken = reserved.start..reserved.start.checked_add(count)?;
        (taken.end <= reserved.end).then(|| {
            reserved.start = taken.end;
            taken
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Range<i64>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
