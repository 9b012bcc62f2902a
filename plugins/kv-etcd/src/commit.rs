//! Commits: one transaction of etcd, with what they depend on as its conditions.
//!
//! What a commit depends on (its checks, the entries that it adds to or deletes) is read first and judged, by the host's clock.
//! The transaction then holds only where none of it was written since. So an expired entry that etcd did not sweep yet is
//! absent to everybody, and is replaced under its own revision. Where somebody wrote in between, the commit begins anew.

use std::collections::BTreeMap;

use larder_sdk::kv::{Change, Check, Outcome, Put, Write, counter};
use larder_sdk::{Error, Level, Result, clock, log};
use serde_json::{Value, json};

use crate::{
    KvEtcd,
    envelope::{self, Envelope},
    gateway::{Effect, Refused, Why},
    lease, wire,
};

/// How often a commit begins anew because somebody else wrote what it depends on.
const TRIES: u32 = 100;

/// How often another number is chosen for a lease that is there already.
const LEASE_TRIES: u32 = 3;

/// What is under a key that a commit depends on.
struct Seen {
    /// 0: nothing.
    revision: u64,
    lease: i64,
    /// None where it has expired.
    live: Option<Envelope>,
}

/// A transaction, and what to make of its answer.
struct Plan {
    compares: Vec<Value>,
    ops: Vec<Value>,
    outcomes: Vec<Planned>,
    /// Leases that no entry holds once it is done.
    retired: Vec<i64>,
}

/// What a write comes to, once its transaction is done.
enum Planned {
    Written,
    Known(Outcome),
}

/// What became of an attempt.
enum Tried {
    Done(Vec<Outcome>),
    /// Somebody wrote in between; nothing was written.
    Again,
}

impl KvEtcd {
    pub(crate) fn apply(&mut self, checks: &[Check], writes: &[Write]) -> Result<Vec<Outcome>> {
        self.refuse_too_large(writes)?;
        let mut leases = vec![0; writes.len()];
        let mut result = Err(Error::unavailable(format!(
            "what the commit depends on changed {TRIES} times while it was to be written"
        )));
        for _ in 0..TRIES {
            match self.attempt(checks, writes, &mut leases) {
                Ok(Tried::Again) => {}
                Ok(Tried::Done(outcomes)) => {
                    result = Ok(outcomes);
                    break;
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        // Where it may have happened, entries may hold them, and would go with them.
        if result.as_ref().is_err_and(|error| !matches!(error, Error::Indeterminate(_) | Error::Other(_))) {
            leases.into_iter().filter(|number| *number != 0).for_each(|number| self.revoke(number));
        }
        result
    }

    fn refuse_too_large(&self, writes: &[Write]) -> Result<()> {
        let bytes: usize = writes
            .iter()
            .map(|write| match &write.change {
                Change::Put(put) => self.entry_bytes(&write.key) + put.value.len(),
                Change::Add(_) | Change::Delete => self.entry_bytes(&write.key),
            })
            .sum();
        let most = self.request_bytes as usize;
        if bytes <= most {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "a commit of {bytes} bytes, more than the {most} that etcd takes in a request; split it, or start etcd with a larger \
             --max-request-bytes and set `request_bytes` to it"
        )))
    }

    /// Reads, judges, and writes if nothing changed since.
    fn attempt(&mut self, checks: &[Check], writes: &[Write], leases: &mut [i64]) -> Result<Tried> {
        let seen = self.look(checks, writes)?;
        for check in checks {
            let found = seen.get(&*check.key);
            let version = found.and_then(|seen| seen.live.as_ref().map(|_| seen.revision));
            if !check.expect.holds(version) {
                return Err(Error::conflict(&*check.key));
            }
        }
        if writes.is_empty() && seen.len() < 2 {
            return Ok(Tried::Done(Vec::new()));
        }
        let plan = self.plan(&seen, writes, leases)?;
        let Plan { compares, ops, outcomes, mut retired } = plan;
        let has_writes = !ops.is_empty();
        let effect = if has_writes { Effect::Writes } else { Effect::Reads };
        let answer = match self.gateway.ask(effect, "/v3/kv/txn", &wire::txn(compares, ops)?) {
            Ok(answer) => answer,
            // A lease ended before it was used; the next attempt has new ones.
            Err(Refused { why: Why::Missing, .. }) => {
                leases.fill(0);
                return Ok(Tried::Again);
            }
            Err(refused) => return Err(refused.into()),
        };
        if !wire::is_true(&answer, "succeeded") {
            return Ok(Tried::Again);
        }
        // It is done: what can't be read of the answer is no reason to say that it is not.
        let unread = |error: Error| Error::indeterminate(error.to_string());
        let responses = wire::responses(&answer);
        for found in responses.into_iter().filter(|response| response.get("response_range").is_some()) {
            retired.extend(wire::found(found).map_err(unread)?.map(|stored| stored.lease));
        }
        let revision = if has_writes { wire::revision(&answer).map_err(unread)? } else { 0 };
        retired.into_iter().filter(|number| lease::is_ours(*number)).for_each(|number| self.revoke(number));
        let outcome = |planned| match planned {
            Planned::Written => Outcome::Written(revision),
            Planned::Known(outcome) => outcome,
        };
        Ok(Tried::Done(outcomes.into_iter().map(outcome).collect()))
    }

    /// Reads what the commit depends on.
    fn look<'a>(&mut self, checks: &'a [Check], writes: &'a [Write]) -> Result<BTreeMap<&'a str, Seen>> {
        // Whether the value matters: what nobody can read can be deleted all the same.
        let mut wanted: BTreeMap<&str, bool> = BTreeMap::new();
        for write in writes {
            match write.change {
                Change::Put(_) => {}
                Change::Add(_) => drop(wanted.insert(&write.key, true)),
                Change::Delete => drop(wanted.insert(&write.key, false)),
            }
        }
        wanted.extend(checks.iter().map(|check| (&*check.key, true)));
        let names: Vec<String> = wanted.keys().map(|key| self.name(key)).collect();
        let found = self.fetch(&names)?;
        let now_ms = clock::now_ms();
        let mut all = BTreeMap::new();
        for ((key, is_read), stored) in wanted.into_iter().zip(found) {
            let seen = match stored {
                None => Seen { revision: 0, lease: 0, live: None },
                Some(stored) => {
                    let opened = match Envelope::open(stored.value) {
                        Err(_) if !is_read => Envelope { expires_at_ms: None, value: Vec::new() },
                        opened => opened.map_err(|error| error.context(key))?,
                    };
                    let live = Some(opened).filter(|envelope| envelope.is_live(now_ms));
                    Seen { revision: stored.revision, lease: stored.lease, live }
                }
            };
            all.insert(key, seen);
        }
        Ok(all)
    }

    fn plan(&mut self, seen: &BTreeMap<&str, Seen>, writes: &[Write], leases: &mut [i64]) -> Result<Plan> {
        let compares =
            seen.iter().map(|(key, seen)| wire::unchanged(&self.name(key), seen.revision)).collect();
        let mut plan = Plan {
            compares,
            ops: Vec::new(),
            outcomes: Vec::with_capacity(writes.len()),
            retired: Vec::new(),
        };
        // Before any lease is granted: a sum that leaves its range ends the commit.
        for write in writes {
            if let Change::Add(delta) = write.change {
                sum(seen.get(&*write.key), delta, &write.key)?;
            }
        }
        for (write, granted) in writes.iter().zip(leases) {
            let (name, found) = (self.name(&write.key), seen.get(&*write.key));
            match &write.change {
                Change::Put(put) => {
                    match found {
                        Some(found) => plan.retired.push(found.lease),
                        // Nobody looked yet which lease it leaves.
                        None => plan.ops.push(wire::look(&name)),
                    }
                    let (bytes, number) = self.sealed(put, granted)?;
                    plan.ops.push(wire::put(&name, &bytes, number));
                    plan.outcomes.push(Planned::Written);
                }
                Change::Add(delta) => {
                    let sum = sum(found, *delta, &write.key)?;
                    let live = found.filter(|found| found.live.is_some());
                    let expires_at_ms = live.and_then(|found| found.live.as_ref()?.expires_at_ms);
                    // The expiry stays, and with it the lease.
                    let kept = live.map_or(0, |found| found.lease);
                    plan.retired.extend(found.map(|found| found.lease).filter(|number| *number != kept));
                    let bytes = envelope::seal(expires_at_ms, &counter::encode(sum));
                    plan.ops.push(wire::put(&name, &bytes, kept));
                    plan.outcomes.push(Planned::Known(Outcome::Added(sum)));
                }
                Change::Delete => {
                    if let Some(found) = found.filter(|found| found.revision > 0) {
                        plan.retired.push(found.lease);
                        plan.ops.push(wire::delete(&name));
                    }
                    let existed = found.is_some_and(|found| found.live.is_some());
                    plan.outcomes.push(Planned::Known(Outcome::Deleted(existed)));
                }
            }
        }
        Ok(plan)
    }

    /// The bytes of a value and its lease, which is granted where it has none yet.
    fn sealed(&mut self, put: &Put, granted: &mut i64) -> Result<(Vec<u8>, i64)> {
        let Some(ttl_ms) = put.ttl_ms else { return Ok((envelope::seal(None, &put.value), 0)) };
        if *granted == 0 {
            *granted = self.grant(ttl_ms)?;
        }
        let expires_at_ms = clock::now_ms().saturating_add(ttl_ms);
        Ok((envelope::seal(Some(expires_at_ms), &put.value), *granted))
    }

    /// A new lease. Nothing harms where one is granted that nobody hears of: it ends by itself.
    fn grant(&mut self, ttl_ms: u64) -> Result<i64> {
        let mut tries = 1;
        loop {
            let number = lease::new_number();
            let body = json!({"ID": number.to_string(), "TTL": lease::seconds(ttl_ms).to_string()});
            match self.gateway.ask(Effect::Reads, "/v3/lease/grant", &body) {
                Ok(_) => return Ok(number),
                Err(refused) if refused.why == Why::Precondition && tries < LEASE_TRIES => tries += 1,
                Err(refused) => return Err(refused.error.context("granting a lease")),
            }
        }
    }

    /// Ends a lease that no entry holds. Where that fails, it ends by itself, only later.
    fn revoke(&mut self, number: i64) {
        let body = json!({"ID": number.to_string()});
        match self.gateway.ask(Effect::Reads, "/v3/lease/revoke", &body) {
            Ok(_) | Err(Refused { why: Why::Missing, .. }) => {}
            Err(refused) => {
                log!(Level::Warn, "a lease that no entry holds is left to end by itself: {}", refused.error);
            }
        }
    }
}

fn sum(found: Option<&Seen>, delta: i64, key: &str) -> Result<i64> {
    let value = found.and_then(|found| found.live.as_ref()).map(|envelope| &*envelope.value);
    counter::add(value, delta, key)
}
