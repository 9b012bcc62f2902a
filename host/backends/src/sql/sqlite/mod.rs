//! SQLite.

mod connect;
mod migrations;
mod row;
mod statements;
mod transaction;
mod versions;

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use futures::TryStreamExt as _;
use larder_core::{
    Change, Clock, Entry, Error, Expectation, Key, Outcome, Page, Scan, SystemClock, Timestamp, Version,
    Want, Write,
};
use sqlx::{AssertSqlSafe, SqlSafeStr, query, query::Query, sqlite::SqliteRow};
use tokio::time::timeout;

use self::{
    connect::Pools,
    row::{Stored, column},
    statements::{Padded, Statements},
    transaction::SqliteTransaction,
    versions::Versions,
};
use super::{
    SqlOptions,
    driver::{Answer, Driver, Expiry, Put, States, Transaction as _},
    error::{Fault, Stake},
    lease::Lease,
    migrate::VERSIONS,
    options::Target,
    page::{END_OF_KEYS, Filling, Room},
};

/// How much longer than SQLite waits for another process its answer is waited for: the work itself, and the disk.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Sqlite {
    pools: Pools,
    shared: Arc<Shared>,
}

/// What transactions need, too.
struct Shared {
    statements: Statements,
    versions: Versions,
    clock: Arc<dyn Clock>,
    patience: Duration,
}

type Statement = Query<'static, sqlx::Sqlite, <sqlx::Sqlite as sqlx::Database>::Arguments>;

impl Sqlite {
    pub(super) async fn connect(options: SqlOptions) -> Answer<Self> {
        let Target::Sqlite(path) = &options.target else {
            return Err(Error::config("this is no URL of SQLite").into());
        };
        let table = options.table_name()?;
        connect::create_folder(path)?;
        let pools = Pools::new(&options, path);
        let patience = options.statement_timeout + GRACE;
        let mut lease = Lease::take(&pools.writer, patience).await?;
        connect::keep_a_log(&mut lease, options.connect_timeout).await?;
        lease.unsettle();
        migrations::migrate(lease.connection(), &table).await?;
        lease.settle();
        drop(lease);
        let statements = Statements::new(&table);
        if fs::metadata(path).is_ok_and(|file| file.len() <= options.verify_bytes_max) {
            let mut lease = Lease::take(&pools.readers, patience).await?;
            lease.unsettle();
            connect::verify(lease.connection(), &statements).await?;
            lease.settle();
        }
        let reserve = format!("UPDATE {VERSIONS} SET last = last + ?2 WHERE store = ?1 RETURNING last");
        let versions = Versions::new(AssertSqlSafe(reserve).into_sql_str(), table.as_str().to_owned());
        let clock = options.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
        Ok(Self { pools, shared: Arc::new(Shared { statements, versions, clock, patience }) })
    }

    async fn reader(&self) -> Answer<Lease<sqlx::Sqlite>> {
        Lease::take(&self.pools.readers, self.shared.patience).await
    }

    async fn writer(&self) -> Answer<Lease<sqlx::Sqlite>> {
        Lease::take(&self.pools.writer, self.shared.patience).await
    }

    fn conditional(&self, write: &Write, expect: Option<Expectation>, version: i64) -> Answer<Statement> {
        use Expectation::{Absent, Present, Version as Is};
        let s = &self.shared.statements;
        let (key, now) = (write.key.as_bytes(), self.shared.clock.now());
        Ok(match &write.change {
            Change::Put { value, ttl } => {
                let expires_at = ttl.map(|ttl| now.after(ttl));
                let bound =
                    |sql: &sqlx::SqlStr| bind_row(query(sql.clone()), key, version, expires_at, value);
                match expect {
                    None => bound(&s.put),
                    Some(Absent) => bound(&s.put_if_absent).bind(integer(now.0)),
                    Some(Present) => bound(&s.put_if_present).bind(integer(now.0)),
                    Some(Is(is)) => bound(&s.put_if_version).bind(integer(now.0)).bind(is.0.cast_signed()),
                }
            }
            Change::Delete => match expect {
                None | Some(Absent) => query(s.delete.clone()).bind(key.to_vec()).bind(integer(now.0)),
                Some(Present) => query(s.delete_if_present.clone()).bind(key.to_vec()).bind(integer(now.0)),
                Some(Is(is)) => query(s.delete_if_version.clone())
                    .bind(key.to_vec())
                    .bind(integer(now.0))
                    .bind(is.0.cast_signed()),
            },
            Change::Add(_) => {
                return Err(Error::unsupported("SQLite stores add to counters in transactions").into());
            }
        })
    }
}

impl Driver for Sqlite {
    type Transaction = SqliteTransaction;

    // The new value's checksum can't be made by a statement; and a transaction costs no way over a network here.
    const ADDS_AT_ONCE: bool = false;

    async fn get(&self, key: &Key) -> Answer<Option<Entry>> {
        let now = self.shared.clock.now();
        let statement = query(self.shared.statements.get.clone()).bind(key.as_bytes());
        let row = self.reader().await?.look(statement).await?;
        let Some(row) = row else { return Ok(None) };
        let stored = Stored::read(&row)?;
        if stored.is_live(now) { stored.entry().map(Some) } else { Ok(None) }
    }

    async fn get_many(&self, keys: &[Key]) -> Answer<Vec<Option<Entry>>> {
        let now = self.shared.clock.now();
        let keys: Vec<&Key> = keys.iter().collect();
        let statement = padded(&self.shared.statements.get_many, &keys)?;
        let rows = self.reader().await?.rows(statement, Stake::Nothing).await?;
        entries(&keys, &rows, now)
    }

    async fn scan(&self, scan: &Scan) -> Answer<Page> {
        let now = self.shared.clock.now();
        let mut filling = Filling::new(scan);
        let s = &self.shared.statements;
        let sql = match scan.want {
            Want::Entries => &s.scan_entries,
            Want::Keys => &s.scan_keys,
        };
        let end = scan.range.end.as_deref().map_or(END_OF_KEYS, str::as_bytes);
        let statement = query(sql.clone())
            .bind(scan.range.start.as_bytes())
            .bind(end)
            .bind(i64::from(filling.rows_max()));
        let mut lease = self.reader().await?;
        lease.unsettle();
        let patience = self.shared.patience;
        {
            let mut rows = statement.fetch(lease.connection());
            loop {
                let row = timeout(patience, rows.try_next()).await;
                let row = row.map_err(|_| Fault::late(patience, Stake::Nothing))?;
                let Some(row) = row.map_err(|error| Fault::new(error, Stake::Nothing))? else { break };
                let stored = Stored::read(&row)?;
                let value_bytes = stored.value()?.map_or(0, <[u8]>::len);
                match filling.offer(stored.key, value_bytes, stored.is_live(now)) {
                    Room::Take => filling.take(stored.key, stored.entry()?)?,
                    Room::PassOver => {}
                    Room::End => {
                        filling.end_at(stored.key)?;
                        break;
                    }
                }
            }
        }
        // A statement whose rows nobody reads any more ends by itself.
        lease.settle();
        Ok(filling.finish())
    }

    async fn write(&self, write: &Write, expect: Option<Expectation>) -> Answer<Option<Outcome>> {
        let mut lease = self.writer().await?;
        let version = match write.change {
            Change::Put { .. } => self.shared.versions.take(&mut lease, 1).await?.start,
            Change::Delete | Change::Add(_) => 0,
        };
        let row = lease.row(self.conditional(write, expect, version)?, Stake::Write).await?;
        Ok(match (&write.change, row) {
            (Change::Delete, Some(row)) => Some(Outcome::Deleted(column::<i64>(&row, 0)? != 0)),
            (Change::Delete, None) => expect.is_none().then_some(Outcome::Deleted(false)),
            (_, None) if expect.is_some() => None,
            _ => Some(Outcome::Written(Version(version.cast_unsigned()))),
        })
    }

    async fn put_all(&self, puts: &[Put<'_>]) -> Answer<Vec<Outcome>> {
        let mut transaction = self.begin(&[], puts.len()).await?;
        let outcomes = transaction.write(puts, &[], &[]).await?;
        transaction.commit().await?;
        Ok(outcomes)
    }

    async fn states(&self, keys: &[&Key]) -> Answer<States> {
        let now = self.shared.clock.now();
        let statement = padded(&self.shared.statements.states, keys)?;
        let rows = self.reader().await?.rows(statement, Stake::Nothing).await?;
        Ok(States { now, entries: entries(keys, &rows, now)? })
    }

    // Nobody else writes anything meanwhile, so there is nothing to do for the keys.
    async fn begin(&self, _keys: &[&Key], puts_max: usize) -> Answer<SqliteTransaction> {
        SqliteTransaction::begin(self.writer().await?, self.shared.clone(), puts_max).await
    }

    async fn sweep(&self, limit: u32) -> Answer<u64> {
        let now = self.shared.clock.now();
        let due = || query(self.shared.statements.due.clone()).bind(integer(now.0)).bind(i64::from(limit));
        // Nobody waits for a writer that has nothing to write.
        if self.reader().await?.look(due()).await?.is_none() {
            return Ok(0);
        }
        let mut transaction = self.begin(&[], 0).await?;
        let swept = transaction.remove_expired(due(), now).await?;
        transaction.commit().await?;
        Ok(swept)
    }

    async fn health(&self) -> Answer<()> {
        let statement = query(self.shared.statements.health.clone());
        self.reader().await?.rows(statement, Stake::Nothing).await.map(drop)
    }

    async fn close(&self) {
        self.pools.readers.close().await;
        self.pools.writer.close().await;
    }
}

impl Shared {
    fn expiry(&self, expiry: Expiry) -> Option<Timestamp> {
        match expiry {
            Expiry::Never => None,
            Expiry::At(at) => Some(at),
            Expiry::After(ms) => Some(self.clock.now().after(Duration::from_millis(ms))),
        }
    }
}

/// Binds the columns of a row, in their order.
fn bind_row(
    statement: Statement,
    key: &[u8],
    version: i64,
    expires_at: Option<Timestamp>,
    value: &[u8],
) -> Statement {
    let expires_at = expires_at.map(|at| integer(at.0));
    let checksum = row::checksum(key, version, expires_at, value);
    statement.bind(key.to_vec()).bind(version).bind(expires_at).bind(checksum).bind(value.to_vec())
}

/// A number of ours as SQLite holds it; none of them comes near the end of the type.
fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The statement for these keys, filled up with the last of them.
fn padded(statements: &Padded, keys: &[&Key]) -> Answer<Statement> {
    let (takes, statement) = statements
        .fitting(keys.len())
        .ok_or_else(|| Error::invalid(format!("{} keys at once are too many for SQLite", keys.len())))?;
    let filling = keys.last().into_iter().cycle().take(takes - keys.len());
    Ok(keys
        .iter()
        .chain(filling)
        .fold(query(statement), |statement, key| statement.bind(key.as_bytes().to_vec())))
}

/// The live entries among rows, by position of the keys.
fn entries(keys: &[&Key], rows: &[SqliteRow], now: Timestamp) -> Answer<Vec<Option<Entry>>> {
    let found: HashMap<&[u8], Stored<'_>> =
        rows.iter().map(|row| Stored::read(row).map(|stored| (stored.key, stored))).collect::<Answer<_>>()?;
    let live = |key: &&Key| found.get(key.as_bytes()).filter(|stored| stored.is_live(now));
    keys.iter().map(|key| live(key).map(Stored::entry).transpose()).collect()
}
