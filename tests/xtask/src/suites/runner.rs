//! Suites that are test binaries: run by nextest, or by cargo where nextest is not to be had. What their
//! summaries say is counted.

use std::process::Command;

use super::{Tally, joined};
use crate::{
    Outcome,
    cargo::{self, Stream},
    install,
};

/// Tests beside the code, the plugins' own, and those in the documentation, which nextest can't run.
pub(super) fn unit(tally: &mut Tally) -> Outcome {
    let host = Tests {
        nextest: &["--workspace", "-E", "not (package(larder-tests) and kind(test))"],
        cargo: &["--workspace", "--lib", "--bins"],
    };
    let plugins = ["--manifest-path", "plugins/Cargo.toml", "--workspace"];
    let plugins = Tests { nextest: &plugins, cargo: &plugins };
    let mut failures = Vec::new();
    for tests in [host, plugins] {
        failures.extend(tests.run(tally).err());
    }
    let mut documentation = cargo::cargo(&["test", "--workspace", "--doc"]);
    failures.extend(counted(&mut documentation, Stream::Output, tally).err());
    joined(failures)
}

/// One test binary of `larder-tests`.
pub(super) fn binary(name: &str, tally: &mut Tally) -> Outcome {
    let filter = format!("package(larder-tests) and binary({name})");
    let tests = Tests { nextest: &["--workspace", "-E", &filter], cargo: &["--workspace", "--test", name] };
    tests.run(tally)
}

/// Which tests, in the words of either runner.
struct Tests<'a> {
    nextest: &'a [&'a str],
    cargo: &'a [&'a str],
}

impl Tests<'_> {
    fn run(&self, tally: &mut Tally) -> Outcome {
        if install::has_nextest() {
            let mut command = cargo::cargo(&["nextest", "run", "--no-fail-fast"]);
            return counted(command.args(self.nextest), Stream::Errors, tally);
        }
        let mut command = cargo::cargo(&["test", "--no-fail-fast"]);
        counted(command.args(self.cargo), Stream::Output, tally)
    }
}

/// Runs tests and adds what the summaries say.
fn counted(command: &mut Command, stream: Stream, tally: &mut Tally) -> Outcome {
    let mut seen = Tally::default();
    let outcome = cargo::run_reading(command, stream, &mut |line| {
        if let Some(found) = summary_line(line).or_else(|| result_line(line)) {
            seen.add(found);
        }
    });
    if outcome.is_err() && seen.failed == 0 {
        // It could not even begin: that is a failure too, and nothing that counts as none.
        seen.failed += 1;
    }
    tally.add(seen);
    outcome
}

/// `Summary [ 0.015s] 5 tests run: 4 passed (1 slow), 1 failed, 2 skipped`
fn summary_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.trim_start().strip_prefix("Summary [")?.split_once(" run: ")?;
    let number_of = |word: &str| {
        let part = counts.split(", ").find(|part| part.contains(word))?;
        part.split_whitespace().next()?.parse().ok()
    };
    let failed = ["failed", "timed out", "exec failed"].iter().filter_map(|word| number_of(word)).sum();
    Some(Tally { passed: number_of("passed").unwrap_or(0), failed })
}

/// `test result: ok. 3 passed; 0 failed; ...`
fn result_line(line: &str) -> Option<Tally> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number_of =
        |word: &str| counts.split("; ").find_map(|part| part.strip_suffix(word)?.trim().parse::<u64>().ok());
    Some(Tally { passed: number_of("passed")?, failed: number_of("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_nextest_are_read() {
        let all = "     Summary [   0.015s] 5 tests run: 5 passed, 0 skipped";
        assert_eq!(summary_line(all), Some(Tally { passed: 5, failed: 0 }));
        let some =
            "     Summary [  10.1s] 9/12 tests run: 6 passed (1 slow), 2 failed, 1 timed out, 3 skipped";
        assert_eq!(summary_line(some), Some(Tally { passed: 6, failed: 3 }));
        assert_eq!(summary_line("PASS [ 0.1s] something"), None);
    }

    #[test]
    fn results_of_cargo_test_are_read() {
        let line =
            "test result: ok. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.2s";
        assert_eq!(result_line(line), Some(Tally { passed: 3, failed: 1 }));
    }
}
