//! A scripted store: a key-value store that keeps nothing and answers as it was told, in order or by what is asked.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use larder_core::{
    BoxFuture, Commit, Description, Effect, Entry, Error, ErrorKind, Key, KvStore, Outcome, Page, Result,
    Scan, Version,
};

use super::{call::Call, pattern};

/// What a scripted store answers to one call.
#[derive(Debug, Clone)]
pub struct Reply(Given);

#[derive(Debug, Clone)]
enum Given {
    Entry(Option<Entry>),
    Entries(Vec<Option<Entry>>),
    Page(Page),
    Outcomes(Vec<Outcome>),
    Done,
    Error { kind: ErrorKind, message: String, effect: Effect, retry_after: Option<Duration> },
}

impl Reply {
    /// To a `get`: there is no entry.
    pub fn none() -> Self {
        Self(Given::Entry(None))
    }

    /// To a `get`: an entry of this value, of version 1, without expiry.
    pub fn value(value: impl Into<Bytes>) -> Self {
        Self::entry(Entry { value: value.into(), version: Version(1), expires_at: None })
    }

    /// To a `get`: this entry.
    pub fn entry(entry: Entry) -> Self {
        Self(Given::Entry(Some(entry)))
    }

    /// To a `get_many`.
    pub fn entries(entries: impl IntoIterator<Item = Option<Entry>>) -> Self {
        Self(Given::Entries(entries.into_iter().collect()))
    }

    /// To a `scan`.
    pub fn page(page: Page) -> Self {
        Self(Given::Page(page))
    }

    /// To a `commit`, by position of its writes.
    pub fn outcomes(outcomes: impl IntoIterator<Item = Outcome>) -> Self {
        Self(Given::Outcomes(outcomes.into_iter().collect()))
    }

    /// To a `health`: all is well.
    pub fn done() -> Self {
        Self(Given::Done)
    }

    /// To any call: an error that changed nothing.
    pub fn error(kind: ErrorKind) -> Self {
        let message = "an error of the script".to_owned();
        Self(Given::Error { kind, message, effect: Effect::None, retry_after: None })
    }

    /// Of an error: nobody knows whether the write happened.
    #[must_use]
    pub fn effect_unknown(mut self) -> Self {
        if let Given::Error { effect, .. } = &mut self.0 {
            *effect = Effect::Unknown;
        }
        self
    }

    /// Of an error: how long the caller is told to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        if let Given::Error { retry_after, .. } = &mut self.0 {
            *retry_after = Some(wait);
        }
        self
    }

    fn shown(&self) -> &'static str {
        match self.0 {
            Given::Entry(_) => "an entry or none",
            Given::Entries(_) => "entries",
            Given::Page(_) => "a page",
            Given::Outcomes(_) => "outcomes",
            Given::Done => "that all is well",
            Given::Error { .. } => "an error",
        }
    }
}

/// A script, and the store that plays it. What is asked is written as a [`Recorder`](super::Recorder) shows it, with `*`
/// for any text.
///
/// When the script is dropped and was not played as it stands (a call came that it did not expect, or one did not come
/// that it did), the test fails; [`assert_played`](Self::assert_played) says so earlier.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use larder::{ErrorKind, testing::{Reply, Script, TestHost}};
///
/// let host = TestHost::memory();
/// let script = Script::new()
///     .expect("get cursor", Reply::error(ErrorKind::Unavailable))
///     .expect("get cursor", Reply::value("7"))
///     .always("get robots/*", Reply::none());
/// host.swap_kv("state", script.store())?;
///
/// let kv = host.kv("state")?;
/// assert!(kv.get::<u32>("cursor").await.is_err());
/// assert_eq!(kv.get::<u32>("cursor").await?, Some(7));
/// script.assert_played();
/// # larder::Result::<()>::Ok(()) }).unwrap();
/// ```
pub struct Script {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    steps: VecDeque<(String, Reply)>,
    standing: Vec<(String, Reply)>,
    played: usize,
    /// What did not go by the script, in words; told once.
    wrong: Vec<String>,
}

impl Script {
    /// An empty script: every call is one too many.
    pub fn new() -> Self {
        Self { state: Arc::default() }
    }

    /// The next call, and its answer.
    #[must_use]
    pub fn expect(self, call: impl Into<String>, reply: Reply) -> Self {
        lock(&self.state).steps.push_back((call.into(), reply));
        self
    }

    /// An answer to each such call, however often it comes, where the next step of the script is another one.
    #[must_use]
    pub fn always(self, call: impl Into<String>, reply: Reply) -> Self {
        lock(&self.state).standing.push((call.into(), reply));
        self
    }

    /// The store that plays it.
    pub fn store(&self) -> Arc<dyn KvStore> {
        Arc::new(Scripted { state: Arc::clone(&self.state) })
    }

    /// Asserts that the script was played to its end, and that nothing else was asked.
    ///
    /// # Panics
    /// Where it was not; the message says what came and what did not.
    #[track_caller]
    pub fn assert_played(&self) {
        if let Some(message) = self.complaint() {
            panic!("{message}");
        }
    }

    /// What is wrong, once.
    fn complaint(&self) -> Option<String> {
        let mut state = lock(&self.state);
        let wrong = std::mem::take(&mut state.wrong);
        let left = std::mem::take(&mut state.steps);
        if wrong.is_empty() && left.is_empty() {
            return None;
        }
        let mut lines = vec![format!("the script was not played as it stands ({} steps were)", state.played)];
        lines.extend(wrong.into_iter().map(|wrong| format!("  {wrong}")));
        lines.extend(
            left.into_iter()
                .map(|(call, reply)| format!("  never asked: {call} (answer: {})", reply.shown())),
        );
        Some(lines.join("\n"))
    }
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Script {
    /// A script that was not played fails the test, unless it fails already.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.assert_played();
        }
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        write!(f, "Script({} played, {} to come)", state.played, state.steps.len())
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The store of a script.
#[derive(Clone)]
struct Scripted {
    state: Arc<Mutex<State>>,
}

impl Scripted {
    fn play<T>(&self, call: &Call, read: impl FnOnce(Given) -> Option<T>) -> Result<T> {
        let mut state = lock(&self.state);
        let shown = call.to_string();
        let is_next = state.steps.front().is_some_and(|(expected, _)| pattern::matches(expected, &shown));
        let reply = if is_next {
            state.played += 1;
            state.steps.pop_front().map(|(_, reply)| reply)
        } else {
            let mut standing = state.standing.iter();
            standing.find(|(expected, _)| pattern::matches(expected, &shown)).map(|(_, reply)| reply.clone())
        };
        let Some(reply) = reply else {
            let expected = state.steps.front().map_or("its end", |(expected, _)| expected);
            let wrong = format!("asked {shown}, where the script has {expected}");
            return Err(state.fail(wrong));
        };
        if let Given::Error { kind, message, effect, retry_after } = reply.0 {
            let error = Error::new(kind, message).effect(effect);
            return Err(match retry_after {
                Some(wait) => error.retry_after(wait),
                None => error,
            });
        }
        let given = reply.shown();
        read(reply.0).ok_or_else(|| state.fail(format!("asked {shown}, to which {given} is no answer")))
    }
}

impl State {
    fn fail(&mut self, wrong: String) -> Error {
        let error = Error::invalid(format!("not in the script: {wrong}"));
        self.wrong.push(wrong);
        error
    }
}

#[deny(clippy::missing_trait_methods, reason = "a store forgets no operation")]
impl KvStore for Scripted {
    fn describe(&self) -> Description {
        Description::full()
    }

    fn get<'a>(&'a self, key: &'a Key) -> BoxFuture<'a, Result<Option<Entry>>> {
        Box::pin(async move {
            self.play(&Call::get(key), |given| match given {
                Given::Entry(entry) => Some(entry),
                _ => None,
            })
        })
    }

    fn get_many<'a>(&'a self, keys: &'a [Key]) -> BoxFuture<'a, Result<Vec<Option<Entry>>>> {
        Box::pin(async move {
            self.play(&Call::get_many(keys), |given| match given {
                Given::Entries(entries) if entries.len() == keys.len() => Some(entries),
                _ => None,
            })
        })
    }

    fn scan<'a>(&'a self, scan: &'a Scan) -> BoxFuture<'a, Result<Page>> {
        Box::pin(async move {
            self.play(&Call::scan(scan), |given| match given {
                Given::Page(page) => Some(page),
                _ => None,
            })
        })
    }

    fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Vec<Outcome>>> {
        Box::pin(async move {
            self.play(&Call::commit(commit), |given| match given {
                Given::Outcomes(outcomes) if outcomes.len() == commit.writes.len() => Some(outcomes),
                _ => None,
            })
        })
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            self.play(&Call::health(), |given| match given {
                Given::Done => Some(()),
                _ => None,
            })
        })
    }
}

impl fmt::Display for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("script")
    }
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}
