//! Files: one thing each, called after it, of a length that a person reads.

use crate::source::{files, rust_files};

/// A file of more lines of code than this holds two things.
const CODE_LINES_MAX: usize = 500;

/// Tests of more lines than this live in a sibling `tests.rs`.
const INLINE_TEST_LINES_MAX: usize = 150;

/// Names that say nothing about what is in a file.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "common", "helpers", "helper", "misc", "stuff", "shared"];

/// The line that begins a test module inside a file.
const TESTS: &str = "#[cfg(test)]\nmod tests {";

/// Lines that are neither blank nor comments.
fn code_lines(text: &str) -> usize {
    let code = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.count()
}

#[test]
fn no_file_holds_more_code_than_a_person_reads() {
    for file in rust_files() {
        let code = file.text.split(TESTS).next().unwrap_or_default();
        let lines = code_lines(code);
        assert!(
            lines <= CODE_LINES_MAX,
            "{} has {lines} lines of code: what are the two things in it?",
            file.path
        );
    }
}

#[test]
fn long_tests_live_beside_the_file_that_they_test() {
    for file in rust_files() {
        let Some((_, tests)) = file.text.split_once(TESTS) else { continue };
        let lines = tests.lines().count();
        assert!(lines <= INLINE_TEST_LINES_MAX, "{}: {lines} lines of tests belong into tests.rs", file.path);
    }
}

#[test]
fn every_file_and_folder_is_called_after_what_is_in_it() {
    for file in rust_files() {
        for name in file.path.trim_end_matches(".rs").split('/') {
            let is_version = name.rsplit_once("_v").is_some_and(|(_, v)| v.parse::<u32>().is_ok());
            assert!(!EMPTY_NAMES.contains(&name) && !is_version, "{}: `{name}` says nothing", file.path);
        }
    }
}

#[test]
fn every_module_opens_with_prose() {
    for file in rust_files() {
        let first = file.text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let opens = first.starts_with("//!") || file.path.ends_with("/tests.rs");
        assert!(opens, "{} does not say what it is", file.path);
    }
}

#[test]
fn nothing_names_a_folder_of_the_machine_that_it_was_written_on() {
    // Put together, so that this file does not name them.
    let folders =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]].map(|parts| parts.concat());
    for file in files() {
        for folder in &folders {
            assert!(!file.text.contains(folder.as_str()), "{} names {folder}", file.path);
        }
    }
}

#[test]
fn nothing_is_left_to_be_done_later_in_silence() {
    let marks = [["TO", "DO"], ["FIX", "ME"], ["XX", "X"]].map(|parts| parts.concat());
    for file in rust_files() {
        for mark in &marks {
            let found = file.text.lines().find(|line| line.contains(&format!("// {mark}")));
            assert!(found.is_none(), "{}: {}", file.path, found.unwrap_or_default());
        }
    }
}
