//! `larder kv set`.

use std::{ffi::OsString, time::Duration};

use larder::{Kv, SetOptions, Version};

use crate::{failure::Failure, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key
    key: OsString,
    /// The value, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    value: OsString,
    /// How long it lives: 30s, 5m, 250ms, or seconds
    #[arg(long, value_parser = input::duration)]
    ttl: Option<Duration>,
    /// Only if there is no entry
    #[arg(long, conflicts_with = "if_version")]
    if_absent: bool,
    /// Only if the entry is of this version, as `kv get --json` prints it
    #[arg(long, value_name = "VERSION")]
    if_version: Option<u64>,
}

pub(super) async fn run(kv: &Kv, args: Args) -> Result<(), Failure> {
    let key = input::text("key", &args.key)?;
    let mut options = SetOptions::default();
    if let Some(ttl) = args.ttl {
        options = options.ttl(ttl);
    }
    if args.if_absent {
        options = options.if_absent();
    }
    if let Some(version) = args.if_version {
        options = options.if_version(Version(version));
    }
    let value = input::value(args.value).await?;
    kv.set_bytes_with(key, value, options).await?;
    Ok(())
}
