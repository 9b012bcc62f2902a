//! The process that the suite kills: this very test binary, told to run the one test `worker`. (A binary
//! of its own would be linked, with all of wasmtime, for every bench of this package, too.)
//!
//! It opens the store, goes on in each lane where the store says it stopped, and prints
//! `LANE NUMBER` after each commit, once that is acknowledged and not before. It ends when it is killed. Where
//! a commit fails it prints `failed KIND` and, if the lane can still be read, `readable`, and fails.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use larder_core::{Error, KvStore, Result};
use larder_tests::crash::{Backend, LANES, Load, numbers};
use tokio::task::JoinSet;

use super::{SEED, number};

/// Names the backend to the worker.
pub(super) const BACKEND: &str = "LARDER_CRASH_BACKEND";

/// Names the store's folder to the worker.
pub(super) const FOLDER: &str = "LARDER_CRASH_FOLDER";

/// A worker that is yet to be started, as the arguments of `program`, which runs them as a command.
pub(super) fn command(program: Option<(&str, &[&str])>, backend: &str, folder: &Path, seed: u64) -> Command {
    command_of("worker::worker", program, backend, folder, seed)
}

/// The same for another test that is a worker.
pub(super) fn command_of(
    test: &str,
    program: Option<(&str, &[&str])>,
    backend: &str,
    folder: &Path,
    seed: u64,
) -> Command {
    let binary = std::env::current_exe().unwrap();
    let mut command = match program {
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments).arg(binary);
            command
        }
        None => Command::new(binary),
    };
    command
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .envs([(BACKEND, backend), (SEED, &seed.to_string())])
        .env(FOLDER, folder);
    command
}

#[test]
#[ignore = "no test: the process that the suite starts and kills"]
fn worker() {
    let (Ok(backend), Some(folder), Some(seed)) =
        (std::env::var(BACKEND), std::env::var_os(FOLDER).map(PathBuf::from), number(SEED))
    else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Err(error) = runtime.block_on(work(&backend, &folder, seed)) {
        panic!("{}", error.chain());
    }
}

async fn work(backend: &str, folder: &Path, seed: u64) -> Result<()> {
    let store = Backend::named(backend)?.open(folder).await?;
    say("open")?;
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        lanes.spawn(write(store.clone(), Load { seed }, lane));
    }
    while let Some(ended) = lanes.join_next().await {
        ended.map_err(|error| Error::invalid("a lane panicked").caused_by(error))??;
    }
    Ok(())
}

async fn write(store: Arc<dyn KvStore>, load: Load, lane: u64) -> Result<()> {
    let mut number = numbers(&*store, lane).await?;
    loop {
        number += 1;
        if let Err(error) = store.commit(&load.commit(lane, number)).await {
            say(&format!("failed {}", error.kind()))?;
            numbers(&*store, lane).await?;
            say("readable")?;
            return Err(error);
        }
        say(&format!("{lane} {number}"))?;
    }
}

/// One line, in one write, so that a kill can't tear it.
pub(super) fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush())
        .map_err(|cause| Error::invalid("nobody listens").caused_by(cause))
}
