//! The statements of one table. They are prepared once per connection; only the table's quoted name is put into them.

use std::sync::Arc;

use larder_core::limits::COMMIT_ITEMS_MAX;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::sql::{driver::COUNTER_BYTES_MAX, name::Name};

/// Rows of a statement that writes many: whatever is asked is put together from these, so that a connection keeps a few
/// prepared statements and not one for each number. The largest takes 640 parameters; SQLite takes 32,766.
const BATCHES: [usize; 4] = [128, 32, 8, 1];

/// Keys of a statement that reads many, all of them at one moment: the smallest that is enough is taken, and filled up
/// with the last key. The largest is for a commit with as many checks as writes.
const READS: [usize; 4] = [8, 64, 512, 2 * COMMIT_ITEMS_MAX];

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) get: SqlStr,
    pub(super) get_many: Padded,
    pub(super) scan_entries: SqlStr,
    pub(super) scan_keys: SqlStr,
    pub(super) put: SqlStr,
    pub(super) put_if_absent: SqlStr,
    pub(super) put_if_present: SqlStr,
    pub(super) put_if_version: SqlStr,
    pub(super) delete: SqlStr,
    pub(super) delete_if_present: SqlStr,
    pub(super) delete_if_version: SqlStr,
    pub(super) put_all: Batched,
    pub(super) states: Padded,
    pub(super) delete_all: Batched,
    pub(super) due: SqlStr,
    pub(super) verify: SqlStr,
    pub(super) health: SqlStr,
}

/// A statement in several sizes.
#[derive(Debug)]
pub(super) struct Batched([(usize, SqlStr); BATCHES.len()]);

impl Batched {
    fn new(statement: impl Fn(usize) -> String) -> Self {
        Self(BATCHES.map(|rows| (rows, sql(statement(rows)))))
    }

    /// Cuts `items` into pieces with the statement that takes a piece whole.
    pub(super) fn pieces<'s, 'i, T>(
        &'s self,
        items: &'i [T],
    ) -> impl Iterator<Item = (SqlStr, &'i [T])> + use<'s, 'i, T> {
        let mut rest = items;
        std::iter::from_fn(move || {
            let (rows, statement) = self.0.iter().find(|(rows, _)| *rows <= rest.len())?;
            let (piece, after) = rest.split_at_checked(*rows)?;
            rest = after;
            Some((statement.clone(), piece))
        })
    }
}

/// A statement for many keys, in several sizes.
#[derive(Debug)]
pub(super) struct Padded([(usize, SqlStr); READS.len()]);

impl Padded {
    fn new(statement: impl Fn(usize) -> String) -> Self {
        Self(READS.map(|keys| (keys, sql(statement(keys)))))
    }

    /// The smallest statement for so many keys, and how many it takes.
    pub(super) fn fitting(&self, keys: usize) -> Option<(usize, SqlStr)> {
        self.0.iter().find(|(takes, _)| *takes >= keys).cloned()
    }
}

impl Statements {
    pub(super) fn new(table: &Name) -> Self {
        let table = table.quoted();
        let columns = "key, version, expires_at, checksum, value";
        let replace = "ON CONFLICT (key) DO UPDATE SET version = excluded.version, expires_at = excluded.expires_at, \
                       checksum = excluded.checksum, value = excluded.value";
        let insert = format!("INSERT INTO {table} ({columns}) VALUES (?1, ?2, ?3, ?4, ?5)");
        let update = format!(
            "UPDATE {table} SET version = ?2, expires_at = ?3, checksum = ?4, value = ?5 WHERE key = ?1"
        );
        let delete = format!("DELETE FROM {table} WHERE key = ?1");
        let live = |parameter: u32| format!("(expires_at IS NULL OR expires_at > ?{parameter})");
        let scan = |value: &str| {
            sql(format!(
                "SELECT key, version, expires_at, checksum, {value} FROM {table} \
                 WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3"
            ))
        };
        Self {
            get: sql(format!("SELECT {columns} FROM {table} WHERE key = ?1")),
            get_many: Padded::new(|rows| {
                format!("SELECT {columns} FROM {table} WHERE key IN ({})", marks(rows))
            }),
            scan_entries: scan("value"),
            scan_keys: scan("NULL"),
            put: sql(format!("{insert} {replace}")),
            put_if_absent: sql(format!("{insert} {replace} WHERE expires_at <= ?6 RETURNING 1")),
            put_if_present: sql(format!("{update} AND {} RETURNING 1", live(6))),
            put_if_version: sql(format!("{update} AND {} AND version = ?7 RETURNING 1", live(6))),
            delete: sql(format!("{delete} RETURNING {}", live(2))),
            delete_if_present: sql(format!("{delete} AND {} RETURNING 1", live(2))),
            delete_if_version: sql(format!("{delete} AND {} AND version = ?3 RETURNING 1", live(2))),
            put_all: Batched::new(|rows| {
                format!(
                    "INSERT INTO {table} ({columns}) VALUES {} {replace}",
                    vec!["(?, ?, ?, ?, ?)"; rows].join(", ")
                )
            }),
            states: Padded::new(|rows| {
                format!(
                    "SELECT key, version, expires_at, checksum, \
                     CASE WHEN length(value) <= {COUNTER_BYTES_MAX} THEN value END \
                     FROM {table} WHERE key IN ({})",
                    marks(rows)
                )
            }),
            delete_all: Batched::new(|rows| format!("DELETE FROM {table} WHERE key IN ({})", marks(rows))),
            due: sql(format!(
                "SELECT key, version, expires_at, checksum, NULL FROM {table} WHERE expires_at <= ?1 \
                 ORDER BY expires_at LIMIT ?2"
            )),
            verify: sql(format!("SELECT {columns} FROM {table} ORDER BY key")),
            health: sql(format!("SELECT 1 FROM {table} LIMIT 1")),
        }
    }
}

fn marks(rows: usize) -> String {
    vec!["?"; rows].join(", ")
}

fn sql(text: String) -> SqlStr {
    // The only thing in it that larder did not write is the table's name, and that is quoted.
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_rows_is_put_together_from_a_few_statements() {
        let batched = Batched::new(|rows| rows.to_string());
        let items: Vec<u32> = (0..1_000).collect();
        for count in [0, 1, 7, 8, 41, 128, 1_000] {
            let mut seen = Vec::new();
            for (statement, piece) in batched.pieces(&items[..count]) {
                assert_eq!(statement.as_str(), piece.len().to_string());
                seen.extend_from_slice(piece);
            }
            assert_eq!(seen, items[..count]);
        }
        assert_eq!(batched.pieces(&items).count(), 11, "7 of 128, 3 of 32, 1 of 8");
    }
}
