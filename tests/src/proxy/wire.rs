//! What is wrong with the wire now. The test changes it, every connection watches it.

use std::{
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::Instant,
};

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Request,
    /// From the server to the client.
    Reply,
}

/// One of something for each way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Both<T> {
    request: T,
    reply: T,
}

impl<T> Both<T> {
    pub(super) fn of(&self, way: Way) -> &T {
        match way {
            Way::Request => &self.request,
            Way::Reply => &self.reply,
        }
    }

    pub(super) fn of_mut(&mut self, way: Way) -> &mut T {
        match way {
            Way::Request => &mut self.request,
            Way::Reply => &mut self.reply,
        }
    }
}

/// How slow a wire is.
#[derive(Debug, Clone, Copy)]
pub struct Slow {
    /// From one end to the other.
    pub latency: Duration,
    /// Of each connection and each way; from 1 on.
    pub bytes_per_second: u64,
}

impl Slow {
    /// How long the wire is taken by so many bytes.
    pub(super) fn time_of(&self, bytes: usize) -> Duration {
        Duration::from_secs_f64(bytes as f64 / self.bytes_per_second.max(1) as f64)
    }
}

/// A cut that was asked for.
#[derive(Debug)]
pub struct Cut(oneshot::Receiver<()>);

impl Cut {
    /// Waits until the connection has been cut; for ever where no connection carries so much, or another cut has
    /// taken its place.
    pub async fn happened(self) {
        if self.0.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A cut that is to come, for those who carry the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    /// Tells cuts apart: bytes are counted anew for each.
    pub(super) number: u64,
    pub(super) way: Way,
    pub(super) after_bytes: u64,
}

/// The faults that are on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub(super) refuses: bool,
    pub(super) stalled_until: Both<Option<Instant>>,
    pub(super) slow: Option<Slow>,
    pub(super) cut: Option<Pending>,
}

/// What the connections of a proxy share.
#[derive(Debug)]
pub(super) struct Wire {
    upstream: Mutex<SocketAddr>,
    state: watch::Sender<State>,
    /// Counts the calls of `cut_all`.
    cuts_of_all: watch::Sender<u64>,
    /// The number of the last cut, and whom to tell of it while it has not happened.
    cut: Mutex<(u64, Option<oneshot::Sender<()>>)>,
    open: AtomicUsize,
    accepted: AtomicU64,
    passed: Both<AtomicU64>,
}

impl Wire {
    pub(super) fn new(upstream: SocketAddr) -> Self {
        Self {
            upstream: Mutex::new(upstream),
            state: watch::Sender::default(),
            cuts_of_all: watch::Sender::default(),
            cut: Mutex::default(),
            open: AtomicUsize::new(0),
            accepted: AtomicU64::new(0),
            passed: Both::default(),
        }
    }

    pub(super) fn upstream(&self) -> SocketAddr {
        *locked(&self.upstream)
    }

    pub(super) fn set_upstream(&self, upstream: SocketAddr) {
        *locked(&self.upstream) = upstream;
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    pub(super) fn heal(&self) {
        let mut cut = locked(&self.cut);
        cut.1 = None;
        self.change(|state| *state = State::default());
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    pub(super) fn refuses(&self) -> bool {
        self.state.borrow().refuses
    }

    pub(super) fn cut_all(&self) {
        self.cuts_of_all.send_modify(|cuts| *cuts += 1);
    }

    pub(super) fn cuts_of_all(&self) -> watch::Receiver<u64> {
        self.cuts_of_all.subscribe()
    }

    pub(super) fn cut_after(&self, way: Way, after_bytes: u64) -> Cut {
        let (sender, receiver) = oneshot::channel();
        let mut cut = locked(&self.cut);
        *cut = (cut.0 + 1, Some(sender));
        let pending = Pending { number: cut.0, way, after_bytes };
        self.change(|state| state.cut = Some(pending));
        Cut(receiver)
    }

    /// Takes a cut: one connection gets it, and tells the test when it is cut.
    pub(super) fn take(&self, cut: Pending) -> Option<oneshot::Sender<()>> {
        let mut last = locked(&self.cut);
        if last.0 != cut.number {
            return None;
        }
        let taken = last.1.take();
        self.change(|state| state.cut = None);
        taken
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn passed(&self, way: Way) -> u64 {
        self.passed.of(way).load(Ordering::SeqCst)
    }

    pub(super) fn count_accepted(&self) {
        self.accepted.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn count_passed(&self, way: Way, bytes: usize) {
        self.passed.of(way).fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn count_open(&self) -> Open<'_> {
        self.open.fetch_add(1, Ordering::SeqCst);
        Open(self)
    }
}

/// Counts a connection as open while it is there.
pub(super) struct Open<'a>(&'a Wire);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// What is behind a lock is whole after each statement, so a panic elsewhere spoils nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
