//! `larder blob cp`.

use std::ffi::OsString;

use larder::Blobs;

use crate::{failure::Failure, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The path of the blob
    source: OsString,
    /// The path of the copy
    target: OsString,
}

pub(super) async fn run(blobs: &Blobs, args: &Args) -> Result<(), Failure> {
    let (source, target) = (input::text("path", &args.source)?, input::text("path", &args.target)?);
    if !blobs.exists(source).await? {
        return Err(Failure::NotFound(format!("the blob {source:?}")));
    }
    Ok(blobs.copy(source, target).await?)
}
