//! Slowness: calls that take the time that the test says, or that wait until the test lets them go.
//!
//! Delays go by the test's own time ([`TestTime`]), so that none is really waited for.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use larder_core::BoxFuture;
use tokio::sync::watch;

use super::{
    call::{Call, Calls},
    passage::{Verdict, Watch},
    time::TestTime,
    tool::{Tool, Watcher},
};

/// When in its way a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before the store is asked: nothing has happened yet.
    BeforeItHappens,
    /// After the store has done it: a write has happened, and its caller does not know it yet.
    BeforeTheAnswer,
}

/// Slowness in front of a store, or of several. Cheap to clone; the clones are the same.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use std::time::Duration;
///
/// use larder::testing::{Calls, Moment, Slow, TestHost};
///
/// let host = TestHost::memory();
/// let slow = Slow::new(host.time()).delay(Calls::reads(), Moment::BeforeItHappens, Duration::from_secs(60));
/// host.put_in_front("state", &slow)?;
///
/// let kv = host.kv("state")?;
/// let read = async { kv.get::<u32>("a").await };
/// let (read, ()) = tokio::join!(read, host.time().advance(Duration::from_secs(60)));
/// assert_eq!(read?, None);
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Slow {
    state: Arc<State>,
}

struct State {
    time: TestTime,
    rules: Mutex<Vec<Rule>>,
}

#[derive(Clone)]
struct Rule {
    calls: Calls,
    moment: Moment,
    wait: Wait,
}

#[derive(Clone)]
enum Wait {
    For(Duration),
    Held(Arc<Gate>),
}

/// Who waits at a hold, and who has been let go.
struct Gate {
    state: watch::Sender<GateState>,
}

#[derive(Default)]
struct GateState {
    /// How many came so far.
    came: u64,
    /// Those that are held, by the number with which they came.
    held: BTreeSet<u64>,
    /// How many of those that are still to come may go on at once.
    may_pass: u64,
    is_open: bool,
}

impl Slow {
    /// Nothing is slow yet.
    pub fn new(time: &TestTime) -> Self {
        Self { state: Arc::new(State { time: time.clone(), rules: Mutex::default() }) }
    }

    /// Delays calls, from now on.
    #[must_use]
    pub fn delay(self, calls: impl Into<Calls>, moment: Moment, wait: Duration) -> Self {
        self.add(Rule { calls: calls.into(), moment, wait: Wait::For(wait) });
        self
    }

    /// Holds calls from now on until they are released, or the hold is dropped.
    pub fn hold(&self, calls: impl Into<Calls>, moment: Moment) -> Hold {
        let gate = Arc::new(Gate { state: watch::Sender::new(GateState::default()) });
        self.add(Rule { calls: calls.into(), moment, wait: Wait::Held(Arc::clone(&gate)) });
        Hold { gate }
    }

    /// Ends all delays and holds: what waits for a moment still does, what is held goes on.
    pub fn end(&self) {
        let rules = std::mem::take(&mut *self.state.rules());
        for rule in rules {
            if let Wait::Held(gate) = rule.wait {
                gate.open();
            }
        }
    }

    fn add(&self, rule: Rule) {
        self.state.rules().push(rule);
    }
}

impl State {
    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait(&self, call: &Call, moment: Moment) {
        let waits: Vec<Wait> = {
            let rules = self.rules();
            let rules = rules.iter().filter(|rule| rule.moment == moment && rule.calls.contains(call));
            rules.map(|rule| rule.wait.clone()).collect()
        };
        for wait in waits {
            match wait {
                Wait::For(time) => self.time.sleep(time).await,
                Wait::Held(gate) => gate.pass().await,
            }
        }
    }
}

/// A call at a gate; dropped with its caller, it is held no more.
struct AtGate<'a> {
    gate: &'a Gate,
    number: u64,
}

impl Drop for AtGate<'_> {
    fn drop(&mut self) {
        self.gate.state.send_modify(|state| {
            state.held.remove(&self.number);
        });
    }
}

impl Gate {
    async fn pass(&self) {
        let mut number = 0;
        self.state.send_modify(|state| {
            state.came += 1;
            number = state.came;
            match state.may_pass.checked_sub(1) {
                Some(left) => state.may_pass = left,
                None => {
                    state.held.insert(number);
                }
            }
        });
        let at = AtGate { gate: self, number };
        let may_go = |state: &GateState| state.is_open || !state.held.contains(&at.number);
        // The gate has its own sender: it can't be closed while somebody waits at it.
        if self.state.subscribe().wait_for(may_go).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    fn open(&self) {
        self.state.send_modify(|state| state.is_open = true);
    }
}

/// Calls that are held. Dropped, it lets all of them go.
pub struct Hold {
    gate: Arc<Gate>,
}

impl Hold {
    /// How many calls are held now.
    pub fn waiting(&self) -> usize {
        self.gate.state.borrow().held.len()
    }

    /// Waits until this many calls have come so far, those that have gone since among them. Cancel safe.
    pub async fn came(&self, calls: u64) {
        if self.gate.state.subscribe().wait_for(|state| state.came >= calls).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Lets the one go that came first of those that are held; where none is, the next one to come.
    pub fn release_one(&self) {
        self.gate.state.send_modify(|state| {
            if state.held.pop_first().is_none() {
                state.may_pass += 1;
            }
        });
    }

    /// Lets all go, and holds nobody any more.
    pub fn release_all(self) {
        drop(self);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.gate.open();
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hold({} waiting)", self.waiting())
    }
}

impl Watch for State {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn decide<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move {
            self.wait(call, Moment::BeforeItHappens).await;
            Verdict::Pass
        })
    }

    fn before_answer<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, ()> {
        Box::pin(self.wait(call, Moment::BeforeTheAnswer))
    }
}

impl Tool for Slow {
    fn watch(&self) -> Watcher {
        Watcher(Arc::clone(&self.state) as Arc<dyn Watch>)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules().iter()).finish()
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wait {
            Wait::For(wait) => write!(f, "{}: {wait:?} {:?}", self.calls, self.moment),
            Wait::Held(_) => write!(f, "{}: held {:?}", self.calls, self.moment),
        }
    }
}

impl fmt::Debug for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slow({:?})", self.state)
    }
}
