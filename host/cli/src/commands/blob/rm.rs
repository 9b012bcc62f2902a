//! `larder blob rm`.

use std::ffi::OsString;

use larder::Blobs;

use crate::{failure::Failure, input};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The paths of the blobs
    #[arg(required = true)]
    paths: Vec<OsString>,
}

pub(super) async fn run(blobs: &Blobs, args: &Args) -> Result<(), Failure> {
    Ok(blobs.delete_many(&input::texts("path", &args.paths)?).await?)
}
