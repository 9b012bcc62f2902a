//! Suites that see several crates of larder.
