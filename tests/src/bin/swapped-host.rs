//! A program that keeps a host open and calls a store of it without a pause, while others swap its plugins: for the tests of
//! `larder plugin swap`. Its argument is a configuration with a key-value store `data`.
//!
//! It says `ready` once it calls, and ends when its input does: with a line that counts its calls and those that failed.

use std::{
    io::{Read as _, Write as _},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use larder::{Config, Host, Kv, Result};

/// How many callers there are.
const CALLERS: usize = 2;

#[derive(Default)]
struct Calls {
    stop: AtomicBool,
    done: AtomicU64,
    failed: AtomicU64,
}

fn main() -> ExitCode {
    let file = std::env::args().nth(1).unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(run(&file))) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => complain(&error.chain()),
        Err(error) => complain(&error.to_string()),
    }
}

#[expect(clippy::print_stderr, reason = "a program of its own")]
fn complain(why: &str) -> ExitCode {
    eprintln!("{why}");
    ExitCode::FAILURE
}

async fn run(file: &str) -> Result<()> {
    let host = Host::open(Config::load(file)?.plan()?).await?;
    let calls = Arc::new(Calls::default());
    let mut callers = tokio::task::JoinSet::new();
    for number in 0..CALLERS {
        callers.spawn(call(host.kv("data")?, format!("caller-{number}"), Arc::clone(&calls)));
    }
    while calls.done.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    say("ready");
    let ended = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await;
    calls.stop.store(true, Ordering::Relaxed);
    callers.join_all().await;
    if !matches!(ended, Ok(Ok(_))) {
        say("the input broke");
    }
    let (done, failed) = (calls.done.load(Ordering::Relaxed), calls.failed.load(Ordering::Relaxed));
    host.close().await?;
    say(&format!("calls {done} failed {failed}"));
    Ok(())
}

async fn call(kv: Kv, key: String, calls: Arc<Calls>) {
    let mut number = 0_u64;
    while !calls.stop.load(Ordering::Relaxed) {
        number += 1;
        let written = kv.set(&key, &number).await;
        let read = kv.get::<u64>(&key).await;
        let right = written.is_ok() && read.is_ok_and(|read| read == Some(number));
        if !right {
            calls.failed.fetch_add(1, Ordering::Relaxed);
        }
        calls.done.fetch_add(1, Ordering::Relaxed);
        tokio::task::yield_now().await;
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        // Whoever started this is gone.
        std::process::exit(1);
    }
}
