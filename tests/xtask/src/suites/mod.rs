//! `cargo xtask test`: every suite, in an order in which the quick and telling ones come first, all of
//! them also where one fails, and a closing line for each.
//!
//! No suite is skipped in silence: one that can't run has failed.

mod checks;
mod conformance;
mod examples;
mod javascript;
mod python;
mod runner;
mod tables;

use std::process::Command;

use clap::ValueEnum;

use crate::{
    Install, Outcome, bench, cargo,
    install::{self, Server},
    plugins,
};

/// A suite, by the name that is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Tests beside the code they test, of host, SDK and plugins, and the examples in the documentation.
    Unit,
    /// The contract over every backend and plugin; ends with a table, also in target/conformance.json.
    Conformance,
    /// Plugins through the host: loading, calling, swapping, and what hostile ones try; ends with a table of attacks, also in
    /// target/attacks.json.
    Plugins,
    /// The Python SDK and the plugins in Python, natively.
    Python,
    /// Broken files, killed servers, bad networks; ends with a table, also in target/faults.json.
    Faults,
    /// What object stores do beyond the contract, on a server that fails by script.
    Objects,
    /// Processes killed at random moments.
    Crash,
    /// The `larder` command.
    Cli,
    /// The SDK for JavaScript, its types against the contract, and the plugins written in it, on node.
    Javascript,
    /// The shape of the repository: imports, sizes, licences; formatting, lints, documentation.
    Tidy,
    /// Each bench once, briefly: that it works, not what it measures.
    Benches,
    /// Every example, and the demo.
    Examples,
}

/// How a suite ended.
struct Ended {
    suite: Suite,
    tally: Tally,
    failure: Option<String>,
}

/// Tests that passed and failed, as far as a suite counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// Counts one thing that passed or failed, and hands its failure on.
    fn count(&mut self, outcome: Outcome, failures: &mut Vec<String>) {
        match outcome {
            Ok(()) => self.passed += 1,
            Err(why) => {
                self.failed += 1;
                failures.push(why);
            }
        }
    }
}

/// Runs suites; all of them where none is named.
///
/// # Errors
/// Which suites failed, and what could not be installed or built.
pub(crate) fn run(named: &[Suite], install: Install) -> Outcome {
    let suites: Vec<Suite> =
        Suite::value_variants().iter().copied().filter(|s| named.is_empty() || named.contains(s)).collect();
    if suites.iter().any(|suite| suite.is_of_nextest()) {
        install::nextest(install)?;
    }
    let servers: Vec<Server> =
        install::ALL_SERVERS.into_iter().filter(|s| suites.iter().any(|suite| suite.starts(*s))).collect();
    install::servers(&servers, install)?;
    if suites == [Suite::Javascript] {
        install::node(install)?;
    } else if suites.iter().any(|suite| !matches!(suite, Suite::Tidy | Suite::Python)) {
        plugins::build(&[], install)?;
        // Everything once, before any suite: the command and the benches are no test's dependency.
        cargo::run(&mut cargo::cargo(&["build", "--workspace", "--all-targets"]))?;
    }
    let ended: Vec<Ended> = suites.into_iter().map(|suite| run_one(suite, install)).collect();
    println!();
    for Ended { suite, tally, failure } in &ended {
        let mark = if failure.is_some() { "  FAILED" } else { "" };
        println!("{}: {} passed, {} failed{mark}", suite.name(), tally.passed, tally.failed);
    }
    let failures: Vec<String> =
        ended.iter().filter_map(|e| Some(format!("{}: {}", e.suite.name(), e.failure.as_ref()?))).collect();
    if failures.is_empty() { Ok(()) } else { Err(format!("suites failed\n{}", failures.join("\n"))) }
}

/// Spoils inputs of a target, in the build of the tests.
///
/// # Errors
/// An input that the target could not bear, an unknown target, what could not be built.
pub(crate) fn fuzz(target: &str, iterations: u64, install: Install) -> Outcome {
    plugins::build(&[], install)?;
    cargo::run(&mut cargo::cargo(&["build", "--workspace", "--bin", "fuzz"]))?;
    cargo::run(Command::new(cargo::binary("fuzz")).args([target, &iterations.to_string()]))
}

fn run_one(suite: Suite, install: Install) -> Ended {
    println!("\n=== {}", suite.name());
    let mut tally = Tally::default();
    let outcome = match suite {
        Suite::Unit => runner::unit(&mut tally),
        Suite::Conformance => conformance::run(&mut tally),
        Suite::Faults => tables::run(&suite.name(), "faults", &mut tally),
        Suite::Plugins => tables::run(&suite.name(), "attacks", &mut tally),
        Suite::Objects | Suite::Crash | Suite::Cli => runner::binary(&suite.name(), &mut tally),
        Suite::Python => python::run(&mut tally, install),
        Suite::Javascript => javascript::run(&mut tally),
        Suite::Tidy => checks::run(&mut tally),
        Suite::Benches => {
            let outcome = bench::run(&[], false, true, install);
            let mut failures = Vec::new();
            tally.count(outcome, &mut failures);
            joined(failures)
        }
        Suite::Examples => examples::run(&mut tally, install),
    };
    Ended { suite, tally, failure: outcome.err() }
}

impl Suite {
    /// Whether its tests start this server.
    fn starts(self, server: Server) -> bool {
        match self {
            Self::Conformance => true,
            Self::Cli => !matches!(server, Server::Moto | Server::Etcd),
            Self::Faults | Self::Benches => matches!(server, Server::Redis | Server::Postgres),
            Self::Plugins => matches!(server, Server::Memcached | Server::Etcd),
            Self::Unit
            | Self::Python
            | Self::Objects
            | Self::Crash
            | Self::Javascript
            | Self::Tidy
            | Self::Examples => false,
        }
    }

    fn is_of_nextest(self) -> bool {
        !matches!(self, Self::Examples | Self::Benches | Self::Javascript)
    }

    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

fn joined(failures: Vec<String>) -> Outcome {
    if failures.is_empty() { Ok(()) } else { Err(failures.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test binary was written that no suite ran, and `cargo xtask test` was green over them.
    #[test]
    fn every_test_binary_is_a_suite() {
        let manifest = std::fs::read_to_string(cargo::root().join("tests").join("Cargo.toml")).unwrap();
        let sections = manifest.split("[[test]]").skip(1);
        for section in sections {
            let name = section.split('"').nth(1).unwrap();
            assert!(Suite::from_str(name, false).is_ok(), "no suite runs the test binary `{name}`");
        }
    }
}
