//! `larder config`.

mod check;
mod explain;

use clap::Subcommand;

use crate::{args::Place, failure::Failure};

/// Commands on the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Say whether the configuration is right; opens nothing
    Check,
    /// Print what the configuration means: stores, stacks, plugins, grants
    Explain,
}

pub(crate) fn run(place: &Place, command: &Command) -> Result<(), Failure> {
    match command {
        Command::Check => check::run(place),
        Command::Explain => explain::run(place),
    }
}
