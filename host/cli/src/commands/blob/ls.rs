//! `larder blob ls`.

use std::ffi::OsString;

use futures::TryStreamExt;
use larder::blobs::{Blobs, Depth};
use serde_json::json;

use crate::{failure::Failure, input, output};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the paths begin with [default: everything]
    prefix: Option<OsString>,
    /// Also what is in folders below
    #[arg(long, short)]
    recursive: bool,
    /// Sizes, too
    #[arg(long, short)]
    long: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(blobs: &Blobs, args: &Args) -> Result<(), Failure> {
    let prefix = match &args.prefix {
        Some(prefix) => input::text("prefix", prefix)?,
        None => "",
    };
    let depth = if args.recursive { Depth::All } else { Depth::Folder };
    let mut listed = blobs.list(prefix, depth).await?;
    while let Some(item) = listed.try_next().await? {
        let path = output::escaped(item.path.as_bytes());
        match (&item.metadata, args.json, args.long) {
            (Some(metadata), true, _) => output::line(super::stat::json(&item.path, metadata))?,
            (None, true, _) => output::line(json!({ "path": item.path }))?,
            (Some(metadata), false, true) => {
                output::line(format_args!("{:>12}  {path}", metadata.size_bytes))?
            }
            (None, false, true) => output::line(format_args!("{:>12}  {path}", ""))?,
            (_, false, false) => output::line(path)?,
        }
    }
    Ok(())
}
