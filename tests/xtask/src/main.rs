//! Builds, tests, measures and demonstrates larder.
fn main() {}
