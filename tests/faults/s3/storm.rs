//! The load under which a blob store is broken, and what must be true of it afterwards.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use larder::{
    Blobs,
    blobs::{Depth, WriteOptions},
};
use larder_core::{Error, ErrorKind};
use larder_tests::{crash::Random, faults::Figures};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout},
};

/// Writers at once.
const LANES: u64 = 3;
/// Between a failure and the next call of a lane.
const PAUSE: Duration = Duration::from_millis(20);
/// From the server's return to the first call that succeeds.
const RECOVERY_MAX: Duration = Duration::from_secs(5);
/// A storm that makes no progress for so long hangs.
const HANGS: Duration = Duration::from_secs(90);
/// Size of the parts of large blobs, in bytes: the smallest that S3 takes.
pub(crate) const PART_BYTES: usize = 5 << 20;
/// Parts of one blob on their way at once.
const PARTS: usize = 2;
/// Most that the process may grow by in a storm, in bytes: the parts of all lanes, and what they are made of.
const GROWTH_BYTES_MAX: u64 = 192 << 20;
/// Tasks that may be left when the load has ended.
const TASKS_MAX: usize = 32;

/// How large blobs are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// Up to 100 KB: one request each.
    Small,
    /// One in six of several parts.
    Mixed,
    /// All of several parts.
    Large,
}

/// A load that runs.
pub(crate) struct Storm {
    blobs: Blobs,
    seed: u64,
    lanes: JoinSet<Vec<Blob>>,
    shared: Arc<Shared>,
    progress: watch::Receiver<u64>,
    tasks: usize,
    resident: u64,
    recovery: Option<Duration>,
}

#[derive(Default)]
struct Shared {
    written: watch::Sender<u64>,
    stop: watch::Sender<bool>,
    failures: Mutex<Vec<String>>,
}

/// A blob of a lane, and what is known of it.
struct Blob {
    path: String,
    size_bytes: usize,
    fate: Fate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Acknowledged,
    Unknown,
    Refused,
}

impl Storm {
    pub(crate) fn start(blobs: &Blobs, seed: u64, sizes: Sizes) -> Self {
        let metrics = tokio::runtime::Handle::current().metrics();
        let shared = Arc::new(Shared::default());
        let mut storm = Self {
            blobs: blobs.clone(),
            seed,
            lanes: JoinSet::new(),
            progress: shared.written.subscribe(),
            shared,
            tasks: metrics.num_alive_tasks(),
            resident: crate::storm::resident_bytes(),
            recovery: None,
        };
        for lane in 0..LANES {
            storm.lanes.spawn(write(blobs.clone(), seed, lane, sizes, Arc::clone(&storm.shared)));
        }
        storm
    }

    /// Waits until so many more blobs were acknowledged.
    pub(crate) async fn progress(&mut self, blobs: u64) {
        let end = *self.progress.borrow() + blobs;
        let reached = timeout(HANGS, self.progress.wait_for(|written| *written >= end)).await.is_ok();
        assert!(reached, "no {blobs} blobs within {HANGS:?}: {}", self.told());
    }

    /// The server is back, or the wire whole: it answers again within five seconds.
    pub(crate) async fn recovers(&mut self) {
        let from = Instant::now();
        let answers = async {
            while self.blobs.put("probe", "1").await.is_err() {
                sleep(PAUSE).await;
            }
        };
        assert!(
            timeout(RECOVERY_MAX, answers).await.is_ok(),
            "no answer after {RECOVERY_MAX:?}: {}",
            self.told()
        );
        let took = from.elapsed();
        self.recovery = Some(self.recovery.map_or(took, |longest| longest.max(took)));
        self.progress(3).await;
    }

    /// Ends the load and holds the store against it.
    pub(crate) async fn holds(mut self) -> Figures {
        self.shared.stop.send_replace(true);
        let mut figures = Figures { recovery: self.recovery, ..Figures::default() };
        while let Some(blobs) = timeout(HANGS, self.lanes.join_next()).await.expect("the lanes end") {
            for blob in blobs.unwrap() {
                let Blob { path, size_bytes, fate } = blob;
                let found = self.blobs.get(&path).await.unwrap();
                match fate {
                    Fate::Acknowledged => figures.acknowledged += 1,
                    Fate::Unknown => figures.unknown += 1,
                    Fate::Refused => figures.refused += 1,
                }
                match found {
                    Some(found) => {
                        assert!(
                            found == content(self.seed, &path, size_bytes),
                            "{path} is not what was written"
                        );
                        assert_ne!(fate, Fate::Refused, "{path} is there, and was said not to be written");
                    }
                    None => assert_ne!(fate, Fate::Acknowledged, "{path} was acknowledged, and is lost"),
                }
            }
        }
        self.lists_whole_blobs().await;
        self.is_bounded().await;
        figures
    }

    /// Nothing is listed that can't be read.
    async fn lists_whole_blobs(&self) {
        use futures::TryStreamExt as _;
        let listed = self.blobs.list("", Depth::All).await.unwrap();
        let listed: Vec<_> = listed.try_collect().await.unwrap();
        assert!(!listed.is_empty());
    }

    async fn is_bounded(&self) {
        let metrics = tokio::runtime::Handle::current().metrics();
        let bounded = async {
            while metrics.num_alive_tasks() > self.tasks + TASKS_MAX {
                sleep(PAUSE).await;
            }
        };
        let tasks = timeout(RECOVERY_MAX, bounded).await;
        assert!(tasks.is_ok(), "{} tasks are left, and there were {}", metrics.num_alive_tasks(), self.tasks);
        let grown = crate::storm::resident_bytes().saturating_sub(self.resident);
        assert!(grown <= GROWTH_BYTES_MAX, "the process grew by {grown} bytes");
    }

    pub(crate) fn told(&self) -> String {
        format!("{:#?}", self.shared.failures.lock().unwrap())
    }
}

/// Writes blobs, reads each that was acknowledged, and remembers what it was told.
async fn write(blobs: Blobs, seed: u64, lane: u64, sizes: Sizes, shared: Arc<Shared>) -> Vec<Blob> {
    let mut written = Vec::new();
    for number in 0.. {
        if *shared.stop.borrow() {
            break;
        }
        let mut random = Random::new(seed, lane, number);
        let is_large = sizes == Sizes::Large || (sizes == Sizes::Mixed && random.below(6) == 0);
        let most = if is_large { 2 * PART_BYTES as u64 } else { 100_000 };
        let least = if is_large { PART_BYTES } else { 0 };
        let size_bytes = least + usize::try_from(random.below(most)).unwrap();
        let path = format!("{lane}/{number}");
        let content = content(seed, &path, size_bytes);
        let mut options = WriteOptions::new().if_absent().part_bytes(PART_BYTES);
        options.parts_in_flight = PARTS;
        let fate = match blobs.put_with(&path, content.clone(), options).await {
            Ok(_) => Fate::Acknowledged,
            Err(error) => {
                let unknown = error.is_effect_unknown();
                note(&shared, &error);
                sleep(PAUSE).await;
                if unknown { Fate::Unknown } else { Fate::Refused }
            }
        };
        if fate == Fate::Acknowledged {
            shared.written.send_modify(|written| *written += 1);
            match blobs.get(&path).await {
                Ok(found) => {
                    assert!(found.is_some_and(|found| found == content), "{path} does not read as written")
                }
                Err(error) => {
                    assert!(!error.is_effect_unknown(), "a read with an effect: {}", error.chain());
                    note(&shared, &error);
                }
            }
        }
        written.push(Blob { path, size_bytes, fate });
    }
    written
}

/// Only what a server or a network that is away, late or refusing may cause.
fn note(shared: &Shared, error: &Error) {
    let expected = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout);
    assert!(expected, "{}", error.chain());
    shared.failures.lock().unwrap().push(error.chain());
}

/// The bytes of a blob: of its seed and its path, so that no two are alike.
fn content(seed: u64, path: &str, size_bytes: usize) -> bytes::Bytes {
    let salt = path.bytes().fold(seed, |salt, byte| salt.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
    let words = (0_u64..).map(|i| (salt ^ i).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23));
    words.flat_map(u64::to_le_bytes).take(size_bytes).collect()
}
