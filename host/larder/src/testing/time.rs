//! The time of a test: one clock for the expiries of every store in memory, for the plugins, and for the delays of
//! [`Slow`](super::Slow).
//!
//! It stands still until the test turns it. In a test with tokio's time paused (`#[tokio::test(start_paused = true)]`) it
//! follows that one instead, so that everything that waits (the host's retries and timeouts, a fetcher's own back-off,
//! delays) and everything that expires goes by one time, and no test really waits. Which of both it is, is decided
//! where the host is opened.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use larder_core::{Clock, ManualClock, Timestamp};
use tokio::{sync::oneshot, time::Instant};

/// The time of a test. Cheap to clone; the clones are one clock.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use std::time::Duration;
///
/// use larder::{SetOptions, testing::TestHost};
///
/// let host = TestHost::memory();
/// let kv = host.kv("state")?;
/// kv.set_with("session", "abc", SetOptions::default().ttl(Duration::from_secs(60))).await?;
/// host.time().advance(Duration::from_secs(59)).await;
/// assert!(kv.exists("session").await?);
/// host.time().advance(Duration::from_secs(1)).await;
/// assert!(!kv.exists("session").await?);
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct TestTime(Arc<Inner>);

struct Inner {
    clock: ManualClock,
    /// When tokio's paused time was as the clock is; none where the clock stands still.
    followed_since: Option<Instant>,
    sleepers: Mutex<Sleepers>,
}

/// Who waits for which moment, in order.
#[derive(Default)]
struct Sleepers {
    next: u64,
    waiting: BTreeMap<(Timestamp, u64), oneshot::Sender<()>>,
}

impl TestTime {
    /// A clock at the beginning of 2026: it follows tokio's time where that is paused, and stands still otherwise.
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            clock: ManualClock::default(),
            followed_since: paused_now(),
            sleepers: Mutex::default(),
        }))
    }

    /// Whether it follows tokio's paused time.
    pub fn follows_tokio(&self) -> bool {
        self.0.followed_since.is_some()
    }

    /// Lets time pass. Whoever waits for a moment until then goes on, the earliest first.
    ///
    /// Where the clock follows tokio's, this is a sleep, and tokio turns its own time. Cancel safe: time has passed
    /// up to some moment.
    pub async fn advance(&self, by: Duration) {
        if self.follows_tokio() {
            tokio::time::sleep(by).await;
            return;
        }
        let end = self.now().after(by);
        loop {
            // A statement of its own: nobody waits for the lock while time passes.
            let first = self.sleepers().first_until(end);
            let Some((moment, sleeper)) = first else { break };
            self.0.clock.advance(moment.since(self.now()));
            if sleeper.send(()).is_ok() {
                // What goes on now may wait again, for a moment that is still to come.
                tokio::task::yield_now().await;
            }
        }
        self.0.clock.advance(end.since(self.now()));
    }

    /// Waits until the time has passed: until the test lets it. Cancel safe.
    pub async fn sleep(&self, time: Duration) {
        if self.follows_tokio() {
            tokio::time::sleep(time).await;
            return;
        }
        let woken = {
            let moment = self.now().after(time);
            let mut sleepers = self.sleepers();
            sleepers.next += 1;
            let (wake, woken) = oneshot::channel();
            let number = sleepers.next;
            sleepers.waiting.insert((moment, number), wake);
            woken
        };
        if woken.await.is_err() {
            // Nobody can turn this clock any more.
            std::future::pending::<()>().await;
        }
    }

    /// How many wait for a moment to come. Always 0 where the clock follows tokio's.
    pub fn waiting(&self) -> usize {
        self.sleepers().waiting.values().filter(|sleeper| !sleeper.is_closed()).count()
    }

    /// As the seam that stores and plugins ask.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }

    fn sleepers(&self) -> MutexGuard<'_, Sleepers> {
        self.0.sleepers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sleepers {
    fn first_until(&mut self, end: Timestamp) -> Option<(Timestamp, oneshot::Sender<()>)> {
        let first = self.waiting.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((moment, _), sleeper) = first.remove_entry();
        Some((moment, sleeper))
    }
}

impl Default for TestTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for TestTime {
    fn now(&self) -> Timestamp {
        let turned = self.0.clock.now();
        match self.0.followed_since {
            Some(since) => turned.after(whole_millis(since.elapsed())),
            None => turned,
        }
    }
}

/// Down to a millisecond: a moment is reached when all of it has passed.
fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// Tokio's time, where it is paused.
///
/// Tokio does not tell whether it is. But its time, where it is not paused, is the machine's: once the machine's clock
/// has moved, so has tokio's. So this is no guess: it waits for the next tick of the machine's clock and looks.
#[expect(clippy::disallowed_methods, reason = "the machine's own clock is what tokio's is compared with")]
fn paused_now() -> Option<Instant> {
    let before = Instant::now();
    let begun = std::time::Instant::now();
    while std::time::Instant::now() == begun {
        std::hint::spin_loop();
    }
    (Instant::now() == before).then_some(before)
}

impl fmt::Debug for TestTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let follows = if self.follows_tokio() { ", as tokio's" } else { "" };
        write!(f, "TestTime({} ms{follows})", self.now().0)
    }
}
