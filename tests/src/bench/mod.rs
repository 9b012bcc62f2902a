//! The bench harness: ours against a baseline, in one process, in interleaved rounds.
//!
//! A machine's speed drifts within a minute, so a figure alone says little; a ratio of two medians
//! whose rounds took turns says much. Each row is such a ratio with a target. This is no test: nothing
//! fails unless `--check` is given, and CI only runs `--smoke` (one short round, nothing is written).
//!
//! ```
//! use larder_tests::bench::{Bench, Stopwatch, Target, Unit};
//!
//! let mut bench = Bench::smoke("example");
//! let calls = bench.calls(100_000); // fewer in a smoke run
//! let per_call = |work: fn()| {
//!     let watch = Stopwatch::start();
//!     (0..calls).for_each(|_| work());
//!     watch.nanos_per(calls)
//! };
//! let ours = || per_call(|| drop(std::hint::black_box(1_u64.pow(3))));
//! let baseline = || per_call(|| drop(std::hint::black_box(1_u64)));
//! bench.ratio("cube", Unit::Nanos, Target::AtMost(10_000.0), 5, ours, baseline);
//! bench.finish();
//! ```

mod figures;
mod report;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use futures::FutureExt as _;

pub use figures::{Row, Target, Unit};

/// Fewest rounds of each side: below five a median means nothing.
const ROUNDS_MIN: u32 = 5;

/// Calls in a smoke run, at most: enough to show that the bench works.
const SMOKE_CALLS_MAX: u64 = 64;

/// A bench: rows of figures, a table at the end, a file for machines.
#[derive(Debug)]
pub struct Bench {
    name: &'static str,
    check: bool,
    smoke: bool,
    rows: Vec<Row>,
}

impl Bench {
    /// A bench of this name, told by the command line whether to `--check` its targets or only to
    /// `--smoke`. Other arguments, such as cargo's own `--bench`, are ignored.
    pub fn from_args(name: &'static str) -> Self {
        let has = |flag: &str| std::env::args().skip(1).any(|argument| argument == flag);
        Self { name, check: has("--check"), smoke: has("--smoke"), rows: Vec::new() }
    }

    /// A bench that only shows that it works.
    pub fn smoke(name: &'static str) -> Self {
        Self { name, check: false, smoke: true, rows: Vec::new() }
    }

    /// Whether this run only shows that the bench works.
    pub fn is_smoke(&self) -> bool {
        self.smoke
    }

    /// How many calls a round makes: `wanted`, or a few in a smoke run.
    pub fn calls(&self, wanted: u64) -> u64 {
        if self.smoke { wanted.min(SMOKE_CALLS_MAX) } else { wanted }
    }

    /// Measures ours against the baseline: `rounds` (at least five) of each, taking turns, and the
    /// medians of both. A closure runs one round and returns its figure in `unit`.
    pub fn ratio(
        &mut self,
        what: &str,
        unit: Unit,
        target: Target,
        rounds: u32,
        mut ours: impl FnMut() -> f64,
        mut baseline: impl FnMut() -> f64,
    ) {
        // Nothing in it waits, so one poll is all of it; an executor here would forbid the closures one of their own.
        let done = self.ratio_async(what, unit, target, rounds, async || ours(), async || baseline());
        assert!(done.now_or_never().is_some(), "rounds that do not wait are done at the first poll");
    }

    /// The same with rounds that are futures.
    ///
    /// # Cancel safety
    /// A dropped future leaves no row.
    pub async fn ratio_async(
        &mut self,
        what: &str,
        unit: Unit,
        target: Target,
        rounds: u32,
        mut ours: impl AsyncFnMut() -> f64,
        mut baseline: impl AsyncFnMut() -> f64,
    ) {
        let rounds = if self.smoke { 1 } else { rounds.max(ROUNDS_MIN) };
        let (mut our_figures, mut baseline_figures) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            // Whoever goes first warms the caches for the other, so they take turns at that too.
            if round % 2 == 0 {
                our_figures.push(ours().await);
                baseline_figures.push(baseline().await);
            } else {
                baseline_figures.push(baseline().await);
                our_figures.push(ours().await);
            }
        }
        let (value, baseline) = (figures::median(our_figures), figures::median(baseline_figures));
        self.rows.push(Row::new(what, unit, value, baseline, target));
    }

    /// Measures `rounds` (at least five) of what a person waits for, in `unit`, against a limit in the same unit. The
    /// baseline was measured before, since a round of it takes too long.
    pub fn within(
        &mut self,
        what: &str,
        unit: Unit,
        limit: f64,
        rounds: u32,
        mut ours: impl FnMut() -> f64,
        baseline: f64,
    ) {
        let rounds = if self.smoke { 1 } else { rounds.max(ROUNDS_MIN) };
        let value = figures::median((0..rounds).map(|_| ours()).collect());
        self.rows.push(Row::new(what, unit, value, baseline, Target::Within(limit)));
    }

    /// A figure that must stay at or under a limit, such as a peak of memory.
    pub fn bound(&mut self, what: &str, unit: Unit, value: f64, limit: f64) {
        self.rows.push(Row::new(what, unit, value, limit, Target::AtMost(1.0)));
    }

    /// Prints the table, writes `target/bench/NAME.json` unless this was a smoke run, and says with
    /// the exit code whether all targets hold, where `--check` was given.
    pub fn finish(self) -> ExitCode {
        report::print(self.name, &self.rows);
        if !self.smoke
            && let Err(error) = report::write(self.name, &self.rows)
        {
            report::complain(&format!("the figures could not be written: {error}"));
            return ExitCode::FAILURE;
        }
        let holds = self.rows.iter().all(Row::holds);
        if self.check && !self.smoke && !holds { ExitCode::FAILURE } else { ExitCode::SUCCESS }
    }
}

/// Real time, for benches and nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long it has run.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }

    /// Nanoseconds per call, for so many calls since the start.
    pub fn nanos_per(&self, calls: u64) -> f64 {
        self.elapsed().as_secs_f64() * 1e9 / calls.max(1) as f64
    }

    /// Calls (or bytes) per second, for so many since the start.
    pub fn per_second(&self, count: u64) -> f64 {
        count as f64 / self.elapsed().as_secs_f64().max(f64::MIN_POSITIVE)
    }
}
