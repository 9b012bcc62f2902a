//! `larder kv scan`.

use std::ffi::OsString;

use futures::TryStreamExt;
use larder::{Kv, ScanOptions};

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the keys begin with [default: all keys]
    prefix: Option<OsString>,
    /// At most so many
    #[arg(long, value_name = "NUMBER")]
    limit: Option<u64>,
    /// Keys without values
    #[arg(long)]
    keys_only: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Prints as it reads: a page of memory, however many entries there are.
pub(super) async fn run(kv: &Kv, args: &Args) -> Result<(), Failure> {
    let mut options = match &args.prefix {
        Some(prefix) => ScanOptions::prefix(input::text("prefix", prefix)?),
        None => ScanOptions::all(),
    };
    if let Some(limit) = args.limit {
        options = options.limit(limit);
    }
    if args.keys_only {
        options = options.keys_only();
    }
    let mut entries = kv.scan(options);
    while let Some((key, entry)) = entries.try_next().await? {
        match (args.json, args.keys_only) {
            (true, false) => output::line(output::entry(&key, &entry))?,
            (true, true) => output::line(serde_json::json!({ "key": &*key }))?,
            (false, true) => output::line(output::escaped(key.as_bytes()))?,
            (false, false) => {
                let key = output::escaped(key.as_bytes());
                output::line(format_args!("{key}\t{}", output::escaped(&entry.value)))?;
            }
        }
    }
    Ok(())
}
