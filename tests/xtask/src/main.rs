//! `cargo xtask`: builds, tests, measures and demonstrates larder, on any machine that has cargo.
//!
//! ```text
//! cargo xtask demo                  the main job: a crawl that is killed, resumed and has its backend swapped
//! cargo xtask test [SUITE…]         all suites, or the named ones
//! cargo xtask bench [NAME…]         all benches, or the named ones; --check holds them to their targets
//! cargo xtask fuzz TARGET           spoiled inputs for what reads untrusted ones, --iterations of them
//! cargo xtask plugins               builds the plugins into target/plugins
//! ```
//!
//! What is missing is installed, after one line that says so; with `--no-install` it is an error that
//! says what to type. Every cargo that is started here selects the whole workspace, so that all of them
//! agree on the features of dependencies and each is compiled once.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is a command, and this its output")]

mod bench;
mod cargo;
mod demo;
mod install;
mod plugins;
mod suites;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::suites::Suite;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Runs suites: all of them, or those that are named.
    Test {
        /// Which suites.
        suites: Vec<Suite>,
        #[command(flatten)]
        install: Install,
    },
    /// Measures in a release build and writes target/bench/NAME.json.
    Bench {
        /// Which benches; all where none is named.
        names: Vec<String>,
        /// Exit with 1 where a target does not hold.
        #[arg(long)]
        check: bool,
        /// Only show that they work: one short round, in the build of the tests.
        #[arg(long, conflicts_with = "check")]
        smoke: bool,
        #[command(flatten)]
        install: Install,
    },
    /// Crawls a real site, kills the crawler, resumes it, swaps its backend under load, checks everything.
    Demo {
        #[command(flatten)]
        install: Install,
    },
    /// Spoils inputs of a target that reads what is not trusted: components, answers, configurations.
    Fuzz {
        /// Which target.
        target: String,
        /// How many inputs. `LARDER_SEED` replays those of an earlier run.
        #[arg(long, default_value_t = 10_000)]
        iterations: u64,
        #[command(flatten)]
        install: Install,
    },
    /// Builds the plugins into target/plugins.
    Plugins {
        #[command(flatten)]
        install: Install,
    },
}

/// What to do about what is missing on this machine.
#[derive(Debug, Clone, Copy, Args)]
struct Install {
    /// Install nothing: fail with the commands to type instead.
    #[arg(long)]
    no_install: bool,
}

/// What a task ends with: an error is one text for a person.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Test { suites, install } => suites::run(&suites, install),
        Task::Bench { names, check, smoke, install } => bench::run(&names, check, smoke, install),
        Task::Demo { install } => demo::run(install),
        Task::Fuzz { target, iterations, install } => suites::fuzz(&target, iterations, install),
        Task::Plugins { install } => plugins::build(&[], install).map(|components| {
            components.iter().for_each(|component| println!("{}", component.display()));
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
