//! Faults: a store that fails as the test says, and the same way each time.
//!
//! What is decided by chance is decided by a seed, for each fault and each of its calls alone, so that another fault or
//! another order of other calls changes nothing. The seed is printed when the test fails.

use std::{
    collections::hash_map::RandomState,
    fmt,
    hash::BuildHasher,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use larder_core::{BoxFuture, Effect, Error, ErrorKind};

use super::{
    call::{Call, Calls},
    passage::{Verdict, Watch},
    tool::Tool,
};

/// The environment variable that replays a run of [`Faults::random`].
const SEED: &str = "LARDER_SEED";

/// Which calls fail, how often and how.
///
/// Unless it says otherwise, each of its calls is answered `unavailable`, and nothing was written.
///
/// ```
/// use larder::{ErrorKind, testing::{Calls, Fault, Operation}};
///
/// // The third page that is stored is stored, but whoever stored it is told that nobody knows.
/// let fault = Fault::on(Calls::of(Operation::Commit).prefix("page/"))
///     .nth(3)
///     .kind(ErrorKind::Timeout)
///     .answer_lost();
/// assert_eq!(fault.to_string(), "commit under page/, the 3rd: timeout, done and the answer lost");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    calls: Calls,
    which: Which,
    probability: f64,
    kind: ErrorKind,
    retry_after: Option<Duration>,
    happens: Happens,
}

/// Which of the calls, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Each,
    Nth(u64),
    First(u64),
    After(u64),
    Every(u64),
}

/// What becomes of a write that is told as failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Happens {
    /// It is not done, and the error says so.
    Not,
    /// It is done; the error says that nobody knows.
    Yes,
    /// It is not done; the error says that nobody knows.
    NotInDoubt,
    /// It is done or not, by the seed; the error says that nobody knows.
    Perhaps,
}

impl Fault {
    /// A fault of these calls.
    pub fn on(calls: impl Into<Calls>) -> Self {
        Self {
            calls: calls.into(),
            which: Which::Each,
            probability: 1.0,
            kind: ErrorKind::Unavailable,
            retry_after: None,
            happens: Happens::Not,
        }
    }

    /// Only the `n`-th of them, from 1 on, counted from when the fault was added.
    #[must_use]
    pub fn nth(mut self, n: u64) -> Self {
        self.which = Which::Nth(n);
        self
    }

    /// Only the first `n`.
    #[must_use]
    pub fn first(mut self, n: u64) -> Self {
        self.which = Which::First(n);
        self
    }

    /// All but the first `n`.
    #[must_use]
    pub fn after(mut self, n: u64) -> Self {
        self.which = Which::After(n);
        self
    }

    /// Every `n`-th: of 3 the third, the sixth and so on. Of 0 none.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.which = Which::Every(n);
        self
    }

    /// Of those only some, by the seed: from 0 (none) to 1 (all).
    #[must_use]
    pub fn probability(mut self, probability: f64) -> Self {
        self.probability = probability;
        self
    }

    /// What the caller is told to do.
    #[must_use]
    pub fn kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// How long the caller is told to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// A write is done and its answer lost: the error says that its effect is unknown. A read fails as any other.
    #[must_use]
    pub fn answer_lost(mut self) -> Self {
        self.happens = Happens::Yes;
        self
    }

    /// A write is lost on its way, and the caller can't know it: the error says that its effect is unknown.
    #[must_use]
    pub fn request_lost(mut self) -> Self {
        self.happens = Happens::NotInDoubt;
        self
    }

    /// A write is done or not, by the seed; the error says that its effect is unknown.
    #[must_use]
    pub fn in_doubt(mut self) -> Self {
        self.happens = Happens::Perhaps;
        self
    }

    fn strikes(&self, n: u64, chance: f64) -> bool {
        let counted = match self.which {
            Which::Each => true,
            Which::Nth(nth) => n == nth,
            Which::First(first) => n <= first,
            Which::After(first) => n > first,
            Which::Every(every) => every > 0 && n.is_multiple_of(every),
        };
        counted && chance < self.probability
    }

    fn verdict(&self, call: &Call, n: u64, coin: f64) -> Verdict {
        let mut error =
            Error::new(self.kind, "a fault of the test").with("fault", format!("{self}; call {n}"));
        if let Some(wait) = self.retry_after {
            error = error.retry_after(wait);
        }
        if !call.operation().is_write() {
            return Verdict::Refuse(error);
        }
        let unknown = |error: Error| error.effect(Effect::Unknown);
        match self.happens {
            Happens::Not => Verdict::Refuse(error),
            Happens::NotInDoubt => Verdict::Refuse(unknown(error)),
            Happens::Perhaps if coin < 0.5 => Verdict::Refuse(unknown(error)),
            Happens::Yes | Happens::Perhaps => Verdict::Lose(unknown(error)),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.calls)?;
        match self.which {
            Which::Each => Ok(()),
            Which::Nth(n) => write!(f, ", the {}", ordinal(n)),
            Which::First(n) => write!(f, ", the first {n}"),
            Which::After(n) => write!(f, ", all after {n}"),
            Which::Every(n) => write!(f, ", every {}", ordinal(n)),
        }?;
        if self.probability < 1.0 {
            write!(f, ", with probability {}", self.probability)?;
        }
        let happens = match self.happens {
            Happens::Not => "",
            Happens::Yes => ", done and the answer lost",
            Happens::NotInDoubt => ", the request lost",
            Happens::Perhaps => ", done or not",
        };
        write!(f, ": {}{happens}", self.kind)
    }
}

fn ordinal(n: u64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// Faults in front of a store, or of several. Cheap to clone; the clones are the same faults.
///
/// Of several faults that strike a call, the one that was added first is told; each counts its calls all the same.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::testing::{Calls, Fault, Faults, TestHost};
///
/// let host = TestHost::memory();
/// let faults = Faults::seeded(1).with(Fault::on(Calls::writes()).first(1));
/// host.put_in_front("state", &faults)?;
///
/// let kv = host.kv("state")?;
/// assert!(kv.set("a", &1).await.is_err());
/// kv.set("a", &1).await?;
/// faults.assert_all_struck();
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
pub struct Faults {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    seed: u64,
    is_printed: AtomicBool,
    faults: Mutex<Vec<Counted>>,
}

#[derive(Debug)]
struct Counted {
    fault: Fault,
    /// Calls that it is about, so far.
    calls: u64,
    struck: u64,
    is_healed: bool,
}

impl Faults {
    /// No faults yet, and this seed for what is left to chance.
    pub fn seeded(seed: u64) -> Self {
        let state = State { seed, is_printed: AtomicBool::new(false), faults: Mutex::default() };
        Self { state: Arc::new(state) }
    }

    /// The same with a new seed each time, or that of the environment variable `LARDER_SEED`. When the test fails, the
    /// seed is printed.
    ///
    /// # Panics
    /// Where `LARDER_SEED` is no number.
    #[track_caller]
    pub fn random() -> Self {
        let given = std::env::var(SEED).ok();
        let given = given.map(|text| {
            text.parse().unwrap_or_else(|_| panic!("{SEED} must be a number from 0 to 2^64, and is `{text}`"))
        });
        Self::seeded(given.unwrap_or_else(|| RandomState::new().hash_one(SEED)))
    }

    /// The same with one more fault.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        self.add(fault);
        self
    }

    /// Adds a fault. Its calls are counted from now on.
    pub fn add(&self, fault: Fault) {
        self.faults().push(Counted { fault, calls: 0, struck: 0, is_healed: false });
    }

    /// Ends all faults: from the next call on the store is whole. What was counted stays.
    pub fn heal(&self) {
        self.faults().iter_mut().for_each(|fault| fault.is_healed = true);
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.state.seed
    }

    /// How many calls failed so far.
    pub fn struck(&self) -> u64 {
        self.faults().iter().map(|fault| fault.struck).sum()
    }

    /// Asserts that each fault has struck at least once: a test whose faults don't strike tests nothing.
    ///
    /// # Panics
    /// Where one has not; the message says which, and how many of its calls there were.
    #[track_caller]
    pub fn assert_all_struck(&self) {
        let faults = self.faults();
        let idle: Vec<String> = faults
            .iter()
            .filter(|fault| fault.struck == 0)
            .map(|fault| format!("  {} (its calls so far: {})", fault.fault, fault.calls))
            .collect();
        let seed = self.seed();
        drop(faults);
        assert!(idle.is_empty(), "these faults never struck (seed {seed}):\n{}", idle.join("\n"));
    }

    fn faults(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.state.faults()
    }
}

impl State {
    fn faults(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn verdict(&self, call: &Call) -> Verdict {
        let mut told = None;
        for (number, counted) in self.faults().iter_mut().enumerate() {
            if counted.is_healed || !counted.fault.calls.contains(call) {
                continue;
            }
            counted.calls += 1;
            let [chance, coin] = [0, 1].map(|draw| fraction(self.seed, number as u64, counted.calls, draw));
            if told.is_none() && counted.fault.strikes(counted.calls, chance) {
                counted.struck += 1;
                told = Some(counted.fault.verdict(call, counted.calls, coin));
            }
        }
        told.unwrap_or(Verdict::Pass)
    }
}

/// A number from 0 to 1 for a draw of a call of a fault (splitmix64 over what it depends on).
fn fraction(seed: u64, fault: u64, call: u64, draw: u64) -> f64 {
    let mixed = [fault, call, draw].into_iter().fold(seed, |mixed, part| mix(mixed ^ mix(part)));
    (mixed >> 11) as f64 / (1_u64 << 53) as f64
}

fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl Watch for State {
    fn name(&self) -> &'static str {
        "faults"
    }

    fn decide<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Verdict> {
        Box::pin(async move { self.verdict(call) })
    }
}

impl Tool for Faults {
    fn watch(&self) -> super::tool::Watcher {
        super::tool::Watcher(Arc::clone(&self.state) as Arc<dyn Watch>)
    }
}

impl Clone for Faults {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state) }
    }
}

impl Drop for Faults {
    /// A failing test says how it is replayed.
    #[expect(clippy::print_stderr, reason = "a failing test prints there, and its runner shows it")]
    fn drop(&mut self) {
        if std::thread::panicking() && !self.state.is_printed.swap(true, Ordering::Relaxed) {
            let seed = self.state.seed;
            eprintln!(
                "the faults of this test had the seed {seed}: replay with {SEED}={seed} or Faults::seeded({seed})"
            );
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: Vec<String> = self.faults().iter().map(|fault| fault.fault.to_string()).collect();
        f.debug_struct("Faults").field("seed", &self.state.seed).field("faults", &faults).finish()
    }
}
