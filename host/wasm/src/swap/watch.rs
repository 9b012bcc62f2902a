//! Looking at calls: before a swap, to know how the old generation does, and on probation, to see whether the new one does
//! as well.
//!
//! Nobody looks at a call outside of a swap, and then it costs a look at one word. A call that is looked at is timed and
//! counted. While a generation is on probation, a read that fails with kind `plugin` is repeated in the one before,
//! and so is a write that certainly did nothing; a failure that both share is none of the new one's.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use larder_core::{ErrorKind, Result};
use tokio::time::Instant;

use super::{probation::Probation, shadow::Sampler};
use crate::{
    instance::{Access, Exports},
    job::Job,
    plugin::Plugin,
    supervision::{Attention, Reason, is_refusal},
};

/// How many of the latest calls a median is taken of.
const LATEST: usize = 256;

/// Fewest calls that a median is taken of.
pub(super) const MEDIAN_MIN: u64 = 64;

/// Who looks at the calls of a plugin.
pub(crate) struct Watch<X: Exports> {
    observer: ArcSwapOption<Observer<X>>,
    /// Raised while there is one: what a call asks.
    attention: Arc<Attention>,
    changing: Mutex<()>,
    /// Writes that were looked at: how many began, and how many ended.
    writes_begun: AtomicU64,
    writes_ended: AtomicU64,
}

/// What a call that is looked at is looked at for.
pub(super) struct Observer<X: Exports> {
    before: Option<Arc<Tally>>,
    sampler: Option<Sampler<X>>,
    probation: Option<Arc<Probation<X>>>,
}

impl<X: Exports> Default for Observer<X> {
    fn default() -> Self {
        Self { before: None, sampler: None, probation: None }
    }
}

impl<X: Exports> Clone for Observer<X> {
    fn clone(&self) -> Self {
        Self { before: self.before.clone(), sampler: self.sampler.clone(), probation: self.probation.clone() }
    }
}

impl<X: Exports> Watch<X> {
    pub(crate) fn new(attention: &Arc<Attention>) -> Self {
        Self {
            observer: ArcSwapOption::empty(),
            attention: Arc::clone(attention),
            changing: Mutex::default(),
            writes_begun: AtomicU64::new(0),
            writes_ended: AtomicU64::new(0),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Observer<X>)) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut observer = self.observer.load().as_deref().cloned().unwrap_or_default();
        change(&mut observer);
        let is_on = observer.before.is_some() || observer.sampler.is_some() || observer.probation.is_some();
        self.observer.store(is_on.then(|| Arc::new(observer)));
        if is_on { self.attention.raise(Reason::Observed) } else { self.attention.lower(Reason::Observed) }
    }

    /// Looks at the calls of the generation that serves, until the guard is dropped.
    pub(super) fn listen(self: &Arc<Self>) -> Listening<X> {
        let tally = Arc::new(Tally::default());
        self.change(|observer| observer.before = Some(Arc::clone(&tally)));
        Listening { watch: Arc::clone(self), tally }
    }

    /// Takes a sample of the reads, until the guard of [`Self::listen`] is dropped, or another sample is taken.
    pub(super) fn sample(&self, sampler: Option<Sampler<X>>) {
        self.change(|observer| observer.sampler = sampler);
    }

    /// Holds the calls against what was before.
    pub(super) fn put_on_probation(&self, probation: Arc<Probation<X>>) {
        self.change(|observer| observer.probation = Some(probation));
    }

    /// Ends the probation of that generation, if it is on one.
    pub(super) fn end_probation(&self, number: u64) {
        self.change(|observer| {
            observer.probation.take_if(|probation| probation.number == number);
        });
    }

    /// How many writes began and ended while somebody looked.
    pub(super) fn writes(&self) -> Writes {
        // In this order: one that ends in between counts as one that is under way.
        let ended = self.writes_ended.load(Ordering::SeqCst);
        Writes { begun: self.writes_begun.load(Ordering::SeqCst), ended }
    }

    fn begin(&self, access: Access) -> Looked {
        if access == Access::Writes {
            self.writes_begun.fetch_add(1, Ordering::SeqCst);
        }
        Looked { begun: Instant::now(), access }
    }

    fn end(&self, looked: &Looked) -> Duration {
        if looked.access == Access::Writes {
            self.writes_ended.fetch_add(1, Ordering::SeqCst);
        }
        looked.begun.elapsed()
    }
}

struct Looked {
    begun: Instant,
    access: Access,
}

/// Counts of writes at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Writes {
    begun: u64,
    ended: u64,
}

impl Writes {
    /// Whether certainly no write was done between two moments.
    pub(super) fn none_until(self, later: Self) -> bool {
        self.begun == self.ended && self == later
    }
}

/// Calls are counted for as long as it lives.
pub(super) struct Listening<X: Exports> {
    watch: Arc<Watch<X>>,
    tally: Arc<Tally>,
}

impl<X: Exports> Listening<X> {
    pub(super) fn summary(&self) -> Summary {
        self.tally.summary()
    }
}

impl<X: Exports> Drop for Listening<X> {
    fn drop(&mut self) {
        self.watch.change(|observer| {
            observer.before = None;
            observer.sampler = None;
        });
    }
}

/// What a call that ended says of the generation that ran it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// It did its work, or was asked for what can't be.
    Fine,
    /// It answered with an error that may be its own fault or that of the service behind it.
    Failed,
    /// It trapped, or broke the contract.
    Broken,
}

impl Seen {
    pub(super) fn of<T>(done: &Result<T>) -> Self {
        match done {
            Ok(_) => Self::Fine,
            Err(error) => match error.kind() {
                ErrorKind::Conflict | ErrorKind::Invalid => Self::Fine,
                ErrorKind::Plugin => Self::Broken,
                _ => Self::Failed,
            },
        }
    }
}

/// Calls, counted.
pub(super) struct Tally {
    calls: AtomicU64,
    failed: AtomicU64,
    broken: AtomicU64,
    /// How long the latest took: reads and writes by themselves, since a write takes as long as a disk.
    reads: Latest,
    writes: Latest,
}

/// The latest calls of a kind.
struct Latest {
    calls: AtomicU64,
    micros: Box<[AtomicU32]>,
}

impl Default for Latest {
    fn default() -> Self {
        Self { calls: AtomicU64::new(0), micros: (0..LATEST).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            calls: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            reads: Latest::default(),
            writes: Latest::default(),
        }
    }
}

impl Tally {
    /// Counts a call. Says how many there were.
    pub(super) fn count(&self, access: Access, seen: Seen, took: Duration) -> u64 {
        match seen {
            Seen::Fine => {}
            Seen::Failed => _ = self.failed.fetch_add(1, Ordering::Relaxed),
            Seen::Broken => _ = self.broken.fetch_add(1, Ordering::Relaxed),
        }
        match access {
            Access::Reads => self.reads.count(took),
            Access::Writes => self.writes.count(took),
        }
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn summary(&self) -> Summary {
        Summary {
            calls: self.calls.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            broken: self.broken.load(Ordering::Relaxed),
            read: self.reads.median(),
            write: self.writes.median(),
        }
    }
}

impl Latest {
    fn count(&self, took: Duration) {
        let before = self.calls.fetch_add(1, Ordering::Relaxed);
        if let Some(place) = self.micros.get(before as usize % LATEST) {
            place.store(u32::try_from(took.as_micros()).unwrap_or(u32::MAX), Ordering::Relaxed);
        }
    }

    fn median(&self) -> Option<Duration> {
        let calls = self.calls.load(Ordering::Relaxed);
        if calls < MEDIAN_MIN {
            return None;
        }
        let known = usize::try_from(calls).unwrap_or(LATEST).min(LATEST);
        let mut micros: Vec<u32> =
            self.micros.iter().take(known).map(|micros| micros.load(Ordering::Relaxed)).collect();
        let (_, median, _) = micros.select_nth_unstable(known / 2);
        Some(Duration::from_micros(u64::from(*median)))
    }
}

/// What was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Summary {
    pub(super) calls: u64,
    pub(super) failed: u64,
    pub(super) broken: u64,
    /// The latency in the middle of the latest reads; none of too few.
    pub(super) read: Option<Duration>,
    /// The same of writes.
    pub(super) write: Option<Duration>,
}

impl<X: Exports> Observer<X> {
    fn saw(&self, access: Access, seen: Seen, took: Duration) {
        if let Some(tally) = &self.before {
            tally.count(access, seen, took);
        }
        if let Some(probation) = &self.probation {
            probation.saw(access, seen, took);
        }
    }

    /// The generation in which a call is repeated that failed so.
    fn repeats_in<T>(&self, done: &Result<T>, access: Access) -> Option<&Probation<X>> {
        let error = done.as_ref().err()?;
        // One that is refused because others failed was not even tried.
        let broken = error.kind() == ErrorKind::Plugin || is_refusal(error);
        let harmless = broken && (access == Access::Reads || !error.is_effect_unknown());
        self.probation.as_deref().filter(|_| harmless)
    }
}

impl<X: Exports> Plugin<X> {
    /// As `run`, and looked at.
    #[cold]
    pub(crate) async fn run_looked_at<J: Job<X>>(&self, job: J) -> Result<J::Output> {
        let Some(observer) = self.watch.observer.load_full() else { return self.run_unseen(job).await };
        if let Some(sampler) = &observer.sampler {
            sampler.take(|| job.probe());
        }
        let again = observer.probation.as_ref().and_then(|_| job.again());
        let looked = self.watch.begin(J::ACCESS);
        let mut done = self.run_unseen(job).await;
        let took = self.watch.end(&looked);
        let mut seen = Seen::of(&done);
        if let (Some(probation), Some(job)) = (observer.repeats_in(&done, J::ACCESS), again)
            && let Some(old) = &probation.old
        {
            match super::ask(old, job).await {
                Ok(output) => done = Ok(output),
                Err(error) if error.kind() == ErrorKind::Plugin => seen = Seen::Failed,
                Err(_) => {}
            }
        }
        observer.saw(J::ACCESS, seen, took);
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_of_the_latest_calls_and_of_enough_of_them() {
        let tally = Tally::default();
        for micros in 0..MEDIAN_MIN - 1 {
            tally.count(Access::Reads, Seen::Fine, Duration::from_micros(micros));
        }
        assert_eq!(tally.summary().read, None);
        for _ in 0..LATEST {
            tally.count(Access::Reads, Seen::Failed, Duration::from_micros(7));
        }
        let summary = tally.summary();
        assert_eq!((summary.read, summary.write), (Some(Duration::from_micros(7)), None));
        assert_eq!((summary.failed, summary.broken), (LATEST as u64, 0));
    }

    #[test]
    fn writes_that_are_under_way_may_be_done_later() {
        let at = |begun, ended| Writes { begun, ended };
        assert!(at(3, 3).none_until(at(3, 3)));
        assert!(!at(4, 3).none_until(at(4, 4)), "it was waiting for the switch");
        assert!(!at(3, 3).none_until(at(4, 4)));
    }
}
