//! The statements of one table. They are prepared once per connection; only the table's quoted name is put into them.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::sql::{driver::COUNTER_BYTES_MAX, name::Name};

/// Milliseconds since the Unix epoch by the server's clock, at the moment of evaluation: a statement may have waited
/// for a lock since it began.
const SERVER_NOW: &str = "floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The same at the beginning of the statement, and so good for an index.
const STATEMENT_NOW: &str = "floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint";

#[derive(Debug)]
pub(super) struct Statements {
    pub(super) get: SqlStr,
    pub(super) get_many: SqlStr,
    pub(super) scan_entries: SqlStr,
    pub(super) scan_keys: SqlStr,
    pub(super) put: SqlStr,
    pub(super) put_if_absent: SqlStr,
    pub(super) put_if_present: SqlStr,
    pub(super) put_if_version: SqlStr,
    pub(super) delete: SqlStr,
    pub(super) delete_if_present: SqlStr,
    pub(super) delete_if_version: SqlStr,
    pub(super) add: SqlStr,
    pub(super) put_all: SqlStr,
    pub(super) take: SqlStr,
    pub(super) states: SqlStr,
    pub(super) delete_all: SqlStr,
    pub(super) sweep: SqlStr,
    pub(super) health: SqlStr,
}

/// The table as it stands in a statement.
pub(super) fn qualified(schema: Option<&Name>, table: &Name) -> String {
    match schema {
        Some(schema) => format!("{}.{}", schema.quoted(), table.quoted()),
        None => table.quoted(),
    }
}

impl Statements {
    /// Statements on a table, whose name is quoted already.
    ///
    /// Where a statement needs the time, it takes a parameter that stands in for the server's clock where it is not
    /// null.
    pub(super) fn new(table: &str) -> Self {
        let now = |parameter: u32| format!("coalesce(${parameter}::bigint, {SERVER_NOW})");
        let live = |parameter: u32| format!("(e.expires_at IS NULL OR e.expires_at > {})", now(parameter));
        // A put's conflict clause: all of the row is replaced, its version by the one just drawn from the sequence.
        let replace = "ON CONFLICT (key) DO UPDATE SET value = excluded.value, version = excluded.version, \
                       expires_at = excluded.expires_at";
        let insert = format!(
            "INSERT INTO {table} AS e (key, value, expires_at) VALUES ($1, $2, {} + $3::bigint) {replace}",
            now(4)
        );
        let update = format!(
            "UPDATE {table} AS e SET value = $2, version = DEFAULT, expires_at = {} + $3::bigint \
             WHERE e.key = $1 AND {}",
            now(4),
            live(4)
        );
        let delete = format!("DELETE FROM {table} AS e WHERE e.key = $1");
        Self {
            get: sql(format!(
                "SELECT e.value, e.version, e.expires_at FROM {table} AS e WHERE e.key = $1 AND {}",
                live(2)
            )),
            get_many: sql(format!(
                "SELECT e.value, e.version, e.expires_at, e.key FROM {table} AS e \
                 WHERE e.key = ANY($1::bytea[]) AND {}",
                live(2)
            )),
            scan_entries: scan(table, "e.value", &live(4)),
            scan_keys: scan(table, "''::bytea", &live(4)),
            put: sql(format!("{insert} RETURNING version")),
            put_if_absent: sql(format!("{insert} WHERE e.expires_at <= {} RETURNING version", now(4))),
            put_if_present: sql(format!("{update} RETURNING version")),
            put_if_version: sql(format!("{update} AND e.version = $5 RETURNING version")),
            delete: sql(format!("{delete} RETURNING {}", live(2))),
            delete_if_present: sql(format!("{delete} AND {} RETURNING true", live(2))),
            delete_if_version: sql(format!("{delete} AND {} AND e.version = $3 RETURNING true", live(2))),
            add: add(table, &now(3)),
            put_all: sql(format!(
                "INSERT INTO {table} AS e (key, value, expires_at) \
                 SELECT i.key, i.value, coalesce(i.at, {} + i.after) \
                 FROM unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bigint[]) AS i (key, value, at, after) \
                 ORDER BY i.key {replace} RETURNING key, version",
                now(5)
            )),
            // Rows that are there are locked and not changed; absent ones are put in, with a version that no entry
            // has, so that whoever else wants to put one has to wait. Nobody but this transaction ever sees them.
            take: sql(format!(
                "INSERT INTO {table} AS e (key, value, version) \
                 SELECT k, ''::bytea, 0 FROM unnest($1::bytea[]) AS k ORDER BY k \
                 ON CONFLICT (key) DO UPDATE SET version = e.version WHERE false"
            )),
            states: sql(format!(
                "SELECT CASE WHEN octet_length(e.value) <= {COUNTER_BYTES_MAX} THEN e.value ELSE ''::bytea END, \
                 e.version, e.expires_at, e.key, {} FROM {table} AS e WHERE e.key = ANY($1::bytea[])",
                now(2)
            )),
            delete_all: sql(format!("DELETE FROM {table} WHERE key = ANY($1::bytea[])")),
            // The array is made once; rows that somebody holds are left for the next time.
            sweep: sql(format!(
                "DELETE FROM {table} WHERE key = ANY(ARRAY(SELECT key FROM {table} \
                 WHERE expires_at <= coalesce($1::bigint, {STATEMENT_NOW}) \
                 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING true"
            )),
            health: sql(format!("SELECT 1 FROM {table} LIMIT 1")),
        }
    }
}

/// A page: of the first `$3` rows of the range `$1` to `$2` those that are live, up to `$5` entries and `$6` bytes
/// (or one entry, of any size), and the row after them, for the key of the next page. The bytes are counted by the
/// server, for it would send a thousand large values before the client could stop it.
///
/// Columns: key, version, expiry, value, whether the row belongs to the page.
fn scan(table: &str, value: &str, live: &str) -> SqlStr {
    sql(format!(
        "SELECT key, version, expires_at, CASE WHEN fits THEN value END, fits FROM ( \
           SELECT *, live AND nth < $3::bigint AND nth_live <= $5::bigint \
             AND (nth_live = 1 OR bytes <= $6::bigint) AS fits FROM ( \
             SELECT *, row_number() OVER w AS nth, count(*) FILTER (WHERE live) OVER w AS nth_live, \
               sum(CASE WHEN live THEN size ELSE 0 END) OVER w AS bytes FROM ( \
               SELECT e.key, e.version, e.expires_at, {value} AS value, {live} AS live, \
                 octet_length(e.key) + octet_length({value}) AS size \
               FROM {table} AS e WHERE e.key >= $1 AND e.key < $2 ORDER BY e.key LIMIT $3::bigint \
             ) AS looked_at WINDOW w AS (ORDER BY key ROWS UNBOUNDED PRECEDING) \
           ) AS counted \
         ) AS cut WHERE fits OR nth = $3::bigint OR (live AND (nth_live = $5::bigint + 1 OR nth_live = 2 \
           OR (nth_live <= $5::bigint AND bytes - size <= $6::bigint))) ORDER BY key"
    ))
}

/// Adds to a counter where the value is one and the sum is in range; answers with no row otherwise. What a counter is,
/// `larder_core::counter` says: the canonical decimal form of an `i64`.
fn add(table: &str, now: &str) -> SqlStr {
    let expired = format!("e.expires_at <= {now}");
    // `escape` shows every byte that is not printable ASCII, so what is made of digits then was made of digits before.
    let number = "encode(e.value, 'escape')";
    let range = "BETWEEN -9223372036854775808 AND 9223372036854775807";
    sql(format!(
        "INSERT INTO {table} AS e (key, value) VALUES ($1, convert_to(($2::bigint)::text, 'UTF8')) \
         ON CONFLICT (key) DO UPDATE SET version = excluded.version, \
           expires_at = CASE WHEN {expired} THEN NULL ELSE e.expires_at END, \
           value = CASE WHEN {expired} THEN excluded.value \
             ELSE convert_to(({number}::numeric + $2::bigint)::text, 'UTF8') END \
         WHERE CASE WHEN {expired} THEN true \
           WHEN octet_length(e.value) > {COUNTER_BYTES_MAX} THEN false \
           WHEN {number} !~ '^(0|-?[1-9][0-9]*)$' THEN false \
           ELSE {number}::numeric {range} AND {number}::numeric + $2::bigint {range} END \
         RETURNING value"
    ))
}

fn sql(text: String) -> SqlStr {
    // The only thing in it that larder did not write is the table's name, and that is quoted.
    AssertSqlSafe(Arc::<str>::from(text)).into_sql_str()
}
