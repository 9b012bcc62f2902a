//! PostgreSQL.

mod connect;
mod migrations;
mod statements;
mod transaction;

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_core::{
    Change, Clock, Entry, Error, ErrorKind, Expectation, Key, Outcome, Page, Scan, Timestamp, Version, Want,
    Write, counter, limits::PAGE_BYTES_MAX,
};
use sqlx::{PgPool, Row as _, postgres::PgRow, query, query::Query};

use self::{connect::Breaks, statements::Statements, transaction::PostgresTransaction};
use super::{
    SqlOptions,
    driver::{Answer, Driver, Expiry, Put, States},
    error::{Fault, Stake},
    lease::Lease,
    options::Target,
    page::{END_OF_KEYS, Filling},
};

/// How much longer than a statement may take its answer is waited for: the way there and back, and a busy server.
const GRACE: Duration = Duration::from_secs(2);

pub(super) struct Postgres {
    pool: PgPool,
    shared: Arc<Shared>,
}

/// What transactions need, too.
struct Shared {
    statements: Statements,
    clock: Option<Arc<dyn Clock>>,
    breaks: Arc<Breaks>,
    patience: Duration,
}

type Statement = Query<'static, sqlx::Postgres, <sqlx::Postgres as sqlx::Database>::Arguments>;

impl Postgres {
    pub(super) async fn connect(options: SqlOptions) -> Answer<Self> {
        let Target::Postgres(target) = &options.target else {
            return Err(Error::config("this is no URL of PostgreSQL").into());
        };
        let (schema, table) = (options.schema_name()?, options.table_name()?);
        let breaks = Breaks::new();
        let pool = connect::pool(&options, target, &breaks);
        let patience = options.statement_timeout + GRACE;
        let mut lease = Lease::take(&pool, patience).await?;
        lease.unsettle();
        let migrated = migrations::migrate(lease.connection(), schema.as_ref(), &table);
        match tokio::time::timeout(patience, migrated).await {
            Ok(migrated) => migrated?,
            Err(_) => return Err(Fault::late(patience, Stake::Nothing)),
        }
        lease.settle();
        let statements = Statements::new(&statements::qualified(schema.as_ref(), &table));
        let shared = Arc::new(Shared { statements, clock: options.clock.clone(), breaks, patience });
        Ok(Self { pool, shared })
    }

    async fn lease(&self) -> Answer<Lease<sqlx::Postgres>> {
        Lease::take(&self.pool, self.shared.patience).await
    }

    async fn rows(&self, statement: Statement, stake: Stake) -> Answer<Vec<PgRow>> {
        let mut lease = self.lease().await?;
        self.shared.noted(lease.rows(statement, stake).await)
    }

    fn conditional(&self, write: &Write, expect: Option<Expectation>) -> Statement {
        use Expectation::{Absent, Present, Version as Is};
        let (s, now) = (&self.shared.statements, self.shared.now());
        let key = write.key.as_bytes();
        match &write.change {
            Change::Put { value, ttl } => {
                let sql = match expect {
                    None => &s.put,
                    Some(Absent) => &s.put_if_absent,
                    Some(Present) => &s.put_if_present,
                    Some(Is(_)) => &s.put_if_version,
                };
                let ttl = ttl.map(|ttl| bigint(Timestamp(0).after(ttl).0));
                let statement = query(sql.clone()).bind(key).bind(&value[..]).bind(ttl).bind(now);
                match expect {
                    Some(Is(version)) => statement.bind(version_bits(version)),
                    _ => statement,
                }
            }
            Change::Delete => match expect {
                None | Some(Absent) => query(s.delete.clone()).bind(key).bind(now),
                Some(Present) => query(s.delete_if_present.clone()).bind(key).bind(now),
                Some(Is(version)) => {
                    query(s.delete_if_version.clone()).bind(key).bind(now).bind(version_bits(version))
                }
            },
            Change::Add(delta) => query(s.add.clone()).bind(key).bind(*delta).bind(now),
        }
    }
}

impl Shared {
    /// The injected clock's time; none where the server's counts.
    fn now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| bigint(clock.now().0))
    }

    /// Remembers that a connection broke, where that is the answer.
    fn noted<T>(&self, answer: Answer<T>) -> Answer<T> {
        answer.inspect_err(|fault| {
            if fault.broken {
                self.breaks.note();
            }
        })
    }

    fn states(&self, keys: &[&Key]) -> Statement {
        query(self.statements.states.clone()).bind(key_bytes(keys.iter().copied())).bind(self.now())
    }

    fn put_all(&self, puts: &[Put<'_>]) -> Statement {
        let at = |put: &Put<'_>| if let Expiry::At(at) = put.expiry { Some(bigint(at.0)) } else { None };
        let after = |put: &Put<'_>| if let Expiry::After(ms) = put.expiry { Some(bigint(ms)) } else { None };
        query(self.statements.put_all.clone())
            .bind(key_bytes(puts.iter().map(|put| put.key)))
            .bind(puts.iter().map(|put| put.value).collect::<Vec<&[u8]>>())
            .bind(puts.iter().map(at).collect::<Vec<Option<i64>>>())
            .bind(puts.iter().map(after).collect::<Vec<Option<i64>>>())
            .bind(self.now())
    }
}

impl Driver for Postgres {
    type Transaction = PostgresTransaction;

    const ADDS_AT_ONCE: bool = true;

    async fn get(&self, key: &Key) -> Answer<Option<Entry>> {
        let statement =
            query(self.shared.statements.get.clone()).bind(key.as_bytes()).bind(self.shared.now());
        let row = self.lease().await?.look(statement).await;
        self.shared.noted(row)?.as_ref().map(entry).transpose()
    }

    async fn get_many(&self, keys: &[Key]) -> Answer<Vec<Option<Entry>>> {
        let statement = query(self.shared.statements.get_many.clone())
            .bind(key_bytes(keys.iter()))
            .bind(self.shared.now());
        let rows = self.rows(statement, Stake::Nothing).await?;
        let found = by_key(&rows)?;
        keys.iter().map(|key| found.get(key.as_bytes()).map(|row| entry(row)).transpose()).collect()
    }

    async fn scan(&self, scan: &Scan) -> Answer<Page> {
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
            .bind(i64::from(filling.rows_max()))
            .bind(self.shared.now())
            .bind(i64::try_from(filling.entries_max()).unwrap_or(i64::MAX))
            .bind(i64::try_from(PAGE_BYTES_MAX).unwrap_or(i64::MAX));
        for row in self.rows(statement, Stake::Nothing).await? {
            let key = column::<&[u8]>(&row, 0)?;
            if !column::<bool>(&row, 4)? {
                // Past the page, or the last row that was looked at: the next page begins with it.
                filling.end_at(key)?;
                break;
            }
            let value = Bytes::copy_from_slice(column::<&[u8]>(&row, 3)?);
            let (version, expires_at) = (version_of(&row, 1)?, expiry_of(&row, 2)?);
            filling.take(key, Entry { value, version, expires_at })?;
        }
        Ok(filling.finish())
    }

    async fn write(&self, write: &Write, expect: Option<Expectation>) -> Answer<Option<Outcome>> {
        let rows = self.rows(self.conditional(write, expect), Stake::Write).await?;
        let Some(row) = rows.first() else {
            let nothing = matches!(write.change, Change::Delete) && expect.is_none();
            return Ok(nothing.then_some(Outcome::Deleted(false)));
        };
        Ok(Some(match &write.change {
            Change::Put { .. } => Outcome::Written(version_of(row, 0)?),
            Change::Delete => Outcome::Deleted(column(row, 0)?),
            Change::Add(_) => {
                let sum = counter::decode(column::<&[u8]>(row, 0)?);
                Outcome::Added(sum.ok_or_else(|| odd("the database answered an addition with no number"))?)
            }
        }))
    }

    async fn put_all(&self, puts: &[Put<'_>]) -> Answer<Vec<Outcome>> {
        let rows = self.rows(self.shared.put_all(puts), Stake::Write).await?;
        written(puts, &rows)
    }

    async fn states(&self, keys: &[&Key]) -> Answer<States> {
        let rows = self.rows(self.shared.states(keys), Stake::Nothing).await?;
        states(keys, &rows)
    }

    async fn begin(&self, keys: &[&Key], _puts_max: usize) -> Answer<PostgresTransaction> {
        PostgresTransaction::begin(self.lease().await?, self.shared.clone(), keys).await
    }

    async fn sweep(&self, limit: u32) -> Answer<u64> {
        let statement =
            query(self.shared.statements.sweep.clone()).bind(self.shared.now()).bind(i64::from(limit));
        Ok(self.rows(statement, Stake::Write).await?.len() as u64)
    }

    async fn health(&self) -> Answer<()> {
        self.rows(query(self.shared.statements.health.clone()), Stake::Nothing).await.map(drop)
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

fn key_bytes<'a>(keys: impl Iterator<Item = &'a Key>) -> Vec<&'a [u8]> {
    keys.map(|key| key.as_bytes()).collect()
}

/// A number of ours as a column holds it; none of them comes near the end of the type.
fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn version_bits(version: Version) -> i64 {
    version.0.cast_signed()
}

fn column<'r, T>(row: &'r PgRow, index: usize) -> Answer<T>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(index).map_err(|error| Fault::new(error, Stake::Nothing))
}

fn version_of(row: &PgRow, index: usize) -> Answer<Version> {
    Ok(Version(column::<i64>(row, index)?.cast_unsigned()))
}

fn expiry_of(row: &PgRow, index: usize) -> Answer<Option<Timestamp>> {
    Ok(column::<Option<i64>>(row, index)?.map(|at| Timestamp(u64::try_from(at).unwrap_or(0))))
}

/// Value, version and expiry are the first columns wherever an entry is read.
fn entry(row: &PgRow) -> Answer<Entry> {
    Ok(Entry {
        value: Bytes::copy_from_slice(column::<&[u8]>(row, 0)?),
        version: version_of(row, 1)?,
        expires_at: expiry_of(row, 2)?,
    })
}

/// Rows by their key, which follows the entry.
fn by_key(rows: &[PgRow]) -> Answer<HashMap<&[u8], &PgRow>> {
    rows.iter().map(|row| Ok((column::<&[u8]>(row, 3)?, row))).collect()
}

fn states(keys: &[&Key], rows: &[PgRow]) -> Answer<States> {
    // Without a row there is nothing that the time could matter for.
    let now = rows.first().map(|row| column::<i64>(row, 4)).transpose()?.unwrap_or_default();
    let now = Timestamp(u64::try_from(now).unwrap_or(0));
    let found = by_key(rows)?;
    let state = |key: &&Key| {
        let Some(row) = found.get(key.as_bytes()) else { return Ok(None) };
        let entry = entry(row)?;
        // The place of an absent key that a transaction holds.
        let placeholder = entry.version == Version(0);
        Ok((!placeholder && entry.expires_at.is_none_or(|at| now < at)).then_some(entry))
    };
    let entries = keys.iter().map(state).collect::<Answer<_>>()?;
    Ok(States { now, entries })
}

/// The versions that puts got, by position: the server answers in an order of its own.
fn written(puts: &[Put<'_>], rows: &[PgRow]) -> Answer<Vec<Outcome>> {
    let versions: HashMap<&[u8], Version> =
        rows.iter().map(|row| Ok((column::<&[u8]>(row, 0)?, version_of(row, 1)?))).collect::<Answer<_>>()?;
    let outcome = |put: &Put<'_>| {
        let version = versions.get(put.key.as_bytes()).copied();
        Ok(Outcome::Written(version.ok_or_else(|| odd("the database answered with too few versions"))?))
    };
    puts.iter().map(outcome).collect()
}

fn odd(message: &'static str) -> Fault {
    Error::new(ErrorKind::Corrupt, message).into()
}
