//! The process that the crash suite kills: `crash-worker BACKEND FOLDER SEED`.
//!
//! It opens the store, goes on in each lane where the store says it stopped, and prints
//! `LANE NUMBER` after each commit, once that is acknowledged and not before. It ends when it is killed. Where
//! a commit fails it prints `failed KIND` and, if the lane can still be read, `readable`, and ends with code 1.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use larder_core::{Error, KvStore, Result};
use larder_tests::crash::{Backend, LANES, Load, numbers};
use tokio::task::JoinSet;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    match work().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(std::io::stderr(), "{}", error.chain()));
            ExitCode::FAILURE
        }
    }
}

async fn work() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |name: &str| arguments.next().ok_or_else(|| Error::invalid(format!("{name} is missing")));
    let (backend, folder, seed) = (next("BACKEND")?, PathBuf::from(next("FOLDER")?), next("SEED")?);
    let seed = seed.parse().map_err(|_| Error::invalid("SEED is no number"))?;
    let store = Backend::named(&backend)?.open(&folder).await?;
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
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush())
        .map_err(|cause| Error::invalid("nobody listens").caused_by(cause))
}
