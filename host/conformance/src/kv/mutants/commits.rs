//! What goes wrong in commits.

use std::time::Duration;

use larder_core::{
    Change, Check, Clock, Commit, Effect, Error, ErrorKind, Expectation, Key, KvStore, Outcome, Result,
    Version, Write, counter,
};

use super::store::{Defect, Mutant, SECOND, hash};

impl Mutant {
    pub(super) async fn mutant_commit(&self, asked: &Commit) -> Result<Vec<Outcome>> {
        let mut commit = asked.clone();
        for key in
            commit.writes.iter_mut().map(|w| &mut w.key).chain(commit.checks.iter_mut().map(|c| &mut c.key))
        {
            *key = self.key(key);
        }
        self.change_writes(&mut commit).await?;
        self.change_checks(&mut commit).await?;
        if !matches!(self.defect, Defect::TakesAnyValue | Defect::TakesAnyKey | Defect::SplitsUndeclared) {
            self.describe().check_commit(&commit)?;
        }
        let result = match self.defect {
            Defect::AcknowledgesEarly => self.buffer(commit.clone()).await,
            Defect::ChecksApart => {
                let checks = Commit { checks: commit.checks.clone(), writes: Vec::new() };
                self.inner.commit(&checks).await?;
                tokio::task::yield_now().await;
                self.inner.commit(&Commit { checks: Vec::new(), writes: commit.writes.clone() }).await
            }
            Defect::WritesOneByOne | Defect::SplitsUndeclared => self.one_by_one(&commit).await,
            Defect::ChecksAlonePass if commit.writes.is_empty() => return Ok(Vec::new()),
            _ => self.inner.commit(&commit).await,
        };
        let outcomes = result.map_err(|error| self.spoil(error, asked))?;
        let expired = self.immortal.commit(&immortal(&commit.writes)).await.unwrap_or_default();
        self.remember(asked);
        Ok(self.change_outcomes(outcomes, &expired, &commit, asked))
    }

    async fn change_writes(&self, commit: &mut Commit) -> Result<()> {
        if self.is(Defect::TakesKeyTwice) {
            let mut last = std::collections::BTreeMap::new();
            for (i, write) in commit.writes.iter().enumerate() {
                last.insert(write.key.clone(), i);
            }
            let mut at = 0;
            commit.writes.retain(|write| {
                at += 1;
                last.get(&write.key) == Some(&(at - 1))
            });
        }
        for Write { key, change } in &mut commit.writes {
            self.change_ttl(key, change).await?;
            let Change::Add(delta) = *change else { continue };
            let current = self.inner.get(key).await?;
            let value = current.as_ref().map(|entry| entry.value.clone());
            let sum = match self.defect {
                Defect::EmulatesUndeclaredAdd => counter::add(value.as_deref(), delta, key)?,
                Defect::AddWraps => {
                    let Some(number) = value.as_deref().map_or(Some(0), counter::decode) else { continue };
                    number.wrapping_add(delta)
                }
                Defect::AddReadsLoosely => {
                    let text = String::from_utf8_lossy(value.as_deref().unwrap_or(b"0")).into_owned();
                    let Ok(number) = text.trim().parse::<i64>() else { continue };
                    let Some(sum) = number.checked_add(delta) else { continue };
                    sum
                }
                Defect::ReadsThenAdds | Defect::AddEndsExpiry => {
                    tokio::task::yield_now().await;
                    counter::add(value.as_deref(), delta, key)?
                }
                _ => continue,
            };
            let left = current.and_then(|entry| entry.expires_at).map(|at| at.since(self.clock.now()));
            let ttl = left.filter(|_| !self.is(Defect::AddEndsExpiry));
            *change = Change::Put { value: counter::encode(sum), ttl };
        }
        Ok(())
    }

    async fn change_ttl(&self, key: &Key, change: &mut Change) -> Result<()> {
        let Change::Put { ttl, .. } = change else { return Ok(()) };
        match self.defect {
            Defect::IgnoresTtl | Defect::DropsUndeclaredTtl => *ttl = None,
            Defect::ExpiresLate => *ttl = ttl.map(|ttl| ttl.saturating_add(Duration::from_millis(1))),
            Defect::RoundsTtl => *ttl = ttl.map(|ttl| ttl.max(SECOND)),
            Defect::TakesNoTtl => *ttl = ttl.filter(|ttl| *ttl > Duration::ZERO),
            Defect::PutKeepsExpiry if ttl.is_none() => {
                let at = self.inner.get(key).await?.and_then(|entry| entry.expires_at);
                *ttl = at.map(|at| at.since(self.clock.now()));
            }
            _ => {}
        }
        Ok(())
    }

    async fn change_checks(&self, commit: &mut Commit) -> Result<()> {
        match self.defect {
            Defect::IgnoresChecks | Defect::DropsUndeclaredChecks => commit.checks.clear(),
            Defect::IgnoresAbsent => commit.checks.retain(|check| check.expect != Expectation::Absent),
            Defect::IgnoresLaterChecks => commit.checks.truncate(1),
            _ => {}
        }
        let writes = commit.writes.clone();
        for check in &mut commit.checks {
            self.change_check(check, &writes).await?;
        }
        Ok(())
    }

    async fn change_check(&self, Check { key, expect }: &mut Check, writes: &[Write]) -> Result<()> {
        let entry = self.inner.get(key).await?;
        // A check that always holds here: what is there is there, what is not is not.
        let holds = if entry.is_some() { Expectation::Present } else { Expectation::Absent };
        let fails = if entry.is_some() { Expectation::Absent } else { Expectation::Present };
        match (self.defect, *expect) {
            (Defect::AnyVersionWillDo, Expectation::Version(_)) => *expect = Expectation::Present,
            (
                Defect::VersionIsHash | Defect::VersionBeginsAgain | Defect::AddKeepsVersion,
                Expectation::Version(v),
            ) => {
                let told = entry.as_ref().map(|entry| self.told_version(key, entry));
                *expect = if told == Some(v) { holds } else { fails };
            }
            (Defect::ChecksSeeExpired, Expectation::Absent | Expectation::Present) => {
                let there = self.immortal.get(key).await?.is_some();
                *expect = if there == (*expect == Expectation::Present) { holds } else { fails };
            }
            (Defect::ChecksSeeWrites, Expectation::Absent | Expectation::Present) => {
                let Some(write) = writes.iter().find(|write| write.key == *key) else { return Ok(()) };
                let there = write.change != Change::Delete;
                *expect = if there == (*expect == Expectation::Present) { holds } else { fails };
            }
            _ => {}
        }
        Ok(())
    }

    async fn buffer(&self, commit: Commit) -> Result<Vec<Outcome>> {
        let before = self.state.lock().unwrap().buffered.take();
        if let Some(before) = before {
            self.inner.commit(&before).await?;
        }
        let outcomes = commit.writes.iter().map(|write| match write.change {
            Change::Put { .. } => Outcome::Written(Version(1)),
            Change::Delete => Outcome::Deleted(true),
            Change::Add(delta) => Outcome::Added(delta),
        });
        let outcomes = outcomes.collect();
        self.state.lock().unwrap().buffered = Some(commit);
        Ok(outcomes)
    }

    async fn one_by_one(&self, commit: &Commit) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        let mut checks = commit.checks.clone();
        for write in &commit.writes {
            let one = Commit { checks: std::mem::take(&mut checks), writes: vec![write.clone()] };
            outcomes.extend(self.inner.commit(&one).await?);
        }
        if !checks.is_empty() {
            self.inner.commit(&Commit { checks, writes: Vec::new() }).await?;
        }
        Ok(outcomes)
    }

    fn spoil(&self, error: Error, asked: &Commit) -> Error {
        let conflict = error.kind() == ErrorKind::Conflict;
        match self.defect {
            Defect::ConflictHasNoKey if conflict => Error::new(ErrorKind::Conflict, "a check failed"),
            Defect::ConflictNamesWritten if conflict => {
                let written = asked.writes.first().map_or("", |write| write.key.as_str());
                Error::conflict("a check failed", written)
            }
            Defect::ConflictIsInvalid if conflict => Error::invalid("a check failed"),
            Defect::RefusalIsUnsure => error.effect(Effect::Unknown),
            _ => error,
        }
    }

    /// Keeps the mutant's own versions and what else it remembers of writes.
    fn remember(&self, asked: &Commit) {
        let mut state = self.state.lock().unwrap();
        for Write { key, change } in &asked.writes {
            if *change != Change::Delete {
                state.cached.remove(key);
            }
            state.counters.retain(|counter| counter != key);
            match (self.defect, change) {
                (Defect::CounterIsBinary, Change::Add(_)) => state.counters.push(key.clone()),
                (Defect::VersionBeginsAgain, Change::Delete) => drop(state.told.remove(key)),
                (Defect::AddKeepsVersion, Change::Add(_)) => {}
                _ => *state.told.entry(key.clone()).or_default() += 1,
            }
        }
    }

    fn change_outcomes(
        &self,
        outcomes: Vec<Outcome>,
        expired: &[Outcome],
        commit: &Commit,
        asked: &Commit,
    ) -> Vec<Outcome> {
        let mut changed = Vec::new();
        for (i, (outcome, write)) in outcomes.into_iter().zip(&commit.writes).enumerate() {
            changed.push(match (self.defect, outcome) {
                (Defect::DeleteSaysTrue, Outcome::Deleted(_)) => Outcome::Deleted(true),
                (Defect::DeleteSaysFalse, Outcome::Deleted(_)) => Outcome::Deleted(false),
                (Defect::DeleteFindsExpired, Outcome::Deleted(_)) => {
                    expired.get(i).copied().unwrap_or(outcome)
                }
                (Defect::AnswersOtherVersion, Outcome::Written(v)) => Outcome::Written(Version(v.0 + 1)),
                (Defect::VersionIsHash, Outcome::Written(_)) => match &write.change {
                    Change::Put { value, .. } => Outcome::Written(hash(value)),
                    _ => outcome,
                },
                (Defect::VersionBeginsAgain | Defect::AddKeepsVersion, Outcome::Written(_)) => {
                    let state = self.state.lock().unwrap();
                    Outcome::Written(Version(state.told.get(&write.key).copied().unwrap_or(0)))
                }
                // What turned an addition into a put still answers as one that adds.
                (_, Outcome::Written(_)) => {
                    match (asked.writes.get(i).map(|write| &write.change), &write.change) {
                        (Some(Change::Add(_)), Change::Put { value, .. }) => {
                            Outcome::Added(counter::decode(value).unwrap_or(0))
                        }
                        _ => outcome,
                    }
                }
                _ => outcome,
            });
        }
        changed
    }
}

/// The writes without their times to live.
fn immortal(writes: &[Write]) -> Commit {
    let mut commit = Commit { checks: Vec::new(), writes: writes.to_vec() };
    for write in &mut commit.writes {
        if let Change::Put { ttl, .. } = &mut write.change {
            *ttl = None;
        }
    }
    commit
}
