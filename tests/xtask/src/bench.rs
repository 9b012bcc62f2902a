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

/// Runs benches, all of them also where one fails.
///
/// # Errors
/// An unknown name; benches that failed, or missed a target where `check` is set.
pub(crate) fn run(names: &[String], check: bool, smoke: bool, install: Install) -> Outcome {
    let selected = select(names)?;
    if selected.iter().any(|(_, needs_plugins)| *needs_plugins) {
        plugins::build(&[], install)?;
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
