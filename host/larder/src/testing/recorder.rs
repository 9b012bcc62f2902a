//! The recording of calls: what was asked of a store, in which order, and how it was answered.
//!
//! A recording shows keys and the beginning of values: it is for tests, whose data are no secrets.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    answer::Answer,
    call::{Call, Calls},
    passage::Watch,
    pattern,
    tool::{Tool, Watcher},
};

/// Most calls that are kept: a runaway loop fails by it, and does not fill the memory.
const CALLS_MAX: usize = 100_000;

/// A call and what became of it. `Display`: `commit put a=1 -> ok`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedCall {
    /// What was asked.
    pub call: Call,
    /// How it was answered.
    pub answer: Answer,
}

impl fmt::Display for RecordedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.call, self.answer)
    }
}

/// Records the calls of a store, or of several. Cheap to clone; the clones are one recording.
///
/// What is expected is written as a recording shows it: the call and, where it matters, ` -> ` and its answer. A `*`
/// stands for any text.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::testing::{Operation, Recorder, TestHost};
///
/// let host = TestHost::memory();
/// let recorder = Recorder::new();
/// host.put_in_front("state", &recorder)?;
///
/// let kv = host.kv("state")?;
/// kv.set("cursor", &7).await?;
/// kv.get::<u32>("cursor").await?;
/// kv.delete("cursor").await?;
///
/// recorder.assert_calls(["commit put cursor=7", "get cursor -> 7", "commit * -> deleted"]);
/// recorder.assert_count(Operation::Commit, 2);
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct Recorder {
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    recorded: Mutex<Recorded>,
}

#[derive(Debug, Default)]
struct Recorded {
    /// Calls that were forgotten before the first of these.
    forgotten: usize,
    calls: Vec<RecordedCall>,
}

impl Recorder {
    /// Nothing is recorded yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.state.recorded().calls.clone()
    }

    /// How many of these calls there were.
    pub fn count(&self, calls: impl Into<Calls>) -> usize {
        let calls = calls.into();
        self.state.recorded().calls.iter().filter(|recorded| calls.contains(&recorded.call)).count()
    }

    /// Forgets what was recorded so far; the answers to calls that are still under way too.
    pub fn clear(&self) {
        let mut recorded = self.state.recorded();
        recorded.forgotten += recorded.calls.len();
        recorded.calls.clear();
    }

    /// Asserts that there were these calls, in this order, and no others.
    ///
    /// # Panics
    /// Where it was otherwise; the message shows both lists, side by side from where they part.
    #[track_caller]
    pub fn assert_calls<T: AsRef<str>>(&self, expected: impl IntoIterator<Item = T>) {
        let expected: Vec<String> = expected.into_iter().map(|line| line.as_ref().to_owned()).collect();
        let calls = self.calls();
        let fits = |(line, call): (&String, &RecordedCall)| fits(line, call);
        if expected.len() == calls.len() && expected.iter().zip(&calls).all(fits) {
            return;
        }
        let first = expected.iter().zip(&calls).position(|pair| !fits(pair));
        let first = first.unwrap_or(expected.len().min(calls.len()));
        panic!(
            "the calls are not those that were expected, from the {}. on\n{}",
            first + 1,
            compared(&expected, &calls, first)
        );
    }

    /// Asserts that there were these calls, in this order, whatever others there were before, between and after.
    ///
    /// # Panics
    /// Where one was missing; the message shows which, and what was recorded.
    #[track_caller]
    pub fn assert_contains<T: AsRef<str>>(&self, expected: impl IntoIterator<Item = T>) {
        let calls = self.calls();
        let mut rest = calls.iter();
        for (i, line) in expected.into_iter().enumerate() {
            let line = line.as_ref();
            assert!(
                rest.any(|call| fits(line, call)),
                "the {}. expected call is missing, or it came before the one that it should follow\n  {line}\n{}",
                i + 1,
                list("recorded", calls.iter())
            );
        }
    }

    /// Asserts how many of these calls there were.
    ///
    /// # Panics
    /// Where there were more or fewer; the message shows them, and the others.
    #[track_caller]
    pub fn assert_count(&self, calls: impl Into<Calls>, expected: usize) {
        let (meant, recorded) = (calls.into(), self.calls());
        let (of_them, others): (Vec<_>, Vec<_>) =
            recorded.iter().partition(|recorded| meant.contains(&recorded.call));
        assert!(
            of_them.len() == expected,
            "expected {expected} of {meant}, and there were {}\n{}{}",
            of_them.len(),
            list("these", of_them.into_iter()),
            list("the others", others.into_iter())
        );
    }
}

fn fits(expected: &str, recorded: &RecordedCall) -> bool {
    match expected.contains(" -> ") {
        true => pattern::matches(expected, &recorded.to_string()),
        false => pattern::matches(expected, &recorded.call.to_string()),
    }
}

/// Most calls that a message shows.
const SHOWN_MAX: usize = 50;

fn list<'a>(title: &str, calls: impl ExactSizeIterator<Item = &'a RecordedCall>) -> String {
    let count = calls.len();
    let mut text = format!("{title}: {count}\n");
    for (i, call) in calls.enumerate().take(SHOWN_MAX) {
        text.push_str(&format!("  {:>3}. {call}\n", i + 1));
    }
    if count > SHOWN_MAX {
        text.push_str(&format!("  ... and {} more\n", count - SHOWN_MAX));
    }
    text
}

/// How many calls before the first difference are shown with it.
const BEFORE: usize = 3;

fn compared(expected: &[String], calls: &[RecordedCall], first: usize) -> String {
    let mut text = format!("expected: {}, recorded: {}\n", expected.len(), calls.len());
    let last = expected.len().max(calls.len());
    let shown = first.saturating_sub(BEFORE)..last.min(first + SHOWN_MAX);
    for i in shown.clone() {
        match (expected.get(i), calls.get(i)) {
            (Some(line), Some(call)) if fits(line, call) => {
                text.push_str(&format!("    {:>3}. {call}\n", i + 1))
            }
            (line, call) => {
                let line = line.map_or("nothing", String::as_str);
                let call = call.map_or_else(|| "nothing".to_owned(), RecordedCall::to_string);
                let number = i + 1;
                text.push_str(&format!("  ! {number:>3}. expected {line}\n         recorded {call}\n"));
            }
        }
    }
    if shown.end < last {
        text.push_str(&format!("  ... and {} more\n", last - shown.end));
    }
    text
}

impl State {
    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch for State {
    fn name(&self) -> &'static str {
        "recorder"
    }

    fn begin(&self, call: &Call) -> usize {
        let mut recorded = self.recorded();
        let number = recorded.forgotten + recorded.calls.len();
        assert!(
            recorded.calls.len() < CALLS_MAX,
            "{CALLS_MAX} calls were recorded; `clear` the recorder in between"
        );
        recorded.calls.push(RecordedCall { call: call.clone(), answer: Answer::Pending });
        number
    }

    fn end(&self, number: usize, answer: Answer) {
        let mut recorded = self.recorded();
        let place = number.checked_sub(recorded.forgotten);
        if let Some(call) = place.and_then(|place| recorded.calls.get_mut(place)) {
            call.answer = answer;
        }
    }
}

impl Tool for Recorder {
    fn watch(&self) -> Watcher {
        Watcher(Arc::clone(&self.state) as Arc<dyn Watch>)
    }
}

/// The list of the calls so far.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list("recorded", self.calls().iter()))
    }
}
