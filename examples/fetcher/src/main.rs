//! A fetcher that crawls a site and survives being killed.
fn main() {}
