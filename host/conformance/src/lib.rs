//! The contract of larder's backends as code: one suite for every key-value store ([`kv`]) and one
//! for every blob store, whoever wrote the backend and in whatever language.
//!
//! A case is a sentence of the contract. Which cases run is decided by what a backend declares: what
//! is declared must hold, what is not declared must be refused with `unsupported` and change
//! nothing. There is no third way, so a [`Report`] that [holds](Report::holds) is a promise that a
//! caller can build on.
//!
//! This crate is no test binary: the suites in `tests/` run it over all that ships with larder, and
//! `larder plugin check FILE` runs the very same cases over a component of yours. It depends on the
//! vocabulary of larder and on OpenDAL alone, so that it can't favour any backend.

pub mod blob;
pub mod kv;
pub mod report;

pub use report::{CaseOutcome, CaseResult, Contract, Report};
