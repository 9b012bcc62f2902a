//! The table of faults by backends: what `cargo xtask test faults` ends with, also in `target/faults.json`.
//!
//! A [`Trial`] is one cell. It counts as failed from its beginning until it says that it held, so a test that
//! panics, hangs or is killed shows. What is expected and not there has failed, too.

use std::{collections::BTreeMap, fmt, fs, io, path::PathBuf, time::Duration};

use serde_json::{Value, json};

/// Backends, the columns of the table.
pub const BACKENDS: [&str; 6] = ["redis", "cluster", "sentinel", "postgres", "sqlite", "s3"];

/// Faults, the rows of the table, and the backends that can meet them.
pub const FAULTS: [(&str, &[&str]); 13] = [
    ("killed and restarted", &["redis", "cluster", "sentinel", "postgres", "s3"]),
    ("cut in mid-request", &["redis", "cluster", "sentinel", "postgres", "s3"]),
    ("cut in mid-reply", &["redis", "cluster", "sentinel", "postgres", "s3"]),
    ("2 s of stall", &["redis", "cluster", "sentinel", "postgres", "sqlite", "s3"]),
    ("slow network", &["redis", "cluster", "sentinel", "postgres", "s3"]),
    ("out of memory", &["redis", "cluster", "sentinel"]),
    ("read-only replica", &["redis", "sentinel"]),
    ("loading", &["redis", "cluster", "sentinel"]),
    ("failover", &["sentinel"]),
    ("handover", &["sentinel"]),
    ("deadlock", &["postgres"]),
    ("500, 503, SlowDown", &["s3"]),
    ("part dropped half-way", &["s3"]),
];

const HELD: &str = "held";
const FAILED: &str = "failed";

/// One fault of one backend, being tried.
#[derive(Debug)]
pub struct Trial {
    fault: &'static str,
    backend: &'static str,
    seed: u64,
}

/// What a trial saw, where it held.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    /// Writes that were acknowledged.
    pub acknowledged: u64,
    /// Writes of which nobody knew whether they happened.
    pub unknown: u64,
    /// Calls that failed without effect.
    pub refused: u64,
    /// From the server's return, or the wire's healing, to the first call that succeeded.
    pub recovery: Option<Duration>,
}

impl Trial {
    /// Begins a trial, with the seed of `LARDER_SEED` or else a new one, which it prints.
    ///
    /// # Panics
    /// Where there is no such cell in the table, it can't be written, or `LARDER_SEED` is no number.
    pub fn begin(fault: &'static str, backend: &'static str) -> Self {
        let is_expected = FAULTS.iter().any(|(name, backends)| *name == fault && backends.contains(&backend));
        assert!(is_expected, "the table of faults has no cell for {fault:?} of {backend:?}");
        let seed = match std::env::var("LARDER_SEED") {
            Ok(seed) => seed.parse().expect("LARDER_SEED is a number"),
            Err(_) => larder_core::Clock::now(&larder_core::SystemClock).0,
        };
        let trial = Self { fault, backend, seed };
        trial.write(FAILED, Figures::default());
        #[expect(clippy::print_stdout, reason = "the seed is needed to replay a trial")]
        {
            println!("{backend}: {fault}, LARDER_SEED={seed}");
        }
        trial
    }

    /// Decides everything that is drawn in the trial.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Ends a trial that held.
    ///
    /// # Panics
    /// Where the cell can't be written.
    pub fn held(self, figures: Figures) {
        self.write(HELD, figures);
    }

    fn write(&self, outcome: &str, figures: Figures) {
        let Self { fault, backend, seed } = self;
        let cell = json!({
            "fault": fault, "backend": backend, "outcome": outcome, "seed": seed,
            "acknowledged": figures.acknowledged, "unknown": figures.unknown, "refused": figures.refused,
            "recovery_ms": figures.recovery.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
        });
        let folder = folder();
        fs::create_dir_all(&folder).expect("the table's folder can be made");
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = format!("{fault} {backend}").chars().map(safe).collect();
        fs::write(folder.join(format!("{name}.json")), cell.to_string()).expect("a cell can be written");
    }
}

/// Where the cells are.
fn folder() -> PathBuf {
    crate::workspace_root().join("target").join("faults")
}

/// The cells of all trials.
#[derive(Debug)]
pub struct Table {
    cells: BTreeMap<(String, String), Value>,
}

impl Table {
    /// Reads every cell, and writes all of them to `target/faults.json`.
    ///
    /// # Errors
    /// What the file system says, and a file among the cells that is none.
    pub fn collect() -> io::Result<Self> {
        let mut cells = BTreeMap::new();
        for entry in fs::read_dir(folder())? {
            let path = entry?.path();
            let cell: Value = serde_json::from_slice(&fs::read(&path)?)?;
            let text = |name: &str| cell.get(name).and_then(Value::as_str).map(str::to_owned);
            let (Some(fault), Some(backend)) = (text("fault"), text("backend")) else {
                return Err(io::Error::other(format!("{} is no cell", path.display())));
            };
            cells.insert((fault, backend), cell);
        }
        let table = Self { cells };
        let all: Vec<&Value> = table.cells.values().collect();
        let json = json!({ "cells": all, "missing": table.missing(), "holds": table.holds() });
        fs::write(folder().with_extension("json"), serde_json::to_vec_pretty(&json)?)?;
        Ok(table)
    }

    /// Whether every cell is there and held.
    pub fn holds(&self) -> bool {
        self.missing().is_empty() && self.cells.values().all(|cell| outcome(cell) == HELD)
    }

    /// Cells that no trial has begun.
    fn missing(&self) -> Vec<String> {
        let all = FAULTS.iter().flat_map(|(fault, backends)| backends.iter().map(move |b| (*fault, *b)));
        let is_missing = |(fault, backend): &(&str, &str)| self.cell(fault, backend).is_none();
        all.filter(is_missing).map(|(fault, backend)| format!("{fault}: {backend}")).collect()
    }

    fn cell(&self, fault: &str, backend: &str) -> Option<&Value> {
        self.cells.get(&(fault.to_owned(), backend.to_owned()))
    }

    fn text(&self, fault: &str, backends: &[&str], backend: &str) -> String {
        match self.cell(fault, backend) {
            None if backends.contains(&backend) => "MISSING".to_owned(),
            None => "-".to_owned(),
            Some(cell) if outcome(cell) != HELD => "FAILED".to_owned(),
            Some(cell) => match cell.get("recovery_ms").and_then(Value::as_u64) {
                Some(ms) => format!("ok {}.{:02} s", ms / 1_000, ms % 1_000 / 10),
                None => "ok".to_owned(),
            },
        }
    }
}

fn outcome(cell: &Value) -> &str {
    cell.get("outcome").and_then(Value::as_str).unwrap_or(FAILED)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = FAULTS.iter().map(|(fault, _)| fault.len()).max().unwrap_or(0);
        let width = "ok 00.00 s".len();
        write!(f, "{:<first$}", "faults")?;
        for backend in BACKENDS {
            write!(f, "  {backend:<width$}")?;
        }
        writeln!(f)?;
        for (fault, backends) in FAULTS {
            write!(f, "{fault:<first$}")?;
            for backend in BACKENDS {
                write!(f, "  {:<width$}", self.text(fault, backends, backend))?;
            }
            writeln!(f)?;
        }
        writeln!(f, "(times: from the server's return to the first call that succeeded)")
    }
}
