//! `cargo xtask bench`: ours against a baseline, in a release build.

use std::process::Command;

use crate::{
    Install, Outcome, cargo,
    install::{self, Server},
    plugins,
};

/// What a bench needs besides itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Plugins,
    /// The `larder` command, which it measures.
    Command,
    Server(Server),
}

/// A bench, and what it needs.
type Bench = (&'static str, &'static [Need]);

/// Every bench.
const BENCHES: [Bench; 9] = [
    ("plugin-call", &[Need::Plugins]),
    ("plugin-load", &[Need::Plugins]),
    ("file-kv", &[]),
    ("blob-plugin", &[Need::Plugins]),
    ("swap-load", &[Need::Plugins]),
    ("redis-kv", &[Need::Server(Server::Redis)]),
    ("sql-kv", &[Need::Server(Server::Postgres)]),
    ("s3-blob", &[]),
    ("migrate", &[Need::Command, Need::Server(Server::Redis), Need::Server(Server::Postgres)]),
];

/// glibc before 2.38 on Zen processors copies 2 KiB to 512 KiB at 2 GB/s when addresses alias, which
/// then decides a figure by chance. Both sides of a ratio run with this, so neither gains.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=100000000";

/// Runs benches, all of them also where one fails.
///
/// # Errors
/// An unknown name; benches that failed, or missed a target where `check` is set.
pub(crate) fn run(names: &[String], check: bool, smoke: bool, install: Install) -> Outcome {
    let selected = select(names)?;
    let needs = |need: Need| selected.iter().any(|(_, needs)| needs.contains(&need));
    let servers: Vec<Server> =
        install::ALL_SERVERS.into_iter().filter(|server| needs(Need::Server(*server))).collect();
    install::servers(&servers, install)?;
    if needs(Need::Plugins) {
        plugins::build(&[], install)?;
    }
    if needs(Need::Command) {
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

fn select(names: &[String]) -> Outcome<Vec<Bench>> {
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
