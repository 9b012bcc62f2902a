//! The self-test of a key-value plugin: what the contract says of a few keys of its own.

use std::time::Duration;

use bytes::Bytes;
use larder_core::{
    Capabilities, Commit, Entry, ErrorKind, Expectation, Key, KeyRange, Outcome, Result, Scan, Version,
};

use super::{Get, GetMany, KvDescription};
use crate::{
    bindings::kv::KvExports,
    instance::Access,
    job::{Caller, Job},
    swap::{Scratch, Tried, broke},
};

/// Everything that a test writes to.
const NAMES: [&str; 6] = ["a", "b", "c", "n", "t", "u"];

/// What is left of an entry that a test put with a time to live, if nobody removes it.
const TTL: Duration = Duration::from_secs(60);

/// How long a time to live may come out as: a plugin may round up, and clocks of servers are others.
const TTL_MAX: Duration = Duration::from_secs(120);

/// Bytes that are no text, and more than fit on the stack of a careless plugin.
const VALUE_BYTES: usize = 1_000;

type Asking<'a, 'i> = &'a mut Caller<'i, KvExports>;

struct Test<'a, 'i> {
    caller: Asking<'a, 'i>,
    scratch: &'a Scratch,
    has: Capabilities,
}

pub(super) async fn try_out(
    caller: Asking<'_, '_>,
    about: &KvDescription,
    scratch: &Scratch,
) -> Result<Tried> {
    if scratch.prefix.len() + 1 > about.store.key_bytes_max || VALUE_BYTES > about.store.value_bytes_max {
        // It keeps smaller things than these tests do.
        return Ok(Tried::Whole);
    }
    let mut test = Test { caller, scratch, has: about.store.capabilities };
    if test.entry("a").await?.is_some() {
        return Err(broke("get", "a key that was never written has an entry"));
    }
    match test.put_and_get().await {
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied) => {
            test.many(&["a", "b"], [None, None]).await?;
            return Ok(Tried::ReadOnly);
        }
        done => done?,
    }
    test.versions().await?;
    test.transactions().await?;
    test.counters().await?;
    test.scan().await?;
    test.ttl().await?;
    test.delete().await?;
    Ok(Tried::Whole)
}

/// Deletes all of it, as far as that is possible, and says what was not.
pub(super) async fn clean_up(caller: Asking<'_, '_>, scratch: &Scratch) -> Result<()> {
    let mut answer = Ok(());
    for name in NAMES {
        let mut delete = Commit::new().delete(key(scratch, name)?);
        if let Err(error) = caller.call(&mut delete).await
            && !matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::Denied)
        {
            answer = Err(error);
        }
    }
    answer
}

/// [`clean_up`], as a job of its own.
pub(crate) struct CleanUp(pub(super) Scratch);

impl Job<KvExports> for CleanUp {
    type Output = ();
    const OPERATION: &'static str = "canary";
    const ACCESS: Access = Access::Writes;
    const CALLS_MAX: u32 = NAMES.len() as u32;

    fn fits(&self, _: &KvDescription) -> Result<()> {
        Ok(())
    }

    async fn run(self, caller: &mut Caller<'_, KvExports>) -> Result<()> {
        clean_up(caller, &self.0).await
    }
}

fn key(scratch: &Scratch, name: &str) -> Result<Key> {
    Key::new(format!("{}{name}", scratch.prefix))
}

fn value(seed: u8) -> Bytes {
    (0..VALUE_BYTES).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed)).collect()
}

impl Test<'_, '_> {
    async fn entry(&mut self, name: &str) -> Result<Option<Entry>> {
        let key = key(self.scratch, name)?;
        self.caller.call(&mut Get(key)).await
    }

    async fn commit(&mut self, mut commit: Commit) -> Result<Vec<Outcome>> {
        self.caller.call(&mut commit).await
    }

    /// A put, with a time to live where there is one, so that nothing stays whatever becomes of the test.
    fn put(&self, commit: Commit, name: &str, value: Bytes) -> Result<Commit> {
        let key = key(self.scratch, name)?;
        Ok(match self.has.contains(Capabilities::TTL) {
            true => commit.put_with_ttl(key, value, TTL),
            false => commit.put(key, value),
        })
    }

    async fn many<const N: usize>(&mut self, names: &[&str], expected: [Option<Bytes>; N]) -> Result<()> {
        let keys = names.iter().map(|name| key(self.scratch, name)).collect::<Result<Vec<_>>>()?;
        let found = self.caller.call(&mut GetMany(keys)).await?;
        if found.into_iter().map(|entry| entry.map(|entry| entry.value)).eq(expected) {
            return Ok(());
        }
        Err(broke("get-many", "the answers are not those of the keys, by position"))
    }

    async fn put_and_get(&mut self) -> Result<()> {
        for seed in [1, 2] {
            let put = self.put(Commit::new(), "a", value(seed))?;
            let outcomes = self.commit(put).await?;
            let found = self.entry("a").await?;
            let Some(found) = found else { return Err(broke("put", "a key has no entry after its put")) };
            if found.value != value(seed) {
                return Err(broke("put", "a key has another value than was put"));
            }
            if self.has.contains(Capabilities::VERSIONS)
                && !outcomes.contains(&Outcome::Written(found.version))
            {
                return Err(broke("put", "an entry has another version than its put was answered with"));
            }
        }
        self.many(&["b", "a", "b", "a"], [None, Some(value(2)), None, Some(value(2))]).await
    }

    async fn versions(&mut self) -> Result<()> {
        if !self.has.contains(Capabilities::VERSIONS) {
            return Ok(());
        }
        let first = self.version("a").await?;
        let name = key(self.scratch, "a")?;
        let put = self.put(Commit::new(), "a", value(3))?;
        self.commit(put.check(name.clone(), Expectation::Version(first))).await?;
        if self.version("a").await? == first {
            return Err(broke("versions", "an entry keeps its version over a write"));
        }
        for used_up in [Expectation::Version(first), Expectation::Absent] {
            let put = self.put(Commit::new(), "a", value(4))?.check(name.clone(), used_up);
            self.must_conflict("versions", put).await?;
        }
        match self.entry("a").await? {
            Some(entry) if entry.value == value(3) => Ok(()),
            _ => Err(broke("versions", "a write whose check does not hold was done")),
        }
    }

    async fn version(&mut self, name: &str) -> Result<Version> {
        let found = self.entry(name).await?;
        found.map(|entry| entry.version).ok_or_else(|| broke("versions", "an entry is gone"))
    }

    async fn must_conflict(&mut self, test: &'static str, commit: Commit) -> Result<()> {
        match self.commit(commit).await {
            Err(error) if error.kind() == ErrorKind::Conflict => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(broke(test, "a check that does not hold is no conflict")),
        }
    }

    async fn transactions(&mut self) -> Result<()> {
        if !self.has.contains(Capabilities::TRANSACTIONS) {
            return Ok(());
        }
        let both = self.put(Commit::new(), "b", value(5))?;
        let both = self.put(both, "c", value(6))?;
        if self.has.contains(Capabilities::VERSIONS) {
            let refused = both.clone().check(key(self.scratch, "a")?, Expectation::Absent);
            self.must_conflict("transactions", refused).await?;
            self.many(&["b", "c"], [None, None]).await?;
        }
        self.commit(both).await?;
        self.many(&["b", "c"], [Some(value(5)), Some(value(6))]).await
    }

    async fn counters(&mut self) -> Result<()> {
        if !self.has.contains(Capabilities::COUNTERS) {
            return Ok(());
        }
        let name = key(self.scratch, "n")?;
        for (delta, sum) in [(5, 5), (-7, -2)] {
            if self.commit(Commit::new().add(name.clone(), delta)).await? != [Outcome::Added(sum)] {
                return Err(broke("counters", "a counter does not add up"));
            }
        }
        match self.entry("n").await? {
            Some(entry) if entry.value == "-2" => Ok(()),
            _ => Err(broke("counters", "a counter reads otherwise than it was answered")),
        }
    }

    async fn scan(&mut self) -> Result<()> {
        if !self.has.contains(Capabilities::SCAN) {
            return Ok(());
        }
        let mut expected = vec!["a"];
        if self.has.contains(Capabilities::TRANSACTIONS) {
            expected.extend(["b", "c"]);
        }
        if self.has.contains(Capabilities::COUNTERS) {
            expected.push("n");
        }
        let mut range = KeyRange::prefix(&self.scratch.prefix);
        let mut seen = Vec::new();
        // Pages of one: each goes on behind the one before, and the last says so.
        for _ in 0..=2 * NAMES.len() {
            let page = self.caller.call(&mut Scan::new(range.clone()).limit(1)).await?;
            seen.extend(page.entries.into_iter().map(|(key, _)| key));
            let Some(next) = page.next else { break };
            range.start = next.into_inner();
        }
        let expected =
            expected.into_iter().map(|name| key(self.scratch, name)).collect::<Result<Vec<_>>>()?;
        if seen == expected {
            Ok(())
        } else {
            Err(broke("scan", "a scan does not find what was put, in order"))
        }
    }

    async fn ttl(&mut self) -> Result<()> {
        if !self.has.contains(Capabilities::TTL) {
            return Ok(());
        }
        let name = key(self.scratch, "t")?;
        self.commit(Commit::new().put_with_ttl(name, value(7), TTL)).await?;
        let now = self.caller.clock_now();
        let left = self.entry("t").await?.and_then(|entry| entry.expires_at).map(|at| at.since(now));
        if left.is_none_or(|left| left > TTL_MAX) {
            return Err(broke("ttl", "an entry does not say when it expires"));
        }
        if let Some(clock) = &self.scratch.clock {
            clock.advance(TTL_MAX);
            if self.entry("t").await?.is_some() {
                return Err(broke("ttl", "an entry is there after it expired"));
            }
        }
        Ok(())
    }

    async fn delete(&mut self) -> Result<()> {
        let name = key(self.scratch, "u")?;
        let put = self.put(Commit::new(), "u", value(8))?;
        self.commit(put).await?;
        let delete = Commit::new().delete(name);
        if self.commit(delete.clone()).await? != [Outcome::Deleted(true)] {
            return Err(broke("delete", "a delete does not say that there was something"));
        }
        if self.entry("u").await?.is_some() {
            return Err(broke("delete", "a key has an entry after its delete"));
        }
        // Of what is not there, too.
        self.commit(delete).await.map(drop)
    }
}
