//! What waits for the writer. Bounded: who finds no room waits for it without holding a thread.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use larder_core::{Change, Commit, Effect, Error, ErrorKind, Outcome, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::handle::Opening;

/// Most jobs that wait. Each keeps its keys and values in memory until it is done.
const JOBS_MAX: usize = 1_024;

/// Most commits in one transaction: bounds how long the first of them waits for the last.
pub(super) const BATCH_COMMITS_MAX: usize = 256;

/// A batch takes no further commit once its values pass this many bytes.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// How often the writer looks for work before it sleeps; each time it lets other threads run. Some
/// tens of microseconds together.
const LINGER_ROUNDS: u32 = 100;

/// Where an answer goes. Nobody may be listening any more.
pub(super) type Reply<T> = oneshot::Sender<Result<T>>;

#[derive(Debug)]
enum Job {
    Commit(QueuedCommit),
    Errand(Errand),
}

/// What the writer does besides commits, each in its turn.
#[derive(Debug)]
pub(super) enum Errand {
    /// Remove all that has expired; answers how many entries.
    Sweep(Reply<u64>),
    /// Open the database again, unless that has happened since.
    Reopen(Opening, Reply<()>),
}

#[derive(Debug)]
pub(super) struct QueuedCommit {
    pub(super) commit: Commit,
    pub(super) reply: Reply<Vec<Outcome>>,
    bytes: usize,
    _room: OwnedSemaphorePermit,
}

/// What the writer does next.
#[derive(Debug)]
pub(super) enum Work {
    /// These commits, in one transaction.
    Commits(Vec<QueuedCommit>),
    /// This, alone.
    Errand(Errand),
    /// Nothing came in for the time it was ready to wait.
    Idle,
    /// Stop: everything that was queued is done.
    Stop,
}

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    room: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    stopped: bool,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self { state: Mutex::default(), wake: Condvar::new(), room: Arc::new(Semaphore::new(JOBS_MAX)) }
    }

    /// Queues a commit and waits for its answer.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Vec<Outcome>> {
        let room = self.room.clone().acquire_owned().await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        let bytes = commit.writes.iter().map(|write| write.key.len() + value_len(&write.change)).sum();
        self.push(Job::Commit(QueuedCommit { commit, reply, bytes, _room: room }))?;
        // The writer answers everything it takes; without an answer it died in between.
        answer.await.unwrap_or_else(|_| Err(stopped().effect(Effect::Unknown)))
    }

    /// Queues an errand and waits for its answer.
    pub(super) async fn ask<T>(&self, errand: impl FnOnce(Reply<T>) -> Errand) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        self.push(Job::Errand(errand(reply)))?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn push(&self, job: Job) -> Result<()> {
        let mut state = self.lock();
        if state.stopped {
            return Err(stopped());
        }
        state.jobs.push_back(job);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The next work, waited for at most `patience`.
    pub(super) fn next(&self, patience: Option<Duration>) -> Work {
        let mut state = self.linger();
        while state.jobs.is_empty() {
            if state.stopped {
                return Work::Stop;
            }
            state = match patience {
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(patience) => {
                    let (state, timeout) =
                        self.wake.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
                    if timeout.timed_out() && state.jobs.is_empty() && !state.stopped {
                        return Work::Idle;
                    }
                    state
                }
            };
        }
        state.take()
    }

    /// Looks out for work a little before the thread goes to sleep: a caller that was just answered
    /// often has the next commit ready, and waking a thread costs as much as a quick sync.
    fn linger(&self) -> MutexGuard<'_, State> {
        for _ in 0..LINGER_ROUNDS {
            let state = self.lock();
            if !state.jobs.is_empty() || state.stopped {
                return state;
            }
            drop(state);
            thread::yield_now();
        }
        self.lock()
    }

    /// Lets the writer finish what is queued and stop; nothing is queued from here on.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.room.close();
        self.wake.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// As many commits as fit into a batch, or one other job.
    fn take(&mut self) -> Work {
        let (mut commits, mut bytes) = (Vec::new(), 0_usize);
        while commits.len() < BATCH_COMMITS_MAX && bytes < BATCH_BYTES_MAX {
            match self.jobs.pop_front() {
                // Its caller went away before it began: it does not happen.
                Some(Job::Commit(commit)) if commit.reply.is_closed() => {}
                Some(Job::Commit(commit)) => {
                    bytes += commit.bytes;
                    commits.push(commit);
                }
                Some(Job::Errand(errand)) if commits.is_empty() => return Work::Errand(errand),
                Some(errand) => {
                    self.jobs.push_front(errand);
                    break;
                }
                None => break,
            }
        }
        Work::Commits(commits)
    }
}

fn value_len(change: &Change) -> usize {
    match change {
        Change::Put { value, .. } => value.len(),
        Change::Delete | Change::Add(_) => 0,
    }
}

fn stopped() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is closed")
}
