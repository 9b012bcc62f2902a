//! `larder migrate` as a process that is watched step by step, killed after one of them, and begun again.
//!
//! A step is a line of the command's log: a batch or a blob that is in the target, a range or a blob that is compared. So
//! moments are drawn in steps, and follow the work and not the speed of the machine.

use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use crate::{bench::Stopwatch, larder_binary};

/// What the log has to say of, and nothing else.
const LOG: &str = "larder::migrate=debug";

/// How a run of the command ended.
#[derive(Debug)]
pub struct Migration {
    /// Its exit code; none where it was killed.
    pub code: Option<i32>,
    /// What it printed.
    pub out: String,
    /// What it said on standard error, the steps left out.
    pub err: String,
    /// How many steps it came.
    pub steps: u64,
    /// The largest resident memory that it had had at each step, in bytes; 0 where the system does not tell.
    pub memory_bytes: Vec<u64>,
    /// How long it ran.
    pub time: Duration,
}

/// Runs `larder migrate` in a folder with `variables`; with `steps_max` it is killed with SIGKILL after so many steps.
///
/// # Panics
/// Where the command can't be started.
pub fn migrate(
    folder: &Path,
    variables: &[(&str, &str)],
    arguments: &[&str],
    steps_max: Option<u64>,
) -> Migration {
    let watch = Stopwatch::start();
    let mut child = Command::new(larder_binary())
        .arg("migrate")
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .env("LARDER_LOG", LOG)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut out = child.stdout.take().expect("it is piped");
    let printed = thread::spawn(move || {
        let mut text = String::new();
        // A killed process leaves what it printed, whole lines or not.
        out.read_to_string(&mut text).unwrap_or_default();
        text
    });
    let errors = BufReader::new(child.stderr.take().expect("it is piped"));
    let (mut err, mut steps, mut memory_bytes) = (String::new(), 0, Vec::new());
    for line in errors.lines() {
        let Ok(line) = line else { break };
        if !line.contains("DEBUG") {
            err.push_str(&line);
            err.push('\n');
            continue;
        }
        steps += 1;
        memory_bytes.push(resident_bytes_peak(child.id()));
        if steps_max == Some(steps) {
            child.kill().expect("it runs");
        }
    }
    let status = child.wait().expect("it ends");
    let out = printed.join().expect("the reader ends with the pipe");
    Migration { code: status.code(), out, err, steps, memory_bytes, time: watch.elapsed() }
}

impl Migration {
    /// The largest resident memory that it had, in bytes.
    pub fn memory_bytes_peak(&self) -> u64 {
        self.memory_bytes.iter().copied().max().unwrap_or_default()
    }

    /// How much of it came after a quarter of the steps: what grows with the store and is no cache that fills.
    pub fn memory_bytes_grown(&self) -> u64 {
        let quarter = self.memory_bytes.get(self.memory_bytes.len() / 4).copied().unwrap_or_default();
        self.memory_bytes_peak().saturating_sub(quarter)
    }
}

/// The high-water mark of a process's memory, as Linux tells it.
fn resident_bytes_peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() << 10
}
