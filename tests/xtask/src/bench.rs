//! `cargo xtask bench`: ours against a baseline, in a release build.

use std::process::Command;

use crate::{Install, Outcome, cargo, plugins};

/// Every bench, and whether it needs the plugins.
const BENCHES: [(&str, bool); 7] = [
    ("plugin-call", true),
    ("file-kv", false),
    ("blob-plugin", true),
    ("redis-kv", false),
    ("sql-kv", false),
    ("s3-blob", false),
    ("migrate", false),
];

/// The bench that measures the `larder` command itself, which has to be there.
const OF_THE_COMMAND: &str = "migrate";

/// glibc before 2.38 on Zen processors copies 2 KiB to 512 KiB at 2 GB/s when addresses alias, which
/// then decides a figure by chance. Both sides of a ratio run with this, so neither gains.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=100000000";

/// Runs benches, all of them also where one fails.
///
/// # Errors
/// An unknown name; benches that failed, or missed a target where `check` is set.
pub(crate) fn run(names: &[String], check: bool, smoke: bool, install: Install) -> Outcome {
    let selected = select(names)?;
    if selected.iter().any(|(_, needs_plugins)| *needs_plugins) {
        plugins::build(&[], install)?;
    }
    if selected.iter().any(|(name, _)| *name == OF_THE_COMMAND) {
        let mut build = cargo::cargo(&["build", "--quiet", "--workspace", "--bin", "larder"]);
        build.args((!smoke).then_some("--release"));
        cargo::run(&mut build)?;
    }
    let mut failed = Vec::new();
    for (name, _) in selected {
        if let Err(why) = cargo::run(&mut command(name, check, smoke)) {
            failed.push(why);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n")) }
}

fn select(names: &[String]) -> Outcome<Vec<(&'static str, bool)>> {
    if names.is_empty() {
        return Ok(BENCHES.to_vec());
    }
    let known: Vec<&str> = BENCHES.iter().map(|(name, _)| *name).collect();
    let find = |name: &String| BENCHES.iter().find(|(known, _)| known == name).copied();
    names
        .iter()
        .map(|name| find(name).ok_or_else(|| format!("no bench `{name}`; there are {}", known.join(", "))))
        .collect()
}

fn command(name: &str, check: bool, smoke: bool) -> Command {
    let mut command = cargo::cargo(&["bench", "--quiet", "--workspace", "--bench", name]);
    if smoke {
        // The profile of the tests: a smoke run compiles nothing anew.
        command.args(["--profile", "dev"]);
    }
    command.arg("--");
    command.args(check.then_some("--check")).args(smoke.then_some("--smoke"));
    let tunables =
        std::env::var("GLIBC_TUNABLES").map_or(TUNABLES.to_owned(), |set| format!("{set}:{TUNABLES}"));
    command.env("GLIBC_TUNABLES", tunables);
    command
}
