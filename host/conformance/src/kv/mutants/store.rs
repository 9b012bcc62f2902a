//! The wrapper around the model that has one defect.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use larder_core::{
    BoxFuture, Capabilities, Commit, Description, Entry, Key, KvStore, ManualClock, MemoryKv, Outcome, Page,
    Result, Scan, Version,
};

macro_rules! defects {
    ($($name:ident),+ $(,)?) => {
        /// What is wrong with a mutant; its test says in words what the name says in short.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Defect { $($name),+ }

        impl Defect {
            pub(super) const ALL: &[Self] = &[$(Self::$name),+];
        }
    };
}

defects! {
    DropsMissingKeys, AnswersKeysOnce, SortsAnswers, FailsOnNoKeys, TakesAnyBatch, CachesReads,
    EmptyIsMissing, ValuesAreText, CutsValues, TakesAnyValue, TakesAnyKey, FoldsCase, TrimsKeys,
    KeysEndAtNul, ReplacesSlashes, CutsKeys,
    AcknowledgesEarly, DeleteSaysTrue, DeleteSaysFalse, DeleteFindsExpired,
    VersionIsHash, VersionBeginsAgain, AddKeepsVersion, AnswersOtherVersion,
    IgnoresChecks, IgnoresAbsent, AnyVersionWillDo, IgnoresLaterChecks, ChecksAlonePass, ChecksSeeWrites,
    ChecksSeeExpired, ChecksApart, ConflictHasNoKey, ConflictNamesWritten, ConflictIsInvalid, RefusalIsUnsure,
    WritesOneByOne, TakesKeyTwice,
    ReadsThenAdds, AddWraps, AddReadsLoosely, CounterIsBinary, AddEndsExpiry,
    IgnoresTtl, RoundsTtl, ExpiresLate, PutKeepsExpiry, TakesNoTtl, HidesExpiry, ScanFindsExpired,
    IncludesEnd, ExcludesStart, IgnoresEnd, Descends, LimitsBeforeOrder, OrdersByUtf16, ForgetsNext,
    NextIsLast, NextSkips, NextAtTheEnd, CursorIsOffset, KeysWithValues, PagesOfAnyEntries, PagesOfAnyBytes,
    TakesLimitZero, LeavesPrefix,
    DropsUndeclaredTtl, AnswersUndeclaredScan, DropsUndeclaredChecks, SplitsUndeclared, EmulatesUndeclaredAdd,
}

/// A store with one defect.
pub(super) struct Mutant {
    pub(super) defect: Defect,
    pub(super) inner: MemoryKv,
    /// The same writes without their times to live: what a store sees that forgets to ask the clock.
    pub(super) immortal: MemoryKv,
    pub(super) clock: Arc<ManualClock>,
    description: Description,
    pub(super) state: Mutex<State>,
}

/// What some defects remember.
#[derive(Default)]
pub(super) struct State {
    pub(super) cached: HashMap<Key, Option<Entry>>,
    pub(super) buffered: Option<Commit>,
    /// Versions as the mutant tells them, by key.
    pub(super) told: HashMap<Key, u64>,
    pub(super) counters: Vec<Key>,
    /// Where pages went on: by the key told, how many entries came before it since which start.
    pub(super) offsets: HashMap<Key, (Arc<str>, usize)>,
}

impl Mutant {
    pub(super) fn new(defect: Defect, clock: Arc<ManualClock>) -> Self {
        let mut description = Description::full();
        description.capabilities -= match defect {
            Defect::DropsUndeclaredTtl => Capabilities::TTL,
            Defect::AnswersUndeclaredScan => Capabilities::SCAN,
            Defect::DropsUndeclaredChecks => Capabilities::VERSIONS,
            Defect::SplitsUndeclared => Capabilities::TRANSACTIONS,
            Defect::EmulatesUndeclaredAdd => Capabilities::COUNTERS,
            _ => Capabilities::empty(),
        };
        match defect {
            Defect::TakesAnyValue => description.value_bytes_max = 1_000_000,
            Defect::TakesAnyKey => description.key_bytes_max = 100,
            _ => {}
        }
        let inner = MemoryKv::with_clock(clock.clone());
        let immortal = MemoryKv::with_clock(clock.clone());
        Self { defect, inner, immortal, clock, description, state: Mutex::default() }
    }

    pub(super) fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// A key as the mutant takes it.
    pub(super) fn key(&self, key: &Key) -> Key {
        let text = match self.defect {
            Defect::FoldsCase => key.to_lowercase(),
            Defect::TrimsKeys => key.trim().to_owned(),
            Defect::KeysEndAtNul => key.split('\0').next().unwrap_or_default().to_owned(),
            Defect::ReplacesSlashes => key.replace('/', "_"),
            Defect::CutsKeys => key.chars().take(255).collect(),
            _ => return key.clone(),
        };
        Key::new(text).unwrap_or_else(|_| key.clone())
    }

    /// An entry as the mutant tells it.
    pub(super) fn tell(&self, key: &Key, mut entry: Entry) -> Option<Entry> {
        match self.defect {
            Defect::EmptyIsMissing if entry.value.is_empty() => return None,
            Defect::ValuesAreText => entry.value = String::from_utf8_lossy(&entry.value).into_owned().into(),
            Defect::CutsValues => entry.value.truncate(4 << 20),
            Defect::HidesExpiry => entry.expires_at = None,
            Defect::VersionIsHash | Defect::VersionBeginsAgain | Defect::AddKeepsVersion => {
                entry.version = self.told_version(key, &entry);
            }
            Defect::CounterIsBinary if self.state.lock().unwrap().counters.contains(key) => {
                let number: i64 = std::str::from_utf8(&entry.value).unwrap().parse().unwrap();
                entry.value = number.to_le_bytes().to_vec().into();
            }
            _ => {}
        }
        Some(entry)
    }

    pub(super) fn told_version(&self, key: &Key, entry: &Entry) -> Version {
        match self.defect {
            Defect::VersionIsHash => hash(&entry.value),
            _ => Version(self.state.lock().unwrap().told.get(key).copied().unwrap_or(0)),
        }
    }
}

pub(super) fn hash(value: &[u8]) -> Version {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Version(value.iter().fold(0xcbf2_9ce4_8422_2325, mix))
}

pub(super) const SECOND: Duration = Duration::from_secs(1);

impl KvStore for Mutant {
    fn describe(&self) -> Description {
        self.description
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(self.mutant_get(key))
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(self.mutant_get_many(keys))
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(self.mutant_scan(scan))
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(self.mutant_commit(commit))
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.defect)
    }
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutant({:?})", self.defect)
    }
}
