//! `larder plugin release`.

use super::control::Control;
use crate::{args::Place, failure::Failure};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The plugin's name in the configuration of the running host
    name: String,
    #[command(flatten)]
    control: Control,
}

pub(super) async fn run(place: &Place, args: Args) -> Result<(), Failure> {
    Ok(args.control.client(place)?.release(&args.name).await?)
}
