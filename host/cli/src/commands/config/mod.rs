//! `larder config`.

mod check;
mod explain;

use clap::Subcommand;

use crate::{args::Place, failure::Failure};

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether the configuration is right; opens nothing unless asked to
    Check(check::Args),
    /// Print what the configuration means: stores, stacks, plugins, grants
    Explain,
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check(args) => check::run(place, args).await,
        Command::Explain => explain::run(place),
    }
}
