//! The load under which a key-value store is broken, and what must be true of it afterwards.
//!
//! Two loads at once, over several hosts on one server. **Lanes** make commits of several keys and counters, as the
//! crash suite's do: the number that the store holds for a lane says what each of its keys must hold, so a lost write,
//! half a commit and a commit that happened twice all show. A lane goes on only when it knows: where it was told
//! `unknown`, it reads. **Clients** fight for the same keys with compare-and-set and counters, and their history must be
//! linearizable.

mod lane;

use std::{sync::Arc, time::Duration};

use larder_core::{Commit, KvStore};
use larder_tests::{
    crash::{Lane, Load, total},
    faults::Figures,
    linearizability::{self, Clients, Failure},
};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

use lane::{LaneEnd, Shared, Writer, is_expected, key};

/// Clients that fight for the same keys.
const CLIENTS: u64 = 4;
/// Answers that each of them waits for in one round, whose keys are its own.
const ANSWERS: u64 = 60;
/// Between a failure and the next call of a lane.
const PAUSE: Duration = Duration::from_millis(10);
/// From the server's return to the first call that succeeds.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// A storm that makes no progress for so long hangs.
const HANGS: Duration = Duration::from_secs(60);
/// Tasks that may be left when the load has ended: those of drivers, which do not grow with it.
const TASKS_MAX: usize = 32;
/// Most that the process may grow by in a storm, in bytes: the load's own values are a few MiB.
const GROWTH_BYTES_MAX: u64 = 96 << 20;

/// A load that runs.
pub(crate) struct Storm {
    stores: Vec<Arc<dyn KvStore>>,
    load: Load,
    lanes: JoinSet<LaneEnd>,
    clients: JoinSet<Rounds>,
    shared: Arc<Shared>,
    progress: watch::Receiver<u64>,
    tasks: usize,
    resident: u64,
    recovery: Option<Duration>,
}

/// What clients have done, round by round.
#[derive(Default)]
struct Rounds {
    answered: u64,
    unknown: u64,
    failures: Vec<Failure>,
}

impl Storm {
    /// Lanes of a storm.
    pub(crate) const LANES: u64 = 4;

    /// Starts the load on stores that are the same one, seen through several hosts.
    pub(crate) fn start(stores: &[Arc<dyn KvStore>], seed: u64) -> Self {
        let metrics = tokio::runtime::Handle::current().metrics();
        let shared = Arc::new(Shared::default());
        let (load, resident, tasks) = (Load { seed }, resident_bytes(), metrics.num_alive_tasks());
        let mut lanes = JoinSet::new();
        for (lane, store) in (0..Self::LANES).zip(stores.iter().cycle()) {
            lanes.spawn(Writer::new(load, lane, store, &shared).run());
        }
        let mut clients = JoinSet::new();
        clients.spawn(rounds(stores.to_vec(), seed, shared.stop.subscribe()));
        Self {
            stores: stores.to_vec(),
            load,
            lanes,
            clients,
            progress: shared.acknowledged.subscribe(),
            shared,
            tasks,
            resident,
            recovery: None,
        }
    }

    /// How many hosts see the store.
    pub(crate) fn hosts(&self) -> usize {
        self.stores.len()
    }

    /// Waits until the lanes together have made so many more commits.
    pub(crate) async fn progress(&mut self, commits: u64) {
        let end = *self.progress.borrow() + commits;
        let reached = tokio::select! {
            reached = timeout(HANGS, self.progress.wait_for(|made| *made >= end)) => reached.is_ok(),
            Some(ended) = self.lanes.join_next() => panic!("a lane ended: {:?}", ended.map(|end| end.lane)),
            Some(ended) = self.clients.join_next() => panic!("the clients ended: {:?}", ended.map(drop)),
        };
        assert!(reached, "no {commits} commits within {HANGS:?}: {}", self.told());
    }

    /// The server is back, or the wire whole: each host answers again within five seconds, without being restarted.
    pub(crate) async fn recovers(&mut self) {
        let from = Instant::now();
        for (i, store) in self.stores.iter().enumerate() {
            let key = key(&format!("probe/{i}"));
            let answers = async {
                while store.commit(&Commit::new().put(key.clone(), "1")).await.is_err() {
                    sleep(PAUSE).await;
                }
            };
            let left = RECOVERY_MAX.saturating_sub(from.elapsed());
            let answered = timeout(left, answers).await;
            assert!(answered.is_ok(), "host {i} does not answer after {RECOVERY_MAX:?}: {}", self.told());
        }
        let took = from.elapsed();
        self.recovery = Some(self.recovery.map_or(took, |longest| longest.max(took)));
        self.progress(20).await;
    }

    /// Ends the load and holds the store against it.
    pub(crate) async fn holds(mut self) -> Figures {
        self.shared.stop.send_replace(true);
        let rounds = timeout(HANGS, self.clients.join_next()).await.expect("the clients end");
        let rounds = rounds.unwrap().unwrap();
        let mut sum = 0;
        while let Some(end) = timeout(HANGS, self.lanes.join_next()).await.expect("the lanes end") {
            let end = end.unwrap();
            let store = &*self.stores[0];
            let mut lane = Lane::new(self.load, end.lane);
            // A lane has learnt what became of each commit before it went on, so there is no doubt left.
            lane.check(store, end.acknowledged, 0).await.unwrap_or_else(|what| panic!("{what}"));
            sum += lane.number();
        }
        assert_eq!(total(&*self.stores[0]).await.unwrap(), sum, "the counter of all commits");
        for failure in &rounds.failures {
            assert!(is_expected(&failure.error), "{:?}: {}", failure.call, failure.error.chain());
        }
        self.is_bounded().await;
        let failures = self.shared.failures.lock().unwrap();
        assert!(failures.wrong.is_empty(), "wrong errors: {:#?}", failures.wrong);
        Figures {
            acknowledged: sum + rounds.answered,
            unknown: failures.unknown + rounds.unknown,
            refused: failures.refused + rounds.failures.len() as u64 - rounds.unknown,
            recovery: self.recovery,
        }
    }

    /// What is left after the load does not grow with it.
    async fn is_bounded(&self) {
        let metrics = tokio::runtime::Handle::current().metrics();
        let bounded = async {
            while metrics.num_alive_tasks() > self.tasks + TASKS_MAX {
                sleep(PAUSE).await;
            }
        };
        let tasks = timeout(RECOVERY_MAX, bounded).await;
        assert!(tasks.is_ok(), "{} tasks are left, and there were {}", metrics.num_alive_tasks(), self.tasks);
        let grown = resident_bytes().saturating_sub(self.resident);
        assert!(grown <= GROWTH_BYTES_MAX, "the process grew by {grown} bytes");
    }

    /// Waits until a lane was refused with this message in the chain of its error, whatever became of the attempts
    /// before that one.
    pub(crate) async fn is_told(&self, message: &str) {
        let is_there = || {
            let failures = self.shared.failures.lock().unwrap();
            failures.told.iter().chain(&failures.doubts).any(|told| told.contains(message))
        };
        let told = async {
            while !is_there() {
                sleep(PAUSE).await;
            }
        };
        assert!(timeout(HANGS, told).await.is_ok(), "nobody was told {message:?}: {}", self.told());
    }

    fn told(&self) -> String {
        format!("{:?}", self.shared.failures.lock().unwrap())
    }
}

/// Clients in rounds until they are stopped; each round is judged at its end.
async fn rounds(stores: Vec<Arc<dyn KvStore>>, seed: u64, stop: watch::Receiver<bool>) -> Rounds {
    let mut all = Rounds::default();
    for round in 0.. {
        let seed = seed.wrapping_add(round);
        let load = linearizability::Load { seed, clients: CLIENTS, answers: ANSWERS, ..Default::default() };
        let history = Clients::start(&stores, load).finish().await;
        history.check().unwrap_or_else(|violation| panic!("round {round}: {violation}"));
        all.answered += history.answered() as u64;
        all.unknown += history.unknown() as u64;
        all.failures.extend(history.failures);
        if *stop.borrow() {
            break;
        }
    }
    all
}

/// Memory of this process that is in use, in bytes; 0 where the system does not say.
pub(crate) fn resident_bytes() -> u64 {
    /// Linux counts in pages of this size on the machines that the suites know.
    const PAGE_BYTES: u64 = 4 << 10;

    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE_BYTES
}
