//! The tools themselves: what a test that uses them relies on.

mod faults;
mod hosts;
mod recorder;
mod scripts;
mod slow;
mod swaps;

use std::sync::Arc;

use larder_core::{Commit, Key, KvStore, MemoryKv};

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn put(name: &str, value: &str) -> Commit {
    Commit::new().put(key(name), value.to_owned())
}

fn memory() -> Arc<dyn KvStore> {
    Arc::new(MemoryKv::new())
}

/// What a test that fails says.
fn message(test: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(test).expect_err("it should fail");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(other) => (*other.downcast::<&str>().unwrap()).to_owned(),
    }
}
