//! One lane of a storm: its commits one after the other, each of them once, whatever becomes of the server.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use larder_core::{Commit, Error, ErrorKind, Expectation, Key, KvStore, Outcome, Result, Version, counter};
use larder_tests::crash::Load;
use tokio::{sync::watch, time::sleep};

use super::PAUSE;

/// What the lanes of a storm share.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) acknowledged: watch::Sender<u64>,
    pub(super) stop: watch::Sender<bool>,
    pub(super) failures: Mutex<Failures>,
}

/// What calls of lanes failed with.
#[derive(Debug, Default)]
pub(super) struct Failures {
    pub(super) unknown: u64,
    pub(super) refused: u64,
    /// What calls without effect were told, each text once.
    pub(super) told: BTreeSet<String>,
    /// What calls were told of which nobody knows.
    pub(super) doubts: BTreeSet<String>,
    /// Errors of a kind that no fault may cause.
    pub(super) wrong: Vec<String>,
}

/// What a lane has done.
pub(super) struct LaneEnd {
    pub(super) lane: u64,
    pub(super) acknowledged: u64,
}

/// Writes the commits of one lane.
pub(super) struct Writer {
    load: Load,
    lane: u64,
    store: Arc<dyn KvStore>,
    shared: Arc<Shared>,
    /// The number of the last commit that is known to be there, and the version of the entry that says so.
    number: u64,
    version: Option<Version>,
}

impl Writer {
    pub(super) fn new(load: Load, lane: u64, store: &Arc<dyn KvStore>, shared: &Arc<Shared>) -> Self {
        Self { load, lane, store: Arc::clone(store), shared: Arc::clone(shared), number: 0, version: None }
    }

    pub(super) async fn run(mut self) -> LaneEnd {
        let mut stop = self.shared.stop.subscribe();
        while !*stop.borrow_and_update() {
            match self.store.commit(&self.next()).await {
                Ok(outcomes) => self.made(self.number + 1, &outcomes),
                Err(error) => {
                    let in_doubt = error.is_effect_unknown();
                    self.note(error);
                    sleep(PAUSE).await;
                    if in_doubt {
                        self.learn().await;
                    }
                }
            }
        }
        LaneEnd { lane: self.lane, acknowledged: self.number }
    }

    /// The next commit. It replaces the number that is known, so that it happens once, however often it is sent and
    /// however late it arrives.
    fn next(&self) -> Commit {
        let mut commit = self.load.commit(self.lane, self.number + 1);
        commit.checks[0].expect = self.version.map_or(Expectation::Absent, Expectation::Version);
        commit
    }

    fn made(&mut self, number: u64, outcomes: &[Outcome]) {
        let Some(Outcome::Written(version)) = outcomes.first() else { panic!("a put answered {outcomes:?}") };
        (self.number, self.version) = (number, Some(*version));
        self.shared.acknowledged.send_modify(|made| *made += 1);
    }

    /// Reads what became of a commit of which nobody knows. It may still be on its way, so the same one is sent again
    /// until the number has changed: whichever arrives first, the other finds it replaced.
    async fn learn(&mut self) {
        let name = key(&format!("{}/number", self.lane));
        loop {
            match self.stored(&name).await {
                Ok((number, version)) if number == self.number + 1 => {
                    (self.number, self.version) = (number, version);
                    self.shared.acknowledged.send_modify(|made| *made += 1);
                    return;
                }
                Ok((number, _)) => {
                    assert_eq!(number, self.number, "lane {}: an acknowledged commit was lost", self.lane);
                    match self.store.commit(&self.next()).await {
                        Ok(outcomes) => return self.made(self.number + 1, &outcomes),
                        // The one that was in doubt has arrived.
                        Err(error) if error.kind() == ErrorKind::Conflict => {}
                        Err(error) => self.note(error),
                    }
                }
                Err(error) => self.note(error),
            }
            sleep(PAUSE).await;
        }
    }

    async fn stored(&self, name: &Key) -> Result<(u64, Option<Version>)> {
        let Some(entry) = self.store.get(name).await? else { return Ok((0, None)) };
        let number = counter::decode(&entry.value).and_then(|number| u64::try_from(number).ok());
        Ok((number.expect("a number"), Some(entry.version)))
    }

    fn note(&self, error: Error) {
        let mut failures = self.shared.failures.lock().unwrap();
        if !is_expected(&error) {
            failures.wrong.push(error.chain());
        } else if error.is_effect_unknown() {
            failures.unknown += 1;
            failures.doubts.insert(error.chain());
        } else {
            failures.refused += 1;
            failures.told.insert(error.chain());
        }
    }
}

pub(super) fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

/// The kinds that a server or a network which is away, late or refusing may cause.
pub(super) fn is_expected(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout)
}
