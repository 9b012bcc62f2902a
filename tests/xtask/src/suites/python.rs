//! The suite `python`: what is written in Python, by pytest: the SDK, and whether its stubs are what the contract says;
//! the plugins; and the templates of new projects are tested where they are built, in the suite `cli`.

use std::process::Command;

use larder_guests::python;

use super::{Tally, joined};
use crate::{
    Install, Outcome,
    cargo::{self, Stream},
    install,
};

pub(super) fn run(tally: &mut Tally, install: Install) -> Outcome {
    install::python(install)?;
    let plugins = python::plugins(&cargo::root())?;
    let folders = plugins.into_iter().map(|(name, _)| format!("plugins/{name}"));
    let mut failures = Vec::new();
    for folder in std::iter::once("sdk/python".to_owned()).chain(folders) {
        failures.extend(tests(&folder, tally).err());
    }
    joined(failures)
}

/// The tests of one folder, which has a `pyproject.toml` that says where they are.
fn tests(folder: &str, tally: &mut Tally) -> Outcome {
    let mut pytest = Command::new(cargo::root().join(python::VENV).join("bin/pytest"));
    pytest.current_dir(cargo::root().join(folder)).args(["-p", "no:cacheprovider", "-q"]);
    let mut seen = Tally::default();
    let outcome =
        cargo::run_reading(pytest.env("PYTHONDONTWRITEBYTECODE", "1"), Stream::Output, &mut |line| {
            if let Some(found) = summary(line) {
                seen.add(found);
            }
        });
    if outcome.is_err() && seen.failed == 0 {
        seen.failed += 1;
    }
    tally.add(seen);
    outcome
}

/// `1 failed, 22 passed in 1.01s`
fn summary(line: &str) -> Option<Tally> {
    let (counts, _) = line.rsplit_once(" in ")?;
    let number_of = |word: &str| {
        let part = counts.split(", ").find(|part| part.ends_with(word))?;
        part.split_whitespace().next()?.parse::<u64>().ok()
    };
    let (passed, failed) = (number_of("passed"), number_of("failed"));
    let errors = number_of("error").or_else(|| number_of("errors"));
    passed.or(failed).or(errors)?;
    Some(Tally { passed: passed.unwrap_or(0), failed: failed.unwrap_or(0) + errors.unwrap_or(0) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_pytest_are_read() {
        assert_eq!(summary("22 passed in 1.01s"), Some(Tally { passed: 22, failed: 0 }));
        assert_eq!(summary("1 failed, 2 passed, 1 error in 0.1s"), Some(Tally { passed: 2, failed: 2 }));
        assert_eq!(summary("collected in order"), None);
    }
}
