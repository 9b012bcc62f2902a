//! The suite `tidy`: its test binary, formatting, lints, documentation, licences and sources.

use super::{Tally, joined, runner};
use crate::{Outcome, cargo, install};

pub(super) fn run(tally: &mut Tally) -> Outcome {
    let mut failures = Vec::new();
    failures.extend(runner::binary("tidy", tally).err());
    let checks: [&[&str]; 5] = [
        &["fmt", "--all", "--check"],
        &["fmt", "--all", "--check", "--manifest-path", "plugins/Cargo.toml"],
        &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"],
        &[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--manifest-path",
            "plugins/Cargo.toml",
            "--",
            "-D",
            "warnings",
        ],
        &["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"],
    ];
    for check in checks {
        let outcome = cargo::run(cargo::cargo(check).env("RUSTDOCFLAGS", "-D warnings"));
        tally.count(outcome, &mut failures);
    }
    if install::has_cargo_deny() {
        let deny = ["deny", "--workspace", "check", "licenses", "bans", "sources"];
        tally.count(cargo::run(&mut cargo::cargo(&deny)), &mut failures);
    } else {
        println!(
            "cargo-deny is not installed, so only the tidy tests held the licences and sources of deny.toml; \
             for its other checks: cargo install cargo-deny --locked"
        );
    }
    joined(failures)
}
