//! `larder kv del`.

use std::ffi::OsString;

use larder::Kv;

use crate::{failure::Failure, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The keys
    #[arg(required = true)]
    keys: Vec<OsString>,
}

/// Removes all of them, one after the other, also if some are not there.
pub(super) async fn run(kv: &Kv, args: &Args) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for key in input::texts("key", &args.keys)? {
        if !kv.delete(key).await? {
            missing.push(format!("{key:?}"));
        }
    }
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Failure::NotFound(format!("the key {}", missing.join(", "))))
    }
}
