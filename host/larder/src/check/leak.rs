//! The search for leaks: what an instance holds after a warm-up against what it holds after many more calls.
//!
//! One instance serves all calls, over a handful of keys or paths, so the data does not grow. A linear memory never
//! shrinks: what was needed once is in the figure after the warm-up already, and whatever comes on top was lost. The clock
//! goes on with each call, so that what expires does.

use std::time::Duration;

use larder_conformance::kv::Random;
use larder_core::{Capabilities, Commit, Key, KeyRange, KvStore as _, Scan};
use larder_wasm::{BlobPlugin, KvPlugin, Usage};

use super::{
    calls::{key, seen, unharmed},
    report::{Found, Section},
    subject::Subject,
};

const SECTION: &str = "leak";

/// Growth of an instance's memory that is no leak, in bytes: allocators take memory in steps, and collectors of garbage
/// wait before they go to work.
const GROWTH_BYTES_MAX: usize = 2 << 20;
/// Handles more than after the warm-up that are no leak: a connection or a file may be opened late.
const GROWTH_HANDLES_MAX: usize = 8;
/// The warm-up is this part of the calls, and at least `WARM_UP_MIN` of them, so that each key was written a few times.
const WARM_UP_PART: u64 = 10;
/// See `WARM_UP_PART`.
const WARM_UP_MIN: u64 = 1_000;
/// Keys, and paths, of the mix.
const NAMES: u64 = 64;
/// Largest value of the mix, in bytes, unless the store takes less.
const VALUE_BYTES_MAX: u64 = 2 << 10;
/// Largest blob of the mix, in bytes.
const BLOB_BYTES_MAX: u64 = 64 << 10;
/// Keys of a batch of the mix.
const BATCH: u64 = 8;
/// Longest time to live of the mix, in milliseconds, and so in calls.
const TTL_MS_MAX: u64 = 200;
/// How often progress is told, in calls.
const TELL_EACH: u64 = 500;

pub(super) async fn kv(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    let found = async {
        let mut options = subject.plugin_options(&subject.options.settings).map_err(seen)?;
        options.limits.instances_max = 1;
        let store = subject.kv(options).await.map_err(seen)?;
        let mut mix = KvMix::new(&store, subject.options.seed)?;
        let mut random = Random::new(subject.options.seed);
        let mut grown = Grown::default();
        for (stage, calls) in stages(subject) {
            for n in 0..calls {
                subject.clock.advance(Duration::from_millis(1));
                mix.call(&mut random).await?;
                tell(subject, stage, n);
            }
            grown.look(stage, store.usage().await.map_err(seen)?);
        }
        unharmed(&store.report())?;
        Ok(grown)
    };
    conclude(&mut section, subject, found.await);
    section
}

pub(super) async fn blob(subject: &Subject) -> Section {
    let mut section = Section::new(SECTION);
    let found = async {
        let mut options = subject.plugin_options(&subject.options.settings).map_err(seen)?;
        options.limits.instances_max = 1;
        let store = subject.blob(options).await.map_err(seen)?;
        let mut random = Random::new(subject.options.seed);
        let mut grown = Grown::default();
        for (stage, calls) in stages(subject) {
            for n in 0..calls {
                subject.clock.advance(Duration::from_millis(1));
                blob_call(&store, &mut random).await?;
                tell(subject, stage, n);
            }
            grown.look(stage, store.usage().await.map_err(seen)?);
        }
        unharmed(&store.report())?;
        Ok(grown)
    };
    conclude(&mut section, subject, found.await);
    section
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    WarmUp,
    Search,
}

fn stages(subject: &Subject) -> [(Stage, u64); 2] {
    let calls = subject.options.calls;
    [(Stage::WarmUp, (calls / WARM_UP_PART).max(WARM_UP_MIN)), (Stage::Search, calls)]
}

fn tell(subject: &Subject, stage: Stage, done: u64) {
    if let (Stage::Search, true, Some(told)) =
        (stage, done.is_multiple_of(TELL_EACH), &subject.options.on_progress)
    {
        told(done, subject.options.calls);
    }
}

/// What the instance held after the warm-up, and in the end.
#[derive(Default)]
struct Grown {
    before: Option<Usage>,
    after: Option<Usage>,
}

impl Grown {
    fn look(&mut self, stage: Stage, usage: Usage) {
        match stage {
            Stage::WarmUp => self.before = Some(usage),
            Stage::Search => self.after = Some(usage),
        }
    }
}

fn conclude(section: &mut Section, subject: &Subject, found: Result<Grown, String>) {
    let (memory, handles) = ("an instance's memory does not grow with its calls", "nor do its handles");
    let calls = subject.options.calls;
    match found {
        Err(seen) => section.add(memory, Err(format!("the calls did not end well: {seen}"))),
        Ok(Grown { before: Some(before), after: Some(after) }) => {
            let within = |what: &str, before: usize, after: usize, most: usize| {
                let grown = after.saturating_sub(before);
                let told = || {
                    format!(
                        "{grown} {what} more after {calls} calls than before them ({before}); at most {most} are no leak"
                    )
                };
                (grown <= most).then_some(()).ok_or_else(told)
            };
            section.add(memory, within("bytes", before.memory_bytes, after.memory_bytes, GROWTH_BYTES_MAX));
            section.add(handles, within("handles", before.handles, after.handles, GROWTH_HANDLES_MAX));
            section.measure("made after the warm-up", usize::try_from(calls).unwrap_or(usize::MAX), "calls");
            section.measure("memory after the warm-up", before.memory_bytes, "bytes");
            section.measure("memory in the end", after.memory_bytes, "bytes");
            section.measure("handles in the end", after.handles, "handles");
        }
        Ok(_) => section.add(memory, Err("it was not looked at".to_owned())),
    }
}

/// Calls of a fetcher's kind: mostly reads, of what is there and of what is not, and every kind of write that is declared.
struct KvMix<'s> {
    store: &'s KvPlugin,
    keys: Vec<Key>,
    capabilities: Capabilities,
    value_bytes_max: u64,
}

impl<'s> KvMix<'s> {
    fn new(store: &'s KvPlugin, seed: u64) -> Result<Self, String> {
        let about = store.describe();
        let keys = (0..NAMES).map(|n| key(format!("leak/{seed}/{n}"))).collect::<Result<_, _>>()?;
        let value_bytes_max = VALUE_BYTES_MAX.min(about.value_bytes_max as u64);
        Ok(Self { store, keys, capabilities: about.capabilities, value_bytes_max })
    }

    async fn call(&mut self, random: &mut Random) -> Found {
        let at = usize::try_from(random.below(NAMES)).unwrap_or_default();
        let Some(key) = self.keys.get(at).cloned() else { return Ok(()) };
        let store = self.store;
        let told = |error: larder_core::Error| error.chain();
        match random.below(16) {
            0..6 => store.get(&key).await.map(drop).map_err(told),
            6 => {
                let keys: Vec<Key> = self.keys.iter().skip(at).take(BATCH as usize).cloned().collect();
                store.get_many(&keys).await.map(drop).map_err(told)
            }
            7 if self.capabilities.contains(Capabilities::SCAN) => {
                let scan = Scan::new(KeyRange::from_key(&key)).limit(BATCH as u32);
                store.scan(&scan).await.map(drop).map_err(told)
            }
            8..10 => store.commit(&Commit::new().delete(key)).await.map(drop).map_err(told),
            10 => store.health().await.map_err(told),
            11 if self.capabilities.contains(Capabilities::TTL) => {
                let ttl = Duration::from_millis(1 + random.below(TTL_MS_MAX));
                let put = Commit::new().put_with_ttl(key, self.value(random), ttl);
                store.commit(&put).await.map(drop).map_err(told)
            }
            _ => store.commit(&Commit::new().put(key, self.value(random))).await.map(drop).map_err(told),
        }
    }

    fn value(&self, random: &mut Random) -> Vec<u8> {
        vec![b'v'; usize::try_from(random.below(self.value_bytes_max + 1)).unwrap_or_default()]
    }
}

async fn blob_call(store: &BlobPlugin, random: &mut Random) -> Found {
    let operator = store.operator();
    let path = format!("leak/{}", random.below(NAMES));
    let missing_is_fine = |error: opendal::Error| match error.kind() {
        opendal::ErrorKind::NotFound => Ok(()),
        _ => Err(error.to_string()),
    };
    let told = |error: opendal::Error| error.to_string();
    match random.below(8) {
        0..3 => operator.read(&path).await.map(drop).or_else(missing_is_fine),
        3 => operator.stat(&path).await.map(drop).or_else(missing_is_fine),
        4 => operator.delete(&path).await.map_err(told),
        5 => operator.list("leak/").await.map(drop).map_err(told),
        6 => {
            // A writer that gives up half way holds nothing afterwards.
            let mut writer = operator.writer(&path).await.map_err(told)?;
            writer.write(vec![b'b'; 1 << 10]).await.map_err(told)?;
            writer.abort().await.map_err(told)
        }
        _ => {
            let length = usize::try_from(random.below(BLOB_BYTES_MAX)).unwrap_or_default();
            operator.write(&path, vec![b'b'; length]).await.map(drop).map_err(told)
        }
    }
}
