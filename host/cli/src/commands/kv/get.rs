//! `larder kv get`.

use std::ffi::OsString;

use larder::Kv;

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key
    key: OsString,
    /// Print key, value, version and expiry as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(kv: &Kv, args: &Args) -> Result<(), Failure> {
    let key = input::text("key", &args.key)?;
    let Some(entry) = kv.get_entry(key).await? else {
        return Err(Failure::NotFound(format!("the key {key:?}")));
    };
    if args.json {
        output::line(output::entry(key, &entry))?;
    } else {
        output::bytes(&entry.value)?;
    }
    Ok(())
}
