//! A layer that holds values to JSON Schemas, by the prefix of their keys, before they reach any store.
//!
//! A commit with a value that does not fit is refused wholly, and the value is *parked*: kept for inspection below a
//! reserved prefix of the next store, with the reasons. What no schema covers passes. `README.md` says what is seen of
//! parked values, `FAILURES.md` what happens when something breaks.
//!
//! An addition to a covered counter is held to the schema by its sum: it is passed on as an addition under a check of the
//! version that was read, and tried again where somebody else wrote in between. So the sum that was judged is the one stored.

mod hidden;
mod parking;
mod schemas;
#[cfg(test)]
mod tests;

use larder_sdk::kv::{
    Change, Check, Description, Entry, Expectation, Features, KvLayer, NextKv, Outcome, Page, Scan, Write,
    counter,
};
use larder_sdk::{Error, Result, Settings, clock, export_kv_layer, warn};

use parking::{Bad, Parking};
use schemas::{Schemas, clipped};

/// How often an addition is tried again when somebody else wrote in between. Each time somebody else got further.
const TRIES_MAX: u32 = 10_000;

/// Most bad values of one commit that are parked, so that a commit of a thousand does not spend its deadline on them.
const PARKED_PER_COMMIT_MAX: usize = 64;

/// Most bad values that an error tells of; the others are counted.
const TOLD_MAX: usize = 3;

/// The longest part of a key that an error repeats, in bytes.
const KEY_TOLD_BYTES_MAX: usize = 200;

/// What happens to a value that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OnBad {
    /// The commit is refused.
    Refuse,
    /// It is written, parked and logged: how a new schema is tried on live data.
    Report,
}

/// The plugin.
#[derive(Debug)]
pub struct KvValidate {
    schemas: Schemas,
    parking: Option<Parking>,
    on_bad: OnBad,
}

impl KvLayer for KvValidate {
    fn configure(mut settings: Settings) -> Result<Self> {
        let schemas = Schemas::configure(&mut settings)?;
        let parking = Parking::configure(&mut settings)?;
        let words = [("refuse", OnBad::Refuse), ("report", OnBad::Report)];
        let on_bad = settings.one_of("on_bad", &words)?.unwrap_or(OnBad::Refuse);
        settings.finish()?;
        Ok(Self { schemas, parking, on_bad })
    }

    fn describe(&mut self, next: &dyn NextKv) -> Result<Description> {
        let mut description = next.describe()?;
        if !self.schemas.is_empty() && !description.features.contains(Features::VERSIONS) {
            description.features.remove(Features::COUNTERS);
        }
        Ok(description)
    }

    fn get(&mut self, next: &dyn NextKv, key: &str) -> Result<Option<Entry>> {
        next.get(key)
    }

    fn get_many(&mut self, next: &dyn NextKv, keys: &[String]) -> Result<Vec<Option<Entry>>> {
        next.get_many(keys)
    }

    fn scan(&mut self, next: &dyn NextKv, scan: &Scan) -> Result<Page> {
        match &self.parking {
            Some(parking) => hidden::scan_around(parking.prefix(), next, scan),
            None => next.scan(scan),
        }
    }

    fn commit(&mut self, next: &dyn NextKv, checks: Vec<Check>, writes: Vec<Write>) -> Result<Vec<Outcome>> {
        self.refuse_reserved(&writes)?;
        let mut bad = Vec::new();
        let mut additions = Vec::new();
        for Write { key, change } in &writes {
            let Some(schema) = self.schemas.covering(key) else { continue };
            match change {
                Change::Put(put) => {
                    if let Some(reasons) = schema.judge(&put.value) {
                        bad.push(Bad { key, value: put.value.clone(), prefix: schema.prefix(), reasons });
                    }
                }
                Change::Add(delta) => additions.push(Addition { key, delta: *delta, schema }),
                Change::Delete => {}
            }
        }
        if !bad.is_empty() && self.on_bad == OnBad::Refuse {
            return Err(self.refuse(next, &bad));
        }
        let outcomes = if additions.is_empty() {
            next.commit(&checks, &writes)?
        } else {
            self.commit_additions(next, &checks, &writes, &additions, &mut bad)?
        };
        self.report(next, &bad);
        Ok(outcomes)
    }
}

/// An addition to a counter that a schema covers.
struct Addition<'a> {
    key: &'a str,
    delta: i64,
    schema: &'a schemas::Schema,
}

impl KvValidate {
    fn refuse_reserved(&self, writes: &[Write]) -> Result<()> {
        let Some(parking) = &self.parking else { return Ok(()) };
        let reserved = |write: &&Write| {
            write.key.starts_with(parking.prefix()) && !matches!(write.change, Change::Delete)
        };
        match writes.iter().find(reserved) {
            None => Ok(()),
            Some(write) => Err(Error::invalid(format!(
                "`{}` is below `{}`, where kv-validate keeps refused values: they can be read and deleted, not written",
                clipped(&write.key, KEY_TOLD_BYTES_MAX),
                parking.prefix()
            ))),
        }
    }

    /// Commits under checks of the counters that were read, as long as nobody else writes them meanwhile.
    fn commit_additions<'a>(
        &self,
        next: &dyn NextKv,
        checks: &[Check],
        writes: &[Write],
        additions: &[Addition<'a>],
        bad: &mut Vec<Bad<'a>>,
    ) -> Result<Vec<Outcome>> {
        if !next.describe()?.features.contains(Features::VERSIONS) {
            return Err(Error::unsupported(
                "counters under a schema need versions, which the next store lacks",
            ));
        }
        let bad_puts = bad.len();
        for _ in 0..TRIES_MAX {
            bad.truncate(bad_puts);
            let mut held = checks.to_vec();
            for addition in additions {
                let (expect, bad_sum) = read_and_judge(next, checks, addition)?;
                held.push(Check { key: addition.key.to_owned(), expect });
                bad.extend(bad_sum);
            }
            if self.on_bad == OnBad::Refuse && !bad.is_empty() {
                return Err(self.refuse(next, bad));
            }
            match next.commit(&held, writes) {
                // Somebody else wrote the counter. Whether the caller's own checks on it still hold is seen when it is read again.
                Err(Error::Conflict(key)) if additions.iter().any(|addition| addition.key == key) => {}
                done => return done,
            }
        }
        Err(Error::unavailable(format!("a counter was written by others {TRIES_MAX} times in a row")))
    }

    /// Parks bad values and says why their commit is refused.
    fn refuse(&self, next: &dyn NextKv, bad: &[Bad<'_>]) -> Error {
        let mut told = Vec::new();
        for (at, bad) in bad.iter().enumerate() {
            let parked = self.park(next, at, bad);
            if at < TOLD_MAX {
                told.push(format!("{bad}; {parked}"));
            }
        }
        let more = bad.len().saturating_sub(TOLD_MAX);
        if more > 0 {
            told.push(format!("and {more} more bad values"));
        }
        Error::invalid(told.join(". "))
    }

    /// Parks and logs bad values that were written all the same.
    fn report(&self, next: &dyn NextKv, bad: &[Bad<'_>]) {
        for (at, bad) in bad.iter().enumerate() {
            let parked = self.park(next, at, bad);
            if at < TOLD_MAX {
                warn!("written all the same: {bad}; {parked}");
            }
        }
    }

    /// Parks a bad value, the `at`th of its commit, and says what came of that.
    fn park(&self, next: &dyn NextKv, at: usize, bad: &Bad<'_>) -> String {
        let Some(parking) = &self.parking else { return "not parked: parking is off".to_owned() };
        if at >= PARKED_PER_COMMIT_MAX {
            return format!("not parked: more than {PARKED_PER_COMMIT_MAX} bad values in one commit");
        }
        match parking.park(next, bad, clock::now_ms()) {
            Ok(slot) => format!("parked as `{slot}`"),
            Err(error) => format!("not parked: {error}"),
        }
    }
}

/// What must still be so for the sum to be the one that was judged, and the sum if it is bad.
fn read_and_judge<'a>(
    next: &dyn NextKv,
    checks: &[Check],
    addition: &Addition<'a>,
) -> Result<(Expectation, Option<Bad<'a>>)> {
    let Addition { key, delta, schema } = *addition;
    let current = next.get(key)?;
    let version = current.as_ref().map(|entry| entry.version);
    if checks.iter().any(|check| check.key == key && !check.expect.holds(version)) {
        return Err(Error::conflict(key));
    }
    let value = counter::encode(counter::add(current.as_ref().map(|entry| &*entry.value), delta, key)?);
    let reasons = schema.judge(&value);
    let bad = reasons.map(|reasons| Bad { key, value, prefix: schema.prefix(), reasons });
    Ok((version.map_or(Expectation::Absent, Expectation::Version), bad))
}

export_kv_layer!(KvValidate);
