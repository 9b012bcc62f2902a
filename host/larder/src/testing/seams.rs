//! The seams of a host under test: its clock, a seed in place of chance, and a switch in place of each backend.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use larder_core::{Clock, KvStore};
use opendal::Operator;

use super::{
    blobs::WatchedBlobs,
    kv::WatchedKv,
    life::Life,
    passage::Watch,
    switch::{BlobSwitch, KvSwitch},
    time::TestTime,
};
use crate::{
    plan::{Backend, StorePlan},
    seams::Seams,
};

/// What spreads the waits of repetitions, the same in each run.
const SPREAD: u64 = 1;

/// What outlives a crash: the data of the stores in memory, which stand for durable ones.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    kv: BTreeMap<String, Arc<dyn KvStore>>,
    blobs: BTreeMap<String, Operator>,
}

/// A switch, and what it stood on when the host was opened.
#[derive(Debug)]
pub(super) enum Place {
    Kv { switch: KvSwitch, opened: Arc<dyn KvStore> },
    Blobs { switch: BlobSwitch, opened: Operator },
}

/// What the composition root is given, and what it leaves here.
#[derive(Debug)]
pub(super) struct TestSeams {
    time: TestTime,
    life: Arc<Life>,
    made: Mutex<Made>,
}

#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) disk: Disk,
    pub(super) places: BTreeMap<String, Place>,
}

impl TestSeams {
    pub(super) fn new(time: TestTime, life: Arc<Life>, disk: Disk) -> Self {
        Self { time, life, made: Mutex::new(Made { disk, places: BTreeMap::new() }) }
    }

    pub(super) fn into_made(self) -> Made {
        self.made.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> Arc<dyn Watch> {
        Arc::clone(&self.life) as Arc<dyn Watch>
    }
}

impl Seams for TestSeams {
    fn clock(&self) -> Arc<dyn Clock> {
        self.time.clock()
    }

    fn spread(&self, store: &str) -> u64 {
        let mut hasher = DefaultHasher::new();
        (SPREAD, store).hash(&mut hasher);
        hasher.finish()
    }

    fn kv(&self, name: &str, plan: &StorePlan, backend: Arc<dyn KvStore>) -> Arc<dyn KvStore> {
        let mut made = self.made();
        let kept = match &plan.backend {
            Backend::Memory => Arc::clone(made.disk.kv.entry(name.to_owned()).or_insert(backend)),
            _ => backend,
        };
        let opened: Arc<dyn KvStore> = Arc::new(WatchedKv::new(kept, self.watch()));
        let switch = KvSwitch::new(Arc::clone(&opened));
        made.places.insert(name.to_owned(), Place::Kv { switch: switch.clone(), opened });
        Arc::new(switch)
    }

    fn blobs(&self, name: &str, plan: &StorePlan, backend: Operator) -> Operator {
        let mut made = self.made();
        let kept = match &plan.backend {
            Backend::Memory => made.disk.blobs.entry(name.to_owned()).or_insert(backend).clone(),
            _ => backend,
        };
        let opened = kept.layer(WatchedBlobs(self.watch()));
        let switch = BlobSwitch::new(opened.clone());
        let operator = switch.operator();
        made.places.insert(name.to_owned(), Place::Blobs { switch, opened });
        operator
    }
}
