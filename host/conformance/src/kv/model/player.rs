//! Plays a history on the subject and on the model at once, and compares.

use std::{collections::HashMap, sync::Arc};

use larder_core::{
    Capabilities, Change, Check, Commit, Entry, Error, ErrorKind, Expectation, Key, KeyRange, KvStore,
    ManualClock, MemoryKv, Outcome, Scan, Version, counter,
};

use super::step::{Expect, NAMES, Step};
use crate::kv::{
    Options, Subject,
    case::{Failure, Verdict, brief, ensure, same},
    stage::{Stage, key},
};

pub(super) struct Player {
    stage: Stage,
    model: MemoryKv,
    clock: Arc<ManualClock>,
    /// Per key the versions seen, the model's and the subject's, oldest first.
    seen: HashMap<String, Vec<(Version, Version)>>,
}

impl Player {
    pub(super) async fn new(subject: &dyn Subject) -> Verdict<Self> {
        let stage = Stage::new(subject, &Options::default()).await?;
        let clock = subject.clock();
        // The model declares what the subject declares, so that it refuses the same.
        let model = MemoryKv::with_clock(clock.clone()).with_description(stage.description);
        Ok(Self { stage, model, clock, seen: HashMap::new() })
    }

    pub(super) async fn play(&mut self, step: &Step) -> Verdict {
        match step {
            Step::Get(name) => self.get(name).await,
            Step::GetMany(names) => self.get_many(names).await,
            Step::Scan { range, limit, keys_only } => {
                let scan = Scan::new(range.clone()).limit(*limit);
                self.scan(if *keys_only { scan.keys_only() } else { scan }).await
            }
            Step::Advance(by) => {
                self.clock.advance(*by);
                Ok(())
            }
            Step::Commit { checks, writes } => {
                let commit = self.commit_of(checks, writes)?;
                self.commit(&commit).await
            }
        }
    }

    /// Both must hold the same in the end, whatever the history happened to look at.
    pub(super) async fn compare_everything(&mut self) -> Verdict {
        self.get_many(&NAMES).await?;
        if self.stage.description.capabilities.contains(Capabilities::SCAN) {
            self.scan(Scan::new(KeyRange::all())).await?;
        }
        Ok(())
    }

    async fn get(&mut self, name: &str) -> Verdict {
        let got = self.stage.get(name).await?;
        let expected = self.model.get(&key(name)?).await?;
        self.same_entry(&format!("get({name:?})"), name, got, expected)
    }

    async fn get_many(&mut self, names: &[&str]) -> Verdict {
        let keys: Vec<Key> = names.iter().map(|name| key(name)).collect::<Verdict<_>>()?;
        let got = self.stage.store.get_many(&keys).await?;
        let expected = self.model.get_many(&keys).await?;
        ensure!(got.len() == keys.len(), "get_many of {} keys answered {}", keys.len(), got.len());
        for ((i, name), (got, expected)) in names.iter().enumerate().zip(got.into_iter().zip(expected)) {
            self.same_entry(&format!("get_many({names:?}), answer {i}"), name, got, expected)?;
        }
        Ok(())
    }

    async fn scan(&mut self, scan: Scan) -> Verdict {
        if !self.stage.description.capabilities.contains(Capabilities::SCAN) {
            let kind = self.stage.store.scan(&scan).await.err().map(|error| error.kind());
            return same("the refusal of a scan", kind, Some(ErrorKind::Unsupported));
        }
        let got = self.stage.entries(scan.clone()).await?;
        let (mut rest, mut expected) = (scan, Vec::new());
        loop {
            let page = self.model.scan(&rest).await?;
            expected.extend(page.entries);
            match page.next {
                Some(next) => rest.range = rest.range.resume(&next),
                None => break,
            }
        }
        let names = |entries: &[(Key, Entry)]| -> Vec<String> {
            entries.iter().map(|(name, _)| name.to_string()).collect()
        };
        same("the keys of a scan", names(&got), names(&expected))?;
        for ((name, got), (_, expected)) in got.into_iter().zip(expected) {
            self.same_entry(&format!("{name:?} in a scan"), &name, Some(got), Some(expected))?;
        }
        Ok(())
    }

    async fn commit(&mut self, (commit, on_model): &(Commit, Commit)) -> Verdict {
        let mut kinds = self.kinds_besides(on_model).await?;
        let expected = self.model.commit(on_model).await;
        let got = self.stage.store.commit(commit).await;
        let (got, expected) = match (got, expected) {
            (Ok(got), Ok(expected)) => (got, expected),
            (Err(got), Err(expected)) => {
                kinds.push(expected.kind());
                ensure!(kinds.contains(&got.kind()), "a commit failed as {got}; the model says {expected}");
                ensure!(!got.is_effect_unknown(), "a refusal must know that nothing was written: {got}");
                return self.names_a_failed_check(&got, &on_model.checks).await;
            }
            (Ok(_), Err(expected)) => {
                return Err(Failure(format!("a commit went through; the model says {expected}")));
            }
            (Err(got), Ok(_)) => {
                return Err(Failure(format!("a commit failed that the model lets through: {}", got.chain())));
            }
        };
        same("the number of outcomes", got.len(), expected.len())?;
        for (write, outcomes) in commit.writes.iter().zip(got.into_iter().zip(expected)) {
            match outcomes {
                (Outcome::Written(got), Outcome::Written(expected)) => {
                    self.same_version("the outcome of a put", &write.key, got, expected)?;
                }
                (got, expected) => same(&format!("the outcome for {:?}", write.key), got, expected)?,
            }
        }
        Ok(())
    }

    /// Where a check fails and an addition would fail too, either may be told first.
    async fn kinds_besides(&self, commit: &Commit) -> Verdict<Vec<ErrorKind>> {
        for write in &commit.writes {
            if let Change::Add(delta) = write.change {
                let stored = self.model.get(&write.key).await?;
                if counter::add(stored.as_ref().map(|entry| &*entry.value), delta, &write.key).is_err() {
                    return Ok(vec![ErrorKind::Invalid]);
                }
            }
        }
        Ok(Vec::new())
    }

    async fn names_a_failed_check(&self, got: &Error, checks: &[Check]) -> Verdict {
        if got.kind() != ErrorKind::Conflict {
            return Ok(());
        }
        for Check { key, expect } in checks {
            let alone = Commit::new().check(key.clone(), *expect);
            if got.context("key") == Some(key) && self.model.commit(&alone).await.is_err() {
                return Ok(());
            }
        }
        Err(Failure(format!("a conflict must name a key whose check failed: {got}")))
    }

    fn same_entry(&mut self, what: &str, name: &str, got: Option<Entry>, expected: Option<Entry>) -> Verdict {
        let (got, expected) = match (got, expected) {
            (None, None) => return Ok(()),
            (Some(got), Some(expected)) => (got, expected),
            (got, expected) => {
                let (got, expected) = (brief(&got), brief(&expected));
                return Err(Failure(format!("{what}: got {got}, the model has {expected}")));
            }
        };
        same(&format!("the value of {what}"), got.value, expected.value)?;
        same(&format!("the expiry of {what}"), got.expires_at, expected.expires_at)?;
        self.same_version(what, name, got.version, expected.version)
    }

    /// The subject's version must be one that it had for the model's version, or new where that is.
    fn same_version(&mut self, what: &str, name: &str, got: Version, expected: Version) -> Verdict {
        if !self.stage.description.capabilities.contains(Capabilities::VERSIONS) {
            return Ok(());
        }
        let seen = self.seen.entry(name.to_owned()).or_default();
        if let Some((_, before)) = seen.iter().find(|(model, _)| *model == expected) {
            ensure!(got == *before, "{what}: version {got}, but nothing was written since it was {before}");
            return Ok(());
        }
        ensure!(
            seen.iter().all(|(_, subject)| *subject != got),
            "{what}: version {got}, as before an earlier write of {name:?}"
        );
        seen.push((expected, got));
        Ok(())
    }

    /// The commit for the subject and that for the model, which differ in their versions.
    fn commit_of(
        &self,
        checks: &[(&'static str, Expect)],
        writes: &[(&'static str, Change)],
    ) -> Verdict<(Commit, Commit)> {
        let (mut commit, mut on_model) = (Commit::new(), Commit::new());
        for (name, expect) in checks {
            let (got, expected) = match expect {
                Expect::Absent => (Expectation::Absent, Expectation::Absent),
                Expect::Present => (Expectation::Present, Expectation::Present),
                Expect::Seen(ago) => {
                    match self.seen.get(*name).and_then(|seen| seen.iter().rev().nth(*ago)) {
                        Some((model, subject)) => {
                            (Expectation::Version(*subject), Expectation::Version(*model))
                        }
                        None => continue,
                    }
                }
            };
            commit = commit.check(key(name)?, got);
            on_model = on_model.check(key(name)?, expected);
        }
        for (name, change) in writes {
            commit = commit.write(key(name)?, change.clone());
            on_model = on_model.write(key(name)?, change.clone());
        }
        Ok((commit, on_model))
    }
}
