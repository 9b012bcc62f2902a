//! `larder kv incr`.

use std::ffi::OsString;

use larder::Kv;

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key
    key: OsString,
    /// What to add; may be negative
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    delta: i64,
}

pub(super) async fn run(kv: &Kv, args: &Args) -> Result<(), Failure> {
    let sum = kv.increment(input::text("key", &args.key)?, args.delta).await?;
    Ok(output::line(sum)?)
}
