//! Keeping the index: building it where it is not whole, and ridding it of what has expired.
//!
//! Every commit keeps the index itself, and scans drop what is gone from it. What neither can do is to notice a key
//! that is *missing*: somebody deleted the index, or it was evicted, or the store has only just been given a prefix
//! under which others had written. So the index carries a mark that it is whole, scans go by it, and where it is
//! missing the server is walked through once, in small steps and in the background, while scans wait.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use larder_core::{Error, ErrorKind, Key, Result};
use redis::{Value, cmd};
use tokio::task::AbortHandle;

use super::{
    commit::write_now,
    error::{self, Fault, Intent},
    store::Core,
};

/// How many keys the server looks at in one step of a walk: some tenths of a millisecond.
const WALK_STEP: u32 = 1_000;

/// Most rows in one step of a sweep.
const SWEEP_STEP: u32 = 1_000;

/// How often a walk begins again when the server changes meanwhile, or the index is lost again.
const WALKS_MAX: u32 = 5;

type Walk = Shared<BoxFuture<'static, Result<(), Arc<Error>>>>;

/// The walk that is under way, if one is. Dropped, it ends.
#[derive(Default)]
pub(super) struct Repair(Mutex<Option<(Walk, Owned)>>);

/// A task that ends with its owner.
pub(super) struct Owned(AbortHandle);

impl Drop for Owned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Repair {
    /// Returns once the index is whole, after walking through the server where that is needed. All who wait, wait for
    /// the same walk; it goes on when they give up.
    pub(super) async fn done(&self, core: &Arc<Core>) -> Result<()> {
        let walk = self.begin(core);
        walk.await.map_err(|error| error::copy(&error))
    }

    /// Begins a walk, if none is under way.
    pub(super) fn begin(&self, core: &Arc<Core>) -> Walk {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that failed when nobody waited is not what somebody who waits now is told.
        if let Some((walk, task)) = current.as_ref()
            && !task.0.is_finished()
        {
            return walk.clone();
        }
        let core = core.clone();
        let task = tokio::spawn(async move { build(&core).await });
        let owned = Owned(task.abort_handle());
        let walk = async move {
            match task.await {
                Ok(built) => built.map_err(Arc::new),
                Err(_) => Err(Arc::new(Error::new(ErrorKind::Unavailable, "the store is being closed"))),
            }
        };
        let walk = walk.boxed().shared();
        *current = Some((walk.clone(), owned));
        walk
    }
}

/// Walks through the server and indexes every entry, until the index is whole.
async fn build(core: &Core) -> Result<()> {
    for _ in 0..WALKS_MAX {
        let mark = step(core, &["begin", &format!("-{}", core.versions.next().0 >> 12)]).await?;
        if mark == "0" {
            return Ok(());
        }
        let number = core.link.number();
        let found = walk(core).await?;
        // Another server has another order of keys: what was seen of both is not all of either.
        if number.is_some() && core.link.number() == number && step(core, &["finish", &mark]).await? == "0" {
            tracing::info!(entries = found, "the index of a Redis store was built");
            return Ok(());
        }
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        "the index is lost, or the server changes, each time it is being built",
    ))
}

async fn walk(core: &Core) -> Result<u64> {
    let pattern = core.layout.pattern();
    let (mut cursor, mut found) = ("0".to_owned(), 0);
    loop {
        let mut command = cmd("SCAN");
        command.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(WALK_STEP).arg("TYPE").arg("string");
        let answer = core.link.call(&command).await.map_err(|fault| fault.into_error(Intent::Read))?;
        let (next, names) = scanned(answer).ok_or_else(strange)?;
        let is_entry =
            |name: &String| name.strip_prefix(&core.layout.entries).is_some_and(|key| Key::new(key).is_ok());
        let names: Vec<&str> = names.iter().filter(|name| is_entry(name)).map(String::as_str).collect();
        if !names.is_empty() {
            found += names.len() as u64;
            let mut arguments = vec!["add", core.layout.entries.as_str()];
            arguments.extend(names);
            step(core, &arguments).await?;
        }
        if next == "0" {
            return Ok(found);
        }
        cursor = next;
    }
}

/// Cursor and names; names that are no UTF-8 are nobody's entries.
fn scanned(answer: Value) -> Option<(String, Vec<String>)> {
    let Value::Array(parts) = answer else { return None };
    let [Value::BulkString(cursor), Value::Array(names)] = <[Value; 2]>::try_from(parts).ok()? else {
        return None;
    };
    let text = |value| match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    Some((String::from_utf8(cursor).ok()?, names.into_iter().filter_map(text).collect()))
}

/// Runs a step of `index.lua`; answers the mark.
async fn step(core: &Core, arguments: &[&str]) -> Result<String> {
    let run = core.link.run(&core.scripts.index, |command| {
        let layout = &core.layout;
        command.arg(3).arg(&layout.index).arg(&layout.expiries).arg(&layout.scratch).arg(arguments);
    });
    // Nothing that a caller would miss is written, so nothing is in doubt.
    match run.await.map_err(|fault| fault.into_error(Intent::Read))? {
        Value::BulkString(mark) => String::from_utf8(mark).map_err(|_| strange()),
        // The index was lost between two steps.
        Value::Nil => Ok(String::new()),
        _ => Err(strange()),
    }
}

/// Rids the index of what has expired, again and again, for as long as the store is there.
pub(super) fn sweeper(core: &Arc<Core>, every: Duration) -> Owned {
    let core = Arc::downgrade(core);
    Owned(tokio::spawn(sweep_again_and_again(core, every)).abort_handle())
}

async fn sweep_again_and_again(core: Weak<Core>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(core) = core.upgrade() else { return };
        match sweep(&core).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(rows, "expired entries were taken out of the index of a Redis store"),
            Err(error) => tracing::debug!(error = error.chain(), "a sweep failed; the next one goes on"),
        }
    }
}

/// Removes all rows that are due, in steps that each hold the server for a moment only.
pub(super) async fn sweep(core: &Core) -> Result<u64> {
    let mut rows = 0;
    loop {
        let run = core.link.run(&core.scripts.sweep, |command| {
            command.arg(2).arg(&core.layout.index).arg(&core.layout.expiries).arg(&core.layout.entries);
            write_now(command, core.now());
            command.arg(SWEEP_STEP);
        });
        let Value::Int(due) = run.await.map_err(|fault| fault.into_error(Intent::Read))? else {
            return Err(strange());
        };
        let due = u64::try_from(due).unwrap_or(0);
        rows += due;
        if due < u64::from(SWEEP_STEP) {
            return Ok(rows);
        }
    }
}

fn strange() -> Error {
    Fault::Strange("of the index").into_error(Intent::Read)
}
