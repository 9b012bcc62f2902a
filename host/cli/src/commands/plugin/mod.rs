//! `larder plugin`.

mod check;
mod inspect;
mod new;

use clap::Subcommand;

use crate::failure::Failure;

/// Commands on components.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a project for a new plugin: it builds, holds the contract, and says how to go on
    New(new::Args),
    /// Print what a component is and what it asks for; runs nothing of it
    Inspect(inspect::Args),
    /// Run the whole conformance suite over a component and print what holds and what does not
    Check(check::Args),
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::New(args) => new::run(&args),
        Command::Inspect(args) => inspect::run(args).await,
        Command::Check(args) => check::run(args).await,
    }
}
