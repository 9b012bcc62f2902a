//! The crawler as a child process, and the events it prints.

use std::{
    io::{BufRead, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde::Deserialize;

use super::Tree;
use crate::{Outcome, cargo};

/// What the crawler tells, a line of JSON each.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Event {
    Started { resumed: bool, pages: u64 },
    Pages { pages: u64 },
    Swapped { in_flight: u64 },
    Finished {},
}

/// A running crawler. One that is dropped before its end is killed, so that none stays behind.
pub(super) struct Crawler {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Crawler {
    pub(super) fn start(folder: &Path, tree: &Tree, arguments: &[&str]) -> Outcome<Self> {
        let mut command = Command::new(cargo::binary("larder-fetcher"));
        command.arg("--config").arg(folder.join("larder.yaml"));
        command.arg("--tree").arg(&tree.folder).arg("--start").arg(&tree.start);
        command.arg("--events").args(arguments).stdout(Stdio::piped());
        // That no digest is pinned is meant: it is to be replaced by another build.
        command.env("RUST_LOG", "error");
        let mut child = command.spawn().map_err(|error| format!("larder-fetcher: {error}"))?;
        let stdout = child.stdout.take().ok_or("larder-fetcher has no output")?;
        Ok(Self { child, lines: BufReader::new(stdout).lines() })
    }

    /// The next event, or none once the crawler has closed its output.
    pub(super) fn next_event(&mut self) -> Outcome<Option<Event>> {
        let Some(line) = self.lines.next() else { return Ok(None) };
        let line = line.map_err(|error| format!("larder-fetcher: {error}"))?;
        serde_json::from_str(&line).map(Some).map_err(|error| format!("larder-fetcher said {line}: {error}"))
    }

    /// Kills it with SIGKILL, and makes sure that this is what it died of.
    pub(super) fn kill(mut self) -> Outcome {
        self.child.kill().map_err(|error| format!("larder-fetcher could not be killed: {error}"))?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        #[cfg(unix)]
        {
            use std::os::unix::process::ExitStatusExt;
            if status.signal() != Some(9) {
                return Err(format!("larder-fetcher ended by itself before it was killed: {status}"));
            }
        }
        if status.success() { Err("larder-fetcher ended before it was killed".to_owned()) } else { Ok(()) }
    }

    /// Waits for its end, which must be a good one.
    pub(super) fn finish(mut self) -> Outcome {
        let status = self.child.wait().map_err(|error| error.to_string())?;
        if status.success() { Ok(()) } else { Err(format!("larder-fetcher: {status}")) }
    }
}

impl Drop for Crawler {
    fn drop(&mut self) {
        // Both fail where it has ended already, and that is what is wanted.
        if self.child.kill().is_ok() {
            self.child.wait().ok();
        }
    }
}
