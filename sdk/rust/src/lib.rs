//! Write a larder plugin in Rust: a trait per world, a typed error and one export macro each.
