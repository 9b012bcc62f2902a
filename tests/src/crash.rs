//! What the crash suite and its worker share: a load that both can compute, and the stores it runs on.
//!
//! A lane is one writer with keys of its own and one commit in flight. Commit number `n` of a lane is
//! a function of the seed, the lane and `n` alone. So after a kill the number that the store holds for
//! a lane says what every one of its keys must hold, byte by byte: a lost write, a torn value and half
//! a commit all show.

use std::{collections::BTreeMap, fmt, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use larder_backends::{
    file::{FileKv, FileOptions},
    sql::{SqlKv, SqlOptions},
};
use larder_core::{Change, Commit, Error, Expectation, Key, KeyRange, KvStore, Result, Scan};
use larder_wasm::{Access, Engine, EngineOptions, KvPlugin, PluginOptions, Source};

/// Writers at work at the same time.
pub const LANES: u64 = 8;

/// Data keys of a lane.
const KEYS: u64 = 24;

/// Counts every commit of every lane.
const TOTAL: &str = "total";

/// A backend that the suite knows, and what it needs to open stores.
pub enum Backend {
    /// The embedded default.
    File,
    /// The append-only log, as a component.
    KvLog(Arc<Engine>),
    /// A SQLite file.
    Sqlite,
}

impl Backend {
    /// The backend of that name.
    ///
    /// # Errors
    /// `config` where there is none; `plugin` where the machine can't run components.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "file" => Ok(Self::File),
            "sqlite" => Ok(Self::Sqlite),
            "kv-log" => Ok(Self::KvLog(Engine::new(EngineOptions::default())?)),
            other => Err(Error::config(format!("the crash suite knows no backend {other:?}"))),
        }
    }

    /// Opens the store in `folder`.
    ///
    /// # Errors
    /// What opening it says.
    pub async fn open(&self, folder: &Path) -> Result<Arc<dyn KvStore>> {
        match self {
            Self::File => Ok(Arc::new(FileKv::open(folder, FileOptions::default())?)),
            Self::Sqlite => {
                let url = format!("sqlite://{}", folder.join("state.db").display());
                Ok(Arc::new(SqlKv::connect(SqlOptions::from_url(&url)?).await?))
            }
            Self::KvLog(engine) => {
                let source = Source::file(crate::plugin("kv-log"));
                let options = PluginOptions::new("kv-log")
                    .with_folder(folder, "/data", Access::ReadWrite)
                    .with_setting("folder", "/data");
                Ok(Arc::new(KvPlugin::load(engine, &source, options).await?))
            }
        }
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::KvLog(_) => "kv-log",
            Self::Sqlite => "sqlite",
        })
    }
}

/// The load of one seed.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Decides everything.
    pub seed: u64,
}

impl Load {
    /// Commit `number` (from 1 on) of a lane.
    pub fn commit(&self, lane: u64, number: u64) -> Commit {
        let mut random = Random::new(self.seed, lane, number);
        let expect = if number == 1 { Expectation::Absent } else { Expectation::Present };
        let mut commit = Commit::new()
            .check(key(&number_key(lane)), expect)
            .put(key(&number_key(lane)), number.to_string())
            .add(key(&count_key(lane)), 1)
            .add(key(TOTAL), 1);
        let first = random.below(KEYS);
        for i in 0..random.below(5) {
            let change = match random.below(10) {
                0 | 1 => Change::Delete,
                kind => Change::Put {
                    value: value(&mut random, number),
                    ttl: (kind == 2).then_some(Duration::from_secs(1_000_000)),
                },
            };
            commit = commit.write(key(&data_key(lane, (first + i) % KEYS)), change);
        }
        commit
    }
}

/// What a lane's keys must hold.
#[derive(Debug)]
pub struct Lane {
    load: Load,
    lane: u64,
    number: u64,
    data: BTreeMap<String, Bytes>,
}

impl Lane {
    /// A lane that has written nothing.
    pub fn new(load: Load, lane: u64) -> Self {
        Self { load, lane, number: 0, data: BTreeMap::new() }
    }

    /// The number of the lane's last commit.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Holds the store against the lane: it has made all commits up to `acknowledged` and at most one
    /// more for each of the `kills` since, and its keys hold just what its commits left.
    ///
    /// # Errors
    /// What does not hold, for a person.
    pub async fn check(&mut self, store: &dyn KvStore, acknowledged: u64, kills: u64) -> Result<(), String> {
        let lane = self.lane;
        let found = numbers(store, lane).await.map_err(|error| error.chain())?;
        if found < acknowledged || found > acknowledged + kills {
            return Err(format!("lane {lane}: {found} commits, and {acknowledged} were acknowledged"));
        }
        while self.number < found {
            self.number += 1;
            self.apply(self.number);
        }
        let mut stored = BTreeMap::new();
        let mut range = KeyRange::prefix(&format!("{lane}/data/"));
        loop {
            let page = store.scan(&Scan::new(range.clone())).await.map_err(|error| error.chain())?;
            stored.extend(page.entries.into_iter().map(|(key, entry)| (key.to_string(), entry.value)));
            match page.next {
                Some(next) => range = range.resume(&next),
                None => break,
            }
        }
        if stored != self.data {
            let differ = |name: &&String| stored.get(*name) != self.data.get(*name);
            let names: Vec<_> = self.data.keys().chain(stored.keys()).filter(differ).collect();
            return Err(format!("lane {lane}: after {found} commits these keys differ: {names:?}"));
        }
        Ok(())
    }

    fn apply(&mut self, number: u64) {
        for write in self.load.commit(self.lane, number).writes {
            if !write.key.starts_with(&format!("{}/data/", self.lane)) {
                continue;
            }
            match write.change {
                Change::Put { value, .. } => drop(self.data.insert(write.key.to_string(), value)),
                Change::Delete | Change::Add(_) => drop(self.data.remove(write.key.as_str())),
            }
        }
    }
}

/// The number of a lane's last commit in the store; 0 where there is none.
///
/// # Errors
/// What the store says; `corrupt` where the number and the lane's counter disagree.
pub async fn numbers(store: &dyn KvStore, lane: u64) -> Result<u64> {
    let (number, count) =
        (number_in(store, &number_key(lane)).await?, number_in(store, &count_key(lane)).await?);
    if number != count {
        let message = format!("lane {lane}: commit number {number}, but the counter says {count}");
        return Err(Error::new(larder_core::ErrorKind::Corrupt, message));
    }
    Ok(number)
}

/// The counter of all commits of all lanes.
///
/// # Errors
/// What the store says.
pub async fn total(store: &dyn KvStore) -> Result<u64> {
    number_in(store, TOTAL).await
}

async fn number_in(store: &dyn KvStore, name: &str) -> Result<u64> {
    let Some(entry) = store.get(&Key::new(name)?).await? else { return Ok(0) };
    let number = larder_core::counter::decode(&entry.value).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| Error::new(larder_core::ErrorKind::Corrupt, "no number").with("key", name))
}

fn number_key(lane: u64) -> String {
    format!("{lane}/number")
}

fn count_key(lane: u64) -> String {
    format!("{lane}/count")
}

fn data_key(lane: u64, index: u64) -> String {
    format!("{lane}/data/{index:02}")
}

fn key(text: &str) -> Key {
    Key::new(text).expect("keys of the load are short")
}

/// A value that says which commit wrote it; small ones are frequent, large ones cross pages.
fn value(random: &mut Random, number: u64) -> Bytes {
    let len_max = match random.below(3) {
        0 => 64,
        1 => 1_024,
        _ => 20_000,
    };
    let mut value = number.to_le_bytes().to_vec();
    for _ in 0..random.below(len_max) / 8 {
        value.extend_from_slice(&random.next().to_le_bytes());
    }
    value.into()
}

/// xorshift64*: the same in each process and each release.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each three numbers.
    pub fn new(seed: u64, lane: u64, number: u64) -> Self {
        let mixed = [lane, number].into_iter().fold(seed, |mixed, part| {
            (mixed ^ part.wrapping_add(0x9e37_79b9_7f4a_7c15))
                .wrapping_mul(0xbf58_476d_1ce4_e5b9)
                .rotate_left(31)
        });
        Self(mixed | 1)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 11) % end
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}
