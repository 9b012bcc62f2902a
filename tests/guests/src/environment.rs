//! What the inner cargo may know of the outer one: where the registry and its settings are, and nothing else.
//!
//! A leak is not harmless: `CARGO_ENCODED_RUSTFLAGS` beats every other source of flags, `RUSTC_WRAPPER` and
//! instrumentation flags would rebuild std, `CARGO_TARGET_DIR` would wait for the outer cargo's lock for ever.

use std::{env, process::Command};

/// Kept although they begin with `CARGO`.
const KEPT: [&str; 4] = ["CARGO_HOME", "CARGO_MAKEFLAGS", "CARGO_TERM_COLOR", "CARGO_NET_OFFLINE"];

/// Kept by how they begin.
const KEPT_PREFIXES: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTR", "CARGO_SOURCE_"];

/// Dropped although they don't begin like one of [`DROPPED_PREFIXES`].
const DROPPED: [&str; 13] = [
    "RUSTC",
    "RUSTFLAGS",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "TARGET",
    "HOST",
    "OUT_DIR",
    "PROFILE",
    "OPT_LEVEL",
    "DEBUG",
    "NUM_JOBS",
    "LLVM_PROFILE_FILE",
    "LD_LIBRARY_PATH",
];

/// Dropped by how they begin.
const DROPPED_PREFIXES: [&str; 6] = ["CARGO", "RUSTC_", "DEP_", "__CARGO", "MIRI_", "NEXTEST"];

/// Takes from a command what the outer cargo, or the user for the host's build, put into the environment.
pub fn clean(command: &mut Command) {
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| !is_kept(name)) {
            command.env_remove(name);
        }
    }
}

fn is_kept(name: &str) -> bool {
    if KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
        return true;
    }
    !DROPPED.contains(&name) && !DROPPED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_folders_of_the_outer_build_are_dropped() {
        for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER", "CARGO"] {
            assert!(!is_kept(name), "{name}");
        }
    }

    #[test]
    fn the_registry_stays_reachable() {
        for name in
            ["PATH", "HOME", "CARGO_HOME", "CARGO_REGISTRIES_X_INDEX", "CARGO_HTTP_PROXY", "HTTPS_PROXY"]
        {
            assert!(is_kept(name), "{name}");
        }
    }
}
