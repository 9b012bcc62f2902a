//! What the suites share: where built things are, and the bench harness.
//!
//! The suites themselves are one test binary each, in the folders beside this one. Nothing outside
//! `tests/` depends on this crate.

pub mod attacks;
pub mod bench;
mod built;
pub mod crash;
pub mod faults;
pub mod fuzz;
pub mod linearizability;
pub mod migration;
pub mod proxy;
pub mod servers;

pub use built::{larder_binary, plugin, target_dir, workspace_root};

/// The program in the README compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
