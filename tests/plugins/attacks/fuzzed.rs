//! The targets of the fuzzer, briefly; `cargo xtask fuzz` runs them for longer.

use larder_tests::{
    attacks::Attack,
    fuzz::{Tally, Target, seed},
};

fn run(row: &'static str, target: Target, iterations: u64) -> Tally {
    let attack = Attack::begin(row);
    let tally = target.run(seed(), iterations);
    assert!(tally.refused > 0, "nothing was spoiled: {tally:?}");
    attack.held();
    tally
}

#[test]
fn spoiled_components_are_refused_or_read() {
    run("fuzzed components", Target::Components, 200);
}

#[test]
fn spoiled_code_answers_nothing_that_is_followed() {
    run("fuzzed answers", Target::Answers, 20);
}

#[test]
fn spoiled_configurations_are_refused_or_planned() {
    let tally = run("fuzzed configurations", Target::Configurations, 2_000);
    assert!(tally.accepted > 0, "nothing but noise was tried: {tally:?}");
}
