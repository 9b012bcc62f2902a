//! Making the table, and moving its schema on, in one transaction on the writing connection.

use sqlx::{AssertSqlSafe, Row as _, SqlSafeStr, SqliteConnection, query, raw_sql};

use crate::sql::{
    driver::Answer,
    error::{Fault, Stake},
    migrate::{self, MIGRATIONS, Migration, SCHEMA, VERSIONS},
    name::{Name, quote},
};

/// Each leads one schema further.
///
/// A table without row numbers is one tree, ordered by key, so that a write changes one place. The value comes last:
/// large ones lie on pages of their own, and what only wants the columns before does not read them.
const STEPS: [Migration; SCHEMA as usize] = [&[
    "CREATE TABLE {table} (key BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL, expires_at INTEGER, \
     checksum INTEGER NOT NULL, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE INDEX {index} ON {table} (expires_at) WHERE expires_at IS NOT NULL",
]];

/// Brings the table to the schema of this larder. Writes nothing where it is there already.
pub(super) async fn migrate(connection: &mut SqliteConnection, table: &Name) -> Answer<()> {
    if pending(connection, table).await?.is_empty() {
        return Ok(());
    }
    run(connection, "BEGIN IMMEDIATE".to_owned()).await?;
    // Somebody else may have been faster.
    let steps = pending(connection, table).await?;
    if !steps.is_empty() {
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {MIGRATIONS} (store TEXT NOT NULL PRIMARY KEY, schema INTEGER NOT NULL) STRICT; \
             CREATE TABLE IF NOT EXISTS {VERSIONS} (store TEXT NOT NULL PRIMARY KEY, last INTEGER NOT NULL) STRICT"
        );
        run(connection, create).await?;
        let index = quote(&format!("{table} by expiry"));
        for step in steps.concat() {
            run(connection, filled(step, &table.quoted(), &index)).await?;
        }
        for record in [
            format!(
                "INSERT INTO {MIGRATIONS} (store, schema) VALUES (?1, {SCHEMA}) \
                 ON CONFLICT (store) DO UPDATE SET schema = excluded.schema"
            ),
            format!("INSERT INTO {VERSIONS} (store, last) VALUES (?1, 0) ON CONFLICT (store) DO NOTHING"),
        ] {
            let record = query(AssertSqlSafe(record)).bind(table.as_str());
            record.execute(&mut *connection).await.map_err(nothing_lost)?;
        }
    }
    // Repeating it does no harm, so nothing is lost with its answer.
    run(connection, "COMMIT".to_owned()).await
}

/// Puts the names into a statement; what looks like a place for one in a name stays what it is.
fn filled(statement: &str, table: &str, index: &str) -> String {
    let parts: Vec<String> = statement.split("{index}").map(|part| part.replace("{table}", table)).collect();
    parts.join(index)
}

async fn pending(connection: &mut SqliteConnection, table: &Name) -> Answer<&'static [Migration]> {
    let there = query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1").bind(MIGRATIONS);
    let mut found = None;
    if there.fetch_optional(&mut *connection).await.map_err(nothing_lost)?.is_some() {
        let recorded = query(AssertSqlSafe(format!("SELECT schema FROM {MIGRATIONS} WHERE store = ?1")));
        let row =
            recorded.bind(table.as_str()).fetch_optional(&mut *connection).await.map_err(nothing_lost)?;
        found = row.map(|row| row.try_get(0)).transpose().map_err(nothing_lost)?;
    }
    Ok(migrate::pending(&STEPS, found)?)
}

async fn run(connection: &mut SqliteConnection, statement: String) -> Answer<()> {
    let statement = AssertSqlSafe(statement).into_sql_str();
    raw_sql(statement).execute(connection).await.map(drop).map_err(nothing_lost)
}

fn nothing_lost(error: sqlx::Error) -> Fault {
    Fault::new(error, Stake::Nothing)
}
