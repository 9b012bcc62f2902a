//! The one thread that writes: it takes what is queued into one transaction, answers each caller
//! after the sync, sweeps expired entries, and opens the database again after a failure.
//!
//! Batches form by themselves: while one is being synced the next commits queue up. A lone writer
//! never waits for company.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use larder_core::{Clock, Effect, Outcome, Result, Timestamp};

use super::{
    FileStats,
    batch::{Batch, Trace, begin, finish},
    error::{self, Fault, Remedy},
    handle::{Handle, Opening},
    queue::{Errand, Queue, QueuedCommit, Reply, Work},
    sweep::{Swept, sweep},
    tables,
    versions::Versions,
};

/// What the store and its writer share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) handle: Handle,
    pub(super) queue: Queue,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) counts: Counts,
}

/// Counted since the store was opened.
#[derive(Debug, Default)]
pub(super) struct Counts {
    commits: AtomicU64,
    transactions: AtomicU64,
    swept: AtomicU64,
    reopened: AtomicU64,
}

impl Counts {
    pub(super) fn stats(&self) -> FileStats {
        FileStats {
            commits: self.commits.load(Ordering::Relaxed),
            transactions: self.transactions.load(Ordering::Relaxed),
            swept: self.swept.load(Ordering::Relaxed),
            reopened: self.reopened.load(Ordering::Relaxed),
        }
    }
}

pub(super) struct Writer {
    shared: Arc<Shared>,
    versions: Versions,
    cleanup: Cleanup,
}

/// When the background sweep is due.
struct Cleanup {
    interval: Option<Duration>,
    next: Timestamp,
    /// The last sweep stopped at its bound.
    more: bool,
}

/// What became of a transaction, and of the commits in it.
struct Failed {
    fault: Fault,
    opening: Opening,
    /// Set once the transaction may have happened.
    trace: Option<Trace>,
}

impl Writer {
    /// A writer of a database whose versions up to `reserved` may have been handed out. An interval
    /// of zero switches the background sweep off.
    pub(super) fn new(shared: Arc<Shared>, reserved: u64, cleanup_interval: Duration) -> Self {
        let interval = (!cleanup_interval.is_zero()).then_some(cleanup_interval);
        let next = shared.clock.now().after(cleanup_interval);
        Self { versions: Versions::after(reserved), cleanup: Cleanup { interval, next, more: false }, shared }
    }

    /// Works until the queue is stopped and empty.
    pub(super) fn run(mut self) {
        loop {
            match self.shared.queue.next(self.cleanup.patience()) {
                Work::Commits(commits) => self.write(commits),
                Work::Errand(Errand::Sweep(reply)) => answer(reply, self.sweep_all()),
                Work::Errand(Errand::Reopen(failed, reply)) => answer(reply, self.reopen(failed)),
                Work::Idle => {}
                Work::Stop => return,
            }
            self.sweep_if_due();
        }
    }

    fn write(&mut self, commits: Vec<QueuedCommit>) {
        if commits.is_empty() {
            return;
        }
        let mut result = self.transact(&commits);
        if let Err(Failed { fault, opening, trace: None }) = &result
            && fault.remedy == Remedy::ReopenAndRetry
            && self.reopen(*opening).is_ok()
        {
            result = self.transact(&commits);
        }
        match result {
            Ok(answers) => {
                self.shared.counts.commits.fetch_add(commits.len() as u64, Ordering::Relaxed);
                commits.into_iter().zip(answers).for_each(|(commit, result)| answer(commit.reply, result));
            }
            Err(failed) => self.fail(commits, failed),
        }
    }

    /// One transaction; answers by position of the commits, to be given only now that it is durable.
    fn transact(&mut self, commits: &[QueuedCommit]) -> Result<Vec<Result<Vec<Outcome>>>, Failed> {
        let (now, versions) = (self.shared.clock.now(), &mut self.versions);
        let mut at_commit = None;
        let (opening, result) = self.shared.handle.write(|database| {
            let transaction = begin(database)?;
            let (answers, trace) = {
                let mut batch = Batch::open(&transaction, versions, now)?;
                let answers = commits
                    .iter()
                    .map(|queued| batch.commit(&queued.commit))
                    .collect::<Result<Vec<_>, _>>()?;
                (answers, batch.into_trace())
            };
            if trace.is_none() {
                transaction.abort()?;
                return Ok(answers);
            }
            let reserve = versions.to_reserve();
            if let Some(last) = reserve {
                tables::reserve_versions(&transaction, last)?;
            }
            at_commit = trace;
            finish(transaction)?;
            if let Some(last) = reserve {
                versions.reserved(last);
            }
            Ok(answers)
        });
        self.shared.counts.transactions.fetch_add(u64::from(at_commit.is_some()), Ordering::Relaxed);
        result.map_err(|fault| Failed { fault, opening, trace: at_commit })
    }

    /// Answers commits whose transaction failed, after the database was opened again: that settles
    /// whether a transaction that broke off in its last step happened.
    fn fail(&mut self, commits: Vec<QueuedCommit>, failed: Failed) {
        let Failed { fault, opening, trace } = failed;
        let usable = trace.is_none() && fault.remedy == Remedy::None;
        let reopened = usable || self.reopen(opening).is_ok();
        let effect = match trace {
            None => Effect::None,
            Some(trace) => match self.shared.handle.read(|entries| trace.is_in(entries)).1 {
                // Opening wrote a new state without the transaction, and synced it.
                Ok(false) if reopened => Effect::None,
                // It is there, but a failed sync leaves open whether it would survive a power cut.
                _ => Effect::Unknown,
            },
        };
        tracing::warn!(error = %fault.error.chain(), commits = commits.len(), %effect, "a transaction failed");
        for queued in commits {
            answer(queued.reply, Err(error::copy(&fault.error).effect(effect)));
        }
    }

    fn reopen(&mut self, failed: Opening) -> Result<()> {
        let reserved = self.shared.handle.reopen(failed).map_err(|fault| fault.error)?;
        if let Some(reserved) = reserved {
            self.versions.reopened(reserved);
            self.shared.counts.reopened.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn sweep_if_due(&mut self) {
        let now = self.shared.clock.now();
        if !self.cleanup.is_due(now) {
            return;
        }
        match self.sweep_some(now) {
            Ok(swept) => self.cleanup.done(now, swept.more),
            Err(error) => {
                tracing::warn!(error = %error.chain(), "expired entries could not be removed");
                self.cleanup.done(now, false);
            }
        }
    }

    fn sweep_all(&mut self) -> Result<u64> {
        let now = self.shared.clock.now();
        let mut entries = 0;
        loop {
            let swept = self.sweep_some(now)?;
            entries += swept.entries;
            if !swept.more {
                self.cleanup.done(now, false);
                return Ok(entries);
            }
        }
    }

    fn sweep_some(&mut self, now: Timestamp) -> Result<Swept> {
        let (opening, result) = self.shared.handle.write(|database| sweep(database, now));
        match result {
            Ok(swept) => {
                self.shared.counts.swept.fetch_add(swept.entries, Ordering::Relaxed);
                Ok(swept)
            }
            Err(fault) => {
                if fault.remedy != Remedy::None {
                    self.reopen(opening)?;
                }
                Err(fault.error.effect(Effect::Unknown))
            }
        }
    }
}

impl Cleanup {
    /// How long the writer may wait for work before it looks whether a sweep is due.
    fn patience(&self) -> Option<Duration> {
        if self.more { Some(Duration::ZERO) } else { self.interval }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.interval.is_some() && (self.more || now >= self.next)
    }

    fn done(&mut self, now: Timestamp, more: bool) {
        self.more = more;
        if let Some(interval) = self.interval {
            self.next = now.after(interval);
        }
    }
}

/// Answers a caller; one that went away needs no answer.
fn answer<T>(reply: Reply<T>, result: Result<T>) {
    drop(reply.send(result));
}
