//! Clients that ask a store for everything at once, and write down what they are told.

use std::{sync::Arc, time::Duration};

use larder_core::{Capabilities, ErrorKind, Expectation, Key, KvStore, Version, counter};
use tokio::{sync::watch, task::JoinSet};

use super::history::{Answer, Call, Failure, History, Moments, Operation};
use crate::crash::Random;

/// Between a failure and the next call of a client: a store that is away is not asked without pause.
const PAUSE: Duration = Duration::from_millis(10);

/// Calls of a client for each that must be answered, where a store fails for a while.
const CALLS_PER_ANSWER_MAX: u64 = 50;

/// What clients do. The same numbers make the same calls, as far as these do not depend on answers.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Decides what is asked.
    pub seed: u64,
    /// How many ask at once.
    pub clients: u64,
    /// How many keys they fight for.
    pub keys: u64,
    /// Answers that each client waits for.
    pub answers: u64,
}

impl Default for Load {
    /// Enough that a lost update shows in nearly each run, and few enough to be judged in a moment.
    fn default() -> Self {
        Self { seed: 0, clients: 6, keys: 2, answers: 60 }
    }
}

/// Clients at work.
#[derive(Debug)]
pub struct Clients {
    work: JoinSet<History>,
    answers: watch::Receiver<u64>,
}

/// What the clients of a load share.
#[derive(Debug)]
struct Shared {
    load: Load,
    moments: Moments,
    answers: watch::Sender<u64>,
}

impl Clients {
    /// Starts the clients, spread over handles of one store. Its keys of this load must not be there.
    ///
    /// # Panics
    /// Where there are no stores.
    pub fn start(stores: &[Arc<dyn KvStore>], load: Load) -> Self {
        let shared =
            Arc::new(Shared { load, moments: Moments::default(), answers: watch::Sender::default() });
        let answers = shared.answers.subscribe();
        let mut work = JoinSet::new();
        for (client, store) in (0..load.clients).zip(stores.iter().cycle()) {
            let client = Client::new(client, Arc::clone(store), Arc::clone(&shared));
            work.spawn(client.run());
        }
        assert!(!work.is_empty(), "there are clients, and stores for them");
        Self { work, answers }
    }

    /// Waits until the clients together have got so many answers. Comes back also where they have ended before.
    pub async fn answered(&mut self, answers: u64) {
        // An error says that all of them have ended.
        drop(self.answers.wait_for(|got| *got >= answers).await);
    }

    /// Waits for the clients' end.
    ///
    /// # Panics
    /// Where a client did: the store broke its contract.
    pub async fn finish(mut self) -> History {
        let mut history = History::default();
        while let Some(ended) = self.work.join_next().await {
            history.merge(ended.expect("a client panicked"));
        }
        history
    }
}

/// One client: what it knows of the keys.
struct Client {
    number: u64,
    store: Arc<dyn KvStore>,
    shared: Arc<Shared>,
    /// By key, the version that it has seen last.
    seen: Vec<Option<Version>>,
    history: History,
}

impl Client {
    fn new(number: u64, store: Arc<dyn KvStore>, shared: Arc<Shared>) -> Self {
        let seen = (0..shared.load.keys).map(|_| None).collect();
        Self { number, store, shared, seen, history: History::default() }
    }

    async fn run(mut self) -> History {
        let answers = self.shared.load.answers;
        let (mut answered, mut asked) = (0, 0);
        while answered < answers {
            assert!(
                asked < answers * CALLS_PER_ANSWER_MAX,
                "client {}: {answered} answers to {asked} calls; the last one: {:?}",
                self.number,
                self.history.failures.last()
            );
            if self.ask(asked).await {
                answered += 1;
                self.shared.answers.send_modify(|answers| *answers += 1);
            } else {
                tokio::time::sleep(PAUSE).await;
            }
            asked += 1;
        }
        // At the end each key is read, so that what was lost is missed.
        for key in 0..self.shared.load.keys {
            self.call(key, Call::Get).await;
        }
        self.history
    }

    /// Asks something; says whether there was an answer.
    async fn ask(&mut self, number: u64) -> bool {
        let mut random = Random::new(self.shared.load.seed, self.number, number);
        let key = random.below(self.shared.load.keys);
        let call = self.choose(key, &mut random);
        self.call(key, call).await
    }

    /// Like a client that means it: who knows a version uses it, who has lost a race reads again.
    fn choose(&self, key: u64, random: &mut Random) -> Call {
        let number = i64::try_from(random.below(1 << 60)).unwrap_or(0);
        let delta = i64::try_from(random.below(1 << 40)).unwrap_or(0) + 1;
        let has = |capability| self.store.describe().capabilities.contains(capability);
        let (versions, counters) = (has(Capabilities::VERSIONS), has(Capabilities::COUNTERS));
        let known = usize::try_from(key).ok().and_then(|key| *self.seen.get(key)?);
        let expect = known.map_or(Expectation::Absent, Expectation::Version);
        match random.below(20) {
            0..=4 => Call::Get,
            5..=9 if versions => Call::Put(Some(expect), number),
            10 if versions => Call::Put(Some(Expectation::Absent), number),
            11 if versions && known.is_some() => Call::Delete(Some(expect)),
            12 if versions && counters => Call::Add(Some(Expectation::Present), delta),
            13..=16 if counters => Call::Add(None, delta),
            17 => Call::Delete(None),
            18 | 19 => Call::Put(None, number),
            _ => Call::Get,
        }
    }

    async fn call(&mut self, number: u64, call: Call) -> bool {
        let key = Key::new(format!("linear/{}/{number}", self.shared.load.seed)).expect("a short key");
        let called = self.shared.moments.next();
        let result = match call.commit(&key) {
            None => self.store.get(&key).await.map(|entry| {
                Answer::Seen(entry.map(|entry| {
                    let number = counter::decode(&entry.value);
                    (number.unwrap_or_else(|| panic!("{key} holds {:?}", entry.value)), entry.version)
                }))
            }),
            Some(commit) => self.store.commit(&commit).await.map(|outcomes| match outcomes.as_slice() {
                [outcome] => Answer::from(*outcome),
                outcomes => panic!("one write, and {} outcomes", outcomes.len()),
            }),
        };
        let at = self.shared.moments.next();
        let returned = match result {
            Ok(answer) => Some((at, answer)),
            Err(error) if error.kind() == ErrorKind::Conflict && !error.is_effect_unknown() => {
                Some((at, Answer::Conflict))
            }
            Err(error) => {
                let happened = error.is_effect_unknown();
                assert!(!happened || call != Call::Get, "a read with an effect: {}", error.chain());
                self.history.failures.push(Failure { call, error });
                self.learn(number, None);
                if happened {
                    self.history.add(&key, Operation { client: self.number, call, called, returned: None });
                }
                return false;
            }
        };
        self.learn(number, returned.map(|(_, answer)| answer));
        self.history.add(&key, Operation { client: self.number, call, called, returned });
        true
    }

    fn learn(&mut self, key: u64, answer: Option<Answer>) {
        let known = match answer {
            Some(Answer::Seen(Some((_, version))) | Answer::Written(version)) => Some(version),
            _ => None,
        };
        if let Some(seen) = usize::try_from(key).ok().and_then(|key| self.seen.get_mut(key)) {
            *seen = known;
        }
    }
}
