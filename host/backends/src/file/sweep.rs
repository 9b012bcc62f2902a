//! Removing what has expired: the expiry index says what is due, the entry itself has the last word.

use larder_core::Timestamp;
use redb::{Database, ReadableDatabase, ReadableTable};

use super::{
    batch::{begin, finish},
    envelope,
    error::Fault,
    tables::{self, ENTRIES, EXPIRIES},
};

/// Most rows of the index in one transaction: bounds how long commits wait for a sweep.
const ROWS_PER_TRANSACTION: usize = 1_000;

/// What one transaction of a sweep did.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Swept {
    /// Entries that were removed.
    pub(super) entries: u64,
    /// Whether more may be due.
    pub(super) more: bool,
}

/// Removes a bounded number of expired entries in one transaction; without any, there is none.
pub(super) fn sweep(database: &Database, now: Timestamp) -> Result<Swept, Fault> {
    // Rows up to the end of this millisecond: what expires at `now` is expired.
    let end = now.0.saturating_add(1).to_be_bytes();
    let due: Vec<Vec<u8>> = {
        let expiries = database.begin_read()?.open_table(EXPIRIES)?;
        let rows = expiries.range::<&[u8]>(..end.as_slice())?.take(ROWS_PER_TRANSACTION);
        rows.map(|row| Ok(row?.0.value().to_vec())).collect::<Result<_, Fault>>()?
    };
    if due.is_empty() {
        return Ok(Swept::default());
    }
    let mut swept = Swept { entries: 0, more: due.len() == ROWS_PER_TRANSACTION };
    let transaction = begin(database)?;
    {
        let mut entries = transaction.open_table(ENTRIES)?;
        let mut expiries = transaction.open_table(EXPIRIES)?;
        for row in &due {
            expiries.remove(row.as_slice())?;
            let Some((_, key)) = tables::parse_expiry_row(row) else { continue };
            // An entry that was written again since, or is damaged, stays: its bytes are kept.
            let expired = match entries.get(key)? {
                None => false,
                Some(bytes) => envelope::decode(key, bytes.value()).is_ok_and(|stored| !stored.is_live(now)),
            };
            if expired {
                entries.remove(key)?;
                swept.entries += 1;
            }
        }
    }
    finish(transaction)?;
    Ok(swept)
}
